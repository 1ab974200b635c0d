package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

var errSplit = errors.New("cannot be split")

// letters splits a record into one for each letter of its Body. A "!" is a
// part that cannot be read.
func letters(rec *consumer.Record) (parts []*consumer.Record, err error) {
	for i, c := range string(rec.Body) {
		if c == '!' {
			err = errSplit
			continue
		}
		part := *rec
		part.ID, part.Body = fmt.Sprintf("%s.%d", rec.ID, i), []byte{byte(c)}
		parts = append(parts, &part)
	}
	return parts, err
}

// withBodies gives records their bodies.
func withBodies(recs []*consumer.Record, bodies ...string) []*consumer.Record {
	for i, b := range bodies {
		recs[i].Body = []byte(b)
	}
	return recs
}

// failing is a handler of parts: x fails, p fails for good, all others are
// done, s after a second.
func failing(_ context.Context, rec *consumer.Record) error {
	switch string(rec.Body) {
	case "x":
		return errors.New("no")
	case "p":
		return consumer.Permanent(errors.New("never"))
	case "s":
		time.Sleep(time.Second)
	}
	return nil
}

// A record is done when all of its parts are, at once when it has none, and
// fails when one of them does or when not all of them could be read; the
// others are done once and for all.
func TestSplit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, store := newLedger(), memdedupe.New()
		p := batch.New(guard(store), l.handler(failing), batch.Options{Split: letters})
		bodies := []string{"abc", "axs", "", "!", "a!b", "s"}
		for turn := range 2 {
			out := process(t.Context(), t, p, withBodies(records(6), bodies...))
			for rec, err := range out.err {
				body := string(rec.Body)
				if (err == nil) == strings.ContainsAny(body, "x!") {
					t.Errorf("turn %d, %q: got %v", turn, body, err)
				}
				if strings.Contains(body, "!") && !errors.Is(err, errSplit) {
					t.Errorf("turn %d, %q: got %v, want what Split said", turn, body, err)
				}
				if pe, ok := errors.AsType[*batch.PartsError](err); body == "axs" && (!ok || pe.Parts != 3 || len(pe.Errs) != 1) {
					t.Errorf("turn %d, %q: got %v, want one of three parts", turn, body, err)
				}
			}
		}
		for id, want := range map[string]int{"r00000.0": 1, "r00001.0": 1, "r00001.1": 2, "r00001.2": 1, "r00004.0": 1, "r00004.2": 1, "r00005.0": 1} {
			if got := l.ran(id); got != want {
				t.Errorf("part %s ran %d times, want %d", id, got, want)
			}
		}
	})
}

// No record is yielded while a part of it runs, and the others do not wait
// for it.
func TestSplitNotEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := batch.New(nil, consumer.HandlerFunc(failing), batch.Options{Split: letters})
		recs := withBodies(records(3), "as", "sa", "aa")
		out := process(t.Context(), t, p, recs)
		for i, want := range []time.Duration{time.Second, time.Second, 0} {
			if got := out.at[recs[i]]; got != want {
				t.Errorf("record %d was yielded after %v, want %v", i, got, want)
			}
		}
	})
}

// Parts of an ordered record run one after another in its group: none behind
// one that failed, none of a later record of the group, and none of a record
// that could not be read whole. Other groups go on.
func TestSplitOrdered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(memdedupe.New()), l.handler(failing), batch.Options{Split: letters})
		recs := withBodies(fifo("a1", "b1", "a2", "a3", "c1", "c2", "d1", "d2"), "sas", "sxs", "aa", "x", "a!", "aa", "xa", "")
		b2 := withBodies(fifo("b2"), "a")
		out := process(t.Context(), t, p, append(recs, b2...))
		for rec, err := range out.err {
			if want := slices.Contains([]string{"a1", "a2", "d2"}, rec.ID); (err == nil) != want {
				t.Errorf("%s: got %v, want it done: %v", rec.ID, err, want)
			}
		}
		var order []string
		for _, id := range l.order {
			if id[0] == 'a' {
				order = append(order, id)
			}
		}
		if got, want := strings.Join(order, " "), "a1.0 a1.1 a1.2 a2.0 a2.1 a3.0"; got != want {
			t.Errorf("got order %s, want %s", got, want)
		}
		for _, id := range []string{"b1.2", "b2.0", "c1.0", "c2.0", "c2.1", "d1.1"} {
			if l.ran(id) != 0 {
				t.Errorf("%s ran behind a failure", id)
			}
		}
		if l.starts["a1.1"] < l.ends["a1.0"] {
			t.Error("a1.1 started before a1.0 ended")
		}
		wantNotStarted(t, out.err[b2[0]], batch.ErrGroupFailed)
	})
}

