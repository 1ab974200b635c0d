package boltdedupe

import (
	"bytes"
	"math"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// sweepPerRow bounds the rows looked at for each row written. Looking at a
// row is cheap next to writing one, and since every new row removes up to
// three expired ones, what is stored stays within half as much again as what
// is live.
const sweepPerRow = 4

// never is the expiry of a row that has none.
const never = dedupe.Millis(math.MaxInt64)

// sweeper walks the keys in order, a few per transaction, and removes expired
// rows. It is used inside write transactions only, which bbolt runs one at a
// time; one that is rolled back costs at most a walk begun in vain.
type sweeper struct {
	at    []byte        // the next key to look at; nil for the first
	due   dedupe.Millis // no row expires before
	round dedupe.Millis // what due becomes when the walk has come round
}

// noteExpiry keeps the bounds below the expiry of a row being written.
func (w *sweeper) noteExpiry(r *dedupe.Row) {
	w.due = min(w.due, expiry(r))
	w.round = min(w.round, expiry(r))
}

// run looks at the next few rows of t, for a transaction that wrote n.
func (w *sweeper) run(t *table, n int) error {
	if t.now < w.due {
		return nil
	}
	if w.at == nil {
		w.round = never
	}
	var expired [][]byte // removed after the walk: it must not lose its place
	c := t.rows.Cursor()
	k, v := c.Seek(w.at)
	for range sweepPerRow * n {
		if k == nil {
			break
		}
		if row, err := parseRow(k, v); err == nil { // an unreadable one is for its reader to report
			if row.Expired(t.now) {
				expired = append(expired, bytes.Clone(k))
			} else {
				w.round = min(w.round, expiry(&row))
			}
		}
		k, v = c.Next()
	}
	w.at = bytes.Clone(k) // nil at the end
	if k == nil {
		w.due = w.round
	}
	for _, k := range expired {
		if err := t.remove(k); err != nil {
			return err
		}
	}
	return nil
}

// expiry returns when the row may be removed.
func expiry(r *dedupe.Row) dedupe.Millis {
	if e := r.Expiry(); e != 0 {
		return e
	}
	return never
}
