package dedupe_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

type typedError struct{ code string }

func (e *typedError) Error() string { return e.code }

// A handler that returns a nil pointer in its error has failed, and takes nobody
// down: the text of such an error cannot be asked for.
func TestTypedNilError(t *testing.T) {
	g, _ := newGuard(&faults{})
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("panicked: %v", v)
		}
	}()
	err := once(t.Context(), g, consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
		var e *typedError
		return e
	}), "a")
	if err == nil {
		t.Error("acknowledged")
	}
}

// A panic of the store leaves its operations undecided: the key is free for the
// next delivery.
func TestStorePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		f.before = on(dedupe.OpClaim, times(1, func(context.Context) error { panic("store bug") }))
		g, _ := newGuard(f)
		func() {
			defer func() { t.Logf("recovered %v", recover()) }()
			_ = once(t.Context(), g, &tally{}, "a")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		err := once(ctx, g, &tally{}, "a")
		if err != nil || time.Since(began) > time.Minute {
			t.Errorf("next delivery: %v after %v", err, time.Since(began))
		}
	})
}

// Calls that panicked are not in flight any more.
func TestStorePanicsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		f.before = on(dedupe.OpClaim, times(4, func(context.Context) error { panic("store bug") }))
		g, _ := newGuard(f)
		for _, id := range []string{"a", "b", "c", "d"} {
			func() {
				defer func() { _ = recover() }()
				_ = once(t.Context(), g, &tally{}, id)
			}()
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := once(ctx, g, &tally{}, "fresh")
		t.Logf("fresh key: %v after %v", err, time.Since(began))
		if err != nil {
			t.Error(err)
		}
	})
}

// A panic of an observer is kept from the work that it watches.
func TestObserverPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		g := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: worker, Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			if _, ok := e.(consumer.Claimed); ok && n == 0 {
				n++
				panic("observer bug")
			}
		})})
		func() {
			defer func() { t.Logf("recovered %v", recover()) }()
			_ = once(t.Context(), g, &tally{}, "a")
		}()
		time.Sleep(time.Hour) // lease passed
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := once(ctx, g, &tally{}, "a"); err != nil {
			t.Errorf("next delivery: %v", err)
		}
	})
}

// A row keeps the beginning of a long error, not the whole of it in memory.
func TestErrorTextIsNotKept(t *testing.T) {
	var before, after runtime.MemStats
	mem := memdedupe.New()
	g := dedupe.New(mem, dedupe.Options{Consumer: worker})
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 64 {
		_ = once(t.Context(), g, consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			return errors.New(strings.Repeat("x", 1<<20))
		}), string(rune('A'+i)))
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("64 failed rows hold %d MiB", grown>>20)
	}
	runtime.KeepAlive(mem)
}

// The cause of a lost lease is there for a handler that never asked for Done.
func TestCauseWithoutDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, func(o *dedupe.Options) { o.Lease = 3 * time.Second })
		f.before = on(dedupe.OpExtend, hang)
		var cause error
		_ = once(t.Context(), g, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
			for range 20 {
				time.Sleep(time.Second)
				cause = context.Cause(ctx)
				if cause != nil {
					return cause
				}
			}
			return ctx.Err()
		}), "a")
		if !errors.Is(cause, dedupe.ErrLeaseLost) {
			t.Errorf("context.Cause told %v", cause)
		}
	})
}
