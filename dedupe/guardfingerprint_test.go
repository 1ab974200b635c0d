package dedupe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// A record whose key was used for another payload is neither a duplicate nor
// in progress: it has an error of its own, and is not lost silently.
func TestFingerprint(t *testing.T) {
	payload := func(body string) *consumer.Record { return &consumer.Record{ID: "a", Body: []byte(body)} }

	wantMismatch := func(t *testing.T, err error) {
		t.Helper()
		if e, ok := errors.AsType[*dedupe.MismatchError](err); !ok || e.Key != workKey("a") {
			t.Errorf("got error %v, want a MismatchError with the key", err)
		}
	}

	bubble(t, "of a completed row", func(t *testing.T) {
		g, l := newGuard(&faults{}, fingerprinted)
		var h tally
		handle := g.Middleware()(&h).HandleRecord
		wantIs(t, handle(t.Context(), payload("1")), nil)
		wantMismatch(t, handle(t.Context(), payload("2")))
		wantIs(t, handle(t.Context(), payload("1")), nil)
		h.wantRuns(t, "a", 1)
		wantTold[consumer.Rejected](t, l, 1)
		wantTold[consumer.Duplicate](t, l, 1)
	})

	bubble(t, "of a live row", func(t *testing.T) {
		f := &faults{}
		g, _ := newGuard(f, fingerprinted)
		other, _ := newGuard(f, fingerprinted)
		h := tally{do: func(context.Context, *consumer.Record) error { time.Sleep(time.Minute); return nil }}
		outcome := make(chan error, 1)
		go func() { outcome <- g.Middleware()(&h).HandleRecord(t.Context(), payload("1")) }()
		synctest.Wait()
		wantMismatch(t, other.Middleware()(&h).HandleRecord(t.Context(), payload("2")))
		wantIs(t, other.Middleware()(&h).HandleRecord(t.Context(), payload("1")), dedupe.ErrInProgress)
		wantIs(t, <-outcome, nil)
		h.wantRuns(t, "a", 1)
	})

	bubble(t, "that cannot be made", func(t *testing.T) {
		for name, fn := range map[string]dedupe.FingerprintFunc{
			"error": func(*consumer.Record) (string, error) { return "", errHandler },
			"panic": func(*consumer.Record) (string, error) { panic(errHandler) },
		} {
			f := &faults{}
			g, _ := newGuard(f, func(o *dedupe.Options) { o.Fingerprint = fn })
			var h tally
			wantIs(t, once(t.Context(), g, &h, "a"), errHandler)
			if f.sent() != 0 || h.of("a") != 0 {
				t.Errorf("%s: %d calls and %d runs, want none", name, f.sent(), h.of("a"))
			}
		}
	})
}

// A row that was made before fingerprints were asked for differs from nothing.
func TestFingerprintIntroduced(t *testing.T) {
	f := &faults{}
	g, _ := newGuard(f)
	if err := once(t.Context(), g, &tally{}, "a"); err != nil {
		t.Fatal(err)
	}
	g2, _ := newGuard(f, func(o *dedupe.Options) { o.Fingerprint = dedupe.BodyFingerprint })
	if err := once(t.Context(), g2, &tally{}, "a"); err != nil {
		t.Errorf("duplicate of the same body after switching fingerprints on: %v", err)
	}
}
