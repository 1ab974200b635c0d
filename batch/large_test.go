package batch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Ten thousand records get their own outcomes: those that fail are reported
// and released, the others are done, once; a second batch runs those that
// failed and no other. What is asked of the store grows with the records: a
// claim and an end for each, and ten times the calls of a tenth of them.
func TestTenThousandRecords(t *testing.T) {
	errRefused := errors.New("refused")
	calls := map[int]int{}
	for _, n := range []int{1_000, 10_000} {
		bubble(t, func(t *testing.T) {
			s, l, refusing := newStore(roundTrip), newLedger(), true
			h := l.handler(func(_ context.Context, rec *consumer.Record) error {
				time.Sleep(time.Millisecond)
				if refusing && strings.HasSuffix(rec.ID, "7") {
					return errRefused
				}
				return nil
			})
			p := batch.New(guard(s), h, batch.Options{})
			out := process(t.Context(), t, p, records(n))
			failed := 0
			for rec, err := range out.err {
				if want := strings.HasSuffix(rec.ID, "7"); errors.Is(err, errRefused) != want || !want && err != nil {
					t.Errorf("%s: got %v", rec.ID, err)
				} else if want {
					failed++
				}
			}
			if failed != n/10 || s.ops[dedupe.OpClaim] != n || s.ops[dedupe.OpComplete] != n-failed || s.ops[dedupe.OpRelease] != failed {
				t.Errorf("%d records: %d failed, operations %v, want a claim for each and a release for each tenth", n, failed, s.ops)
			}
			calls[n] = s.calls
			refusing = false
			process(t.Context(), t, p, records(n)).done(t)
			for _, rec := range records(n) {
				if want := 1 + strings.Count(rec.ID[len(rec.ID)-1:], "7"); l.ran(rec.ID) != want {
					t.Errorf("%s ran %d times, want %d", rec.ID, l.ran(rec.ID), want)
				}
			}
		})
	}
	if calls[10_000] > 12*calls[1_000] {
		t.Errorf("10,000 records take %d calls, 1,000 %d", calls[10_000], calls[1_000])
	}
	t.Logf("calls: %v", calls)
}
