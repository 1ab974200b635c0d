package boltdedupe

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// errUnchanged rolls a transaction back that has nothing to write.
var errUnchanged = errors.New("boltdedupe: nothing changed")

// read answers ops from a read transaction when none of them changes its row,
// and returns neither verdicts nor an error otherwise. All of them are then
// decided by the state at one moment within the call, in any order.
func (s *Store) read(ops []dedupe.Op) (verdicts []dedupe.Verdict, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if int64(tx.ID()) > s.synced.Load() {
			return errUnchanged // not on disk yet: whoever writes next sees it synced
		}
		t := newTable(tx)
		out := make([]dedupe.Verdict, len(ops))
		for i := range ops {
			if t.step(&ops[i], &out[i]) {
				return errUnchanged
			}
		}
		verdicts = out
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, s.fail(err)
	}
	return verdicts, nil
}

// commit applies the groups in order in one write transaction and syncs it,
// unless nothing changed.
func (s *Store) commit(groups []*group) error {
	var id int
	err := s.update(func(tx *bbolt.Tx) error {
		id = tx.ID()
		t, changed := newTable(tx), 0
		t.total = loadTotal(tx)
		for _, g := range groups {
			for i := range g.ops {
				if !t.step(&g.ops[i], &g.verdicts[i]) {
					continue
				}
				if err := t.put(); err != nil {
					return err
				}
				s.sweep.noteExpiry(&t.next)
				changed++
			}
		}
		if changed == 0 {
			return errUnchanged
		}
		if err := s.sweep.run(t, changed); err != nil {
			return err
		}
		return t.total.store(tx)
	})
	switch {
	case err == nil:
		s.synced.Store(int64(id))
	case !errors.Is(err, errUnchanged):
		return s.fail(err)
	}
	return nil
}

// view and update are bbolt's with its panics, which it uses for damaged
// pages, and the faults of following what such a page says, as errors. A read
// transaction is over when they pass here.
func (s *Store) view(f func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recovered(&err)
	return s.db.View(f)
}

func (s *Store) update(f func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recovered(&err)
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer s.rollBack(tx)
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// rollBack ends a transaction that was not committed. Damaged pages make bbolt
// panic in that too, with its lock taken for ever: db.Update would keep it, and
// Close would wait for it.
func (s *Store) rollBack(tx *bbolt.Tx) {
	defer func() {
		if recover() != nil {
			s.stuck.Store(true)
		}
	}()
	_ = tx.Rollback() // says that it was committed
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged: %v", p)
	}
}

// table is the rows as one transaction sees them, at one time.
type table struct {
	rows  *bbolt.Bucket
	now   dedupe.Millis
	total total // of rows, in a transaction that writes

	// Of the last step:
	key    []byte
	stored []byte // the row as it was, nil if there was none
	next   dedupe.Row
	enc    []byte // next as it is to be stored
}

func newTable(tx *bbolt.Tx) *table {
	return &table{rows: tx.Bucket([]byte(rowBucket)), now: dedupe.MillisOf(time.Now())}
}

// step decides op into v and reports whether the row must be stored. It need
// not when it stands as it is or when op cannot be decided.
func (t *table) step(op *dedupe.Op, v *dedupe.Verdict) (changed bool) {
	if op.Key == "" || len(op.Key) > bbolt.MaxKeySize {
		*v = dedupe.Verdict{Err: fmt.Errorf("%w: %d bytes", ErrKey, len(op.Key))}
		return false
	}
	var row dedupe.Row
	t.key = append(t.key[:0], op.Key...)
	t.stored = t.rows.Get(t.key)
	if t.stored != nil {
		var err error
		if row, err = parseRow(t.key, t.stored); err != nil {
			*v = dedupe.Verdict{Err: err}
			return false
		}
	}
	t.next, *v = dedupe.Step(row, t.now, *op)
	if !t.next.Exists() {
		return false
	}
	t.enc = appendRow(t.enc[:0], t.key, &t.next)
	return !bytes.Equal(t.enc, t.stored)
}

// put stores the row of the last step.
func (t *table) put() error {
	if t.stored != nil {
		t.total.remove(t.key, t.stored)
	}
	t.total.add(t.key, t.enc)
	return t.rows.Put(t.key, bytes.Clone(t.enc)) // bbolt copies the key only
}

// remove removes a row.
func (t *table) remove(key []byte) error {
	t.total.remove(key, t.rows.Get(key))
	return t.rows.Delete(key)
}