// Parts that say nothing of order keep that of their record.
func TestSplitKeepsLane(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(nil, l.handler(failing), batch.Options{Split: func(rec *consumer.Record) ([]*consumer.Record, error) {
			return []*consumer.Record{{ID: rec.ID + ".0", Body: rec.Body}, {ID: rec.ID + ".1", Body: rec.Body}}, nil
		}})
		process(t.Context(), t, p, withBodies(fifo("a1", "b1", "a2"), "s", "x", "s"))
		if got := strings.Join(l.order, " "); l.ran("b1.1") != 0 || l.starts["a2.1"] != 3*time.Second {
			t.Errorf("got order %s, a2.1 after %v, want nothing behind b1.0 and a2.1 after 3 s", got, l.starts["a2.1"])
		}
	})
}

// A record that Decode refuses, a Split that panics, or one that returns no
// record or one twice fails that record alone.
func TestSplitContained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refused := errors.New("refused")
		recs := withBodies(records(6), "ok", "refuse", "panic", "nil", "twice", "other")
		p := batch.New(nil, consumer.HandlerFunc(failing), batch.Options{
			Decode: func(rec *consumer.Record) error {
				if string(rec.Body) == "refuse" {
					return refused
				}
				return nil
			},
			Split: func(rec *consumer.Record) ([]*consumer.Record, error) {
				switch part := *rec; string(rec.Body) {
				case "panic":
					panic("split")
				case "nil":
					return []*consumer.Record{&part, nil}, nil
				case "twice":
					return []*consumer.Record{&part, &part}, nil
				case "other":
					return []*consumer.Record{recs[0]}, nil
				}
				return []*consumer.Record{rec}, nil
			},
		})
		out := process(t.Context(), t, p, recs)
		for i, want := range []error{nil, refused, nil, batch.ErrBadParts, batch.ErrBadParts, batch.ErrBadParts} {
			if err := out.err[recs[i]]; i != 2 && !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", recs[i].Body, err, want)
			}
		}
		if _, ok := errors.AsType[*consumer.PanicError](out.err[recs[2]]); !ok {
			t.Errorf("got %v, want the panic", out.err[recs[2]])
		}
	})
}

// Parts that have not started when the time is up fail their record, and the
// caller may leave the loop at any time.
func TestSplitCutShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLedger()
		p := batch.New(guard(memdedupe.New()), l.handler(failing), batch.Options{Split: letters, Concurrency: 1, Reserve: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 2700*time.Millisecond)
		defer cancel()
		recs := withBodies(records(2), "a", "ssssss")
		out := process(ctx, t, p, recs)
		if out.err[recs[0]] != nil {
			t.Errorf("got %v for the first", out.err[recs[0]])
		}
		if pe, ok := errors.AsType[*batch.PartsError](out.err[recs[1]]); !ok || len(pe.Errs) != 4 || !errors.Is(pe, batch.ErrDeadline) {
			t.Errorf("got %v, want that four parts are not done", out.err[recs[1]])
		}
		seen := 0
		for range p.Process(t.Context(), withBodies(records(4), "", "as", "as", "")) {
			if seen++; seen == 2 {
				break
			}
		}
		if seen != 2 {
			t.Errorf("got %d outcomes, want to leave after two", seen)
		}
	})
}

// What decides about a record is the part that is worth a retry: one permanent
// failure among others does not make it permanent, nor one part that was not
// started make it a record that has not failed.
func TestPartsErrorDecides(t *testing.T) {
	transient, permanent := errors.New("no"), consumer.Permanent(errors.New("never"))
	behind := &batch.NotStartedError{Cause: batch.ErrGroupFailed}
	late := &batch.NotStartedError{Cause: batch.ErrDeadline}
	for _, row := range []struct {
		errs                  []error
		permanent, notStarted bool
	}{
		{[]error{permanent}, true, false},
		{[]error{permanent, permanent}, true, false},
		{[]error{permanent, behind}, true, false},
		{[]error{permanent, transient}, false, false},
		{[]error{transient, permanent}, false, false},
		{[]error{transient, behind}, false, false},
		{[]error{late, transient}, false, false},
		{[]error{permanent, late}, false, true},
		{[]error{behind}, false, true},
		{[]error{late, late}, false, true},
	} {
		err := &batch.PartsError{Parts: 3, Errs: row.errs}
		_, notStarted := errors.AsType[*batch.NotStartedError](err)
		if consumer.IsPermanent(err) != row.permanent || notStarted != row.notStarted {
			t.Errorf("%v: permanent %v, not started %v; want %v and %v", err, consumer.IsPermanent(err), notStarted, row.permanent, row.notStarted)
		}
		for _, e := range row.errs {
			if !strings.Contains(err.Error(), e.Error()) {
				t.Errorf("%v does not tell %v", err, e)
			}
		}
	}
}
