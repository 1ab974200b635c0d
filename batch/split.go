package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// PartsError is the outcome of a record that was split of which not all parts
// are done.
type PartsError struct {
	Parts int     // how many there were
	Errs  []error // of those that are not done, and that of Split; never empty
}

func (e *PartsError) Error() string {
	texts := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		texts[i] = fmt.Sprint(err)
	}
	return fmt.Sprintf("not all of %d parts are done: %s", e.Parts, strings.Join(texts, "; "))
}

// Unwrap returns the errors that decide what becomes of the record, which are
// not always all: those that a retry may mend, if there are any, before those
// of parts that were not started, before permanent ones. So a record is not
// taken for one that no retry can mend, or for one that has not failed, on
// account of one part.
func (e *PartsError) Unwrap() []error {
	var decide []error
	least := 0
	for i, err := range e.Errs {
		switch w := weight(err); {
		case i == 0 || w < least:
			least, decide = w, []error{err}
		case w == least:
			decide = append(decide, err)
		}
	}
	return decide
}

func weight(err error) int {
	if _, skipped := errors.AsType[*NotStartedError](err); skipped {
		if errors.Is(err, ErrGroupFailed) || errors.Is(err, ErrStopped) {
			return 3 // on account of another one
		}
		return 1
	}
	if consumer.IsPermanent(err) {
		return 2
	}
	return 0
}

// ErrBadParts says that Options.Split returned a record that is nil, or one
// twice.
var ErrBadParts = errors.New("batch: Split returned no record or one twice")

// whole is a record that was split.
type whole struct {
	rec  *consumer.Record
	left int     // parts whose outcome is not known
	all  int     // parts
	errs []error // of each part, then that of Split
}

func (w *whole) outcome() error {
	var errs []error
	for _, err := range w.errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &PartsError{Parts: w.all, Errs: errs}
}

// part is one of the records of a whole. One that cannot be split, or not be
// decoded, stands for itself, with its failure: so its message group stops at
// it.
type part struct {
	of      *whole
	number  int
	refused error
}

// processParts runs the parts of recs and yields recs.
func (p *Processor) processParts(ctx context.Context, recs []*consumer.Record, yield func(*consumer.Record, error) bool) {
	var run []*consumer.Record
	parts := make(map[*consumer.Record]part, len(recs))
	var none []*consumer.Record
	for _, rec := range recs {
		rs, err := p.split(rec, parts)
		w := &whole{rec: rec, left: len(rs), all: len(rs), errs: append(make([]error, len(rs)), err)}
		if len(rs) == 0 && err != nil {
			run, parts[rec] = append(run, rec), part{refused: err}
			continue
		}
		if len(rs) == 0 {
			none = append(none, rec)
		}
		for i, r := range rs {
			if rec.Ordered {
				r.Ordered, r.Group = true, rec.Group
			}
			run, parts[r] = append(run, r), part{of: w, number: i}
		}
	}
	for _, rec := range none {
		if !yield(rec, nil) {
			return
		}
	}
	open := func(rec *consumer.Record) error { return parts[rec].refused }
	newRun(p, ctx, run, open).loop(func(rec *consumer.Record, err error) bool {
		w := parts[rec].of
		if w == nil {
			return yield(rec, err)
		}
		w.errs[parts[rec].number] = err
		if w.left--; w.left > 0 {
			return true
		}
		return yield(w.rec, w.outcome())
	})
}

// split returns the parts of rec, none that is in known.
func (p *Processor) split(rec *consumer.Record, known map[*consumer.Record]part) (rs []*consumer.Record, err error) {
	if p.o.Decode != nil {
		if err := safely(p.o.Decode, rec); err != nil {
			return nil, err
		}
	}
	err = safely(func(rec *consumer.Record) (err error) {
		rs, err = p.o.Split(rec)
		return err
	}, rec)
	if err != nil && rec.Ordered {
		return nil, err // which of its parts is missing is not known
	}
	seen := make(map[*consumer.Record]bool, len(rs))
	for _, r := range rs {
		if _, taken := known[r]; r == nil || taken || seen[r] {
			return nil, ErrBadParts
		}
		seen[r] = true
	}
	return rs, err
}
