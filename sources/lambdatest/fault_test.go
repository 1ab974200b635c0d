package lambdatest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/lambdatest"
)

// first makes fault happen to the first invocation only.
func first(fault lambdatest.Fault) func(int, []types.Message) lambdatest.Fault {
	return func(seq int, _ []types.Message) lambdatest.Fault {
		if seq == 0 {
			return fault
		}
		return lambdatest.Fault{}
	}
}

// Ensure that each fault of an invocation has the effect it is named for, and
// that the message is deleted in the end.
func TestMappingFaults(t *testing.T) {
	for _, tc := range []struct {
		name     string
		fault    lambdatest.Fault
		err      error
		runs     int     // of the function, all in all
		overlaps bool    // two of them at once
		batches  [][]int // size of each observed batch, and how many were deleted
	}{
		{"none", lambdatest.Fault{}, nil, 1, false, [][]int{{1, 1}}},
		{"response dropped", lambdatest.Fault{DropResponse: true}, lambdatest.ErrResponseLost, 2, false, [][]int{{1, 0}, {1, 1}}},
		{"throttled", lambdatest.Fault{Throttle: true}, lambdatest.ErrThrottled, 1, false, [][]int{{1, 0}, {1, 1}}},
		{"twin", lambdatest.Fault{Twin: true}, nil, 2, true, [][]int{{1, 1}}},
		{"again", lambdatest.Fault{Again: true}, nil, 2, false, [][]int{{1, 1}}},
		{"duplicate records", lambdatest.Fault{DuplicateRecords: true}, nil, 1, false, [][]int{{2, 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, "orders", func(b *bench) {
				b.send("", "a")
				var (
					now, most atomic.Int32
					mu        sync.Mutex
					payloads  []string
				)
				b.run(50*time.Second, lambdatest.MappingOptions{
					ReportBatchItemFailures: true,
					Fault:                   first(tc.fault),
					Function: lambdatest.HandlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
						mu.Lock()
						payloads = append(payloads, string(payload))
						mu.Unlock()
						clear(payload) // a careless function harms nobody else
						most.Store(max(most.Load(), now.Add(1)))
						time.Sleep(time.Second)
						now.Add(-1)
						return []byte(`{}`), nil
					}),
				})
				if len(payloads) != tc.runs || (most.Load() > 1) != tc.overlaps {
					t.Errorf("got %d runs, %d at once; want %d, overlapping %t", len(payloads), most.Load(), tc.runs, tc.overlaps)
				}
				if (tc.fault.Twin || tc.fault.Again) && payloads[0] != payloads[1] {
					t.Errorf("got payloads %q, want the same twice", payloads)
				}
				var batches [][]int
				for _, inv := range b.seen {
					batches = append(batches, []int{len(inv.MessageIDs), len(inv.Deleted)})
				}
				if !slices.EqualFunc(batches, tc.batches, slices.Equal) {
					t.Errorf("got batches with sizes and deletions %v, want %v", batches, tc.batches)
				}
				if inv := b.seen[0]; !errors.Is(inv.Err, tc.err) || inv.Fault != tc.fault {
					t.Errorf("got error %v of fault %+v, want %v of %+v", inv.Err, inv.Fault, tc.err, tc.fault)
				}
				b.wantLeft("orders")
				if got := b.mapping.Counts().Invocations; got != int64(tc.runs) {
					t.Errorf("got %d invocations counted, want %d", got, tc.runs)
				}
			})
		})
	}
}

// Ensure that the copies of a duplicated record share one outcome.
func TestMappingDuplicateRecordsFail(t *testing.T) {
	inBubble(t, "orders", func(b *bench) {
		b.send("", "a", "b")
		b.run(time.Second, lambdatest.MappingOptions{
			Function: failing("b"), ReportBatchItemFailures: true,
			Fault: first(lambdatest.Fault{DuplicateRecords: true}),
		})
		inv := b.seen[0]
		if len(inv.MessageIDs) != 4 || len(inv.Failed) != 1 || len(inv.Deleted) != 1 {
			t.Errorf("got %q failed and %q deleted of %q", inv.Failed, inv.Deleted, inv.MessageIDs)
		}
		b.wantLeft("orders", "b")
	})
}

// Ensure that an asynchronous event is tried three times, one and two minutes
// apart, and then handed over with its last error.
func TestAsyncRetries(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		name     string
		failures int
		opts     lambdatest.AsyncOptions
		tries    []time.Duration
		given    string // condition of giving up, if it was
	}{
		{"success", 0, lambdatest.AsyncOptions{}, []time.Duration{0}, ""},
		{"second try", 1, lambdatest.AsyncOptions{}, []time.Duration{0, time.Minute}, ""},
		{"third try", 2, lambdatest.AsyncOptions{}, []time.Duration{0, time.Minute, 3 * time.Minute}, ""},
		{"exhausted", 9, lambdatest.AsyncOptions{}, []time.Duration{0, time.Minute, 3 * time.Minute}, "RetriesExhausted"},
		{"one attempt", 9, lambdatest.AsyncOptions{Attempts: 1}, []time.Duration{0}, "RetriesExhausted"},
		{"too old", 9, lambdatest.AsyncOptions{MaximumEventAge: 90 * time.Second}, []time.Duration{0, time.Minute}, "EventAgeExceeded"},
		{"response dropped", 0, lambdatest.AsyncOptions{Fault: func(attempt int) lambdatest.Fault {
			return lambdatest.Fault{DropResponse: attempt == 1}
		}}, []time.Duration{0, time.Minute}, ""},
		{"duplicate without error", 0, lambdatest.AsyncOptions{Fault: func(int) lambdatest.Fault {
			return lambdatest.Fault{Again: true}
		}}, []time.Duration{0, 0}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var tries []time.Duration
				var given []lambdatest.AsyncFailure
				tc.opts.Function = lambdatest.HandlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
					tries = append(tries, time.Since(start))
					if string(payload) != `{"id":"1"}` {
						t.Errorf("got payload %s", payload)
					}
					if len(tries) <= tc.failures {
						return nil, boom
					}
					return nil, nil
				})
				tc.opts.OnFailure = func(f lambdatest.AsyncFailure) { given = append(given, f) }
				err := lambdatest.NewAsync(tc.opts).Deliver(t.Context(), []byte(`{"id":"1"}`))
				if !slices.Equal(tries, tc.tries) {
					t.Errorf("got tries after %v, want %v", tries, tc.tries)
				}
				if (err != nil) != (tc.given != "") || err != nil && !errors.Is(err, boom) {
					t.Errorf("got error %v", err)
				}
				if tc.given == "" && len(given) > 0 || tc.given != "" && (len(given) != 1 || given[0].Condition != tc.given ||
					given[0].Attempts != len(tries) || !errors.Is(given[0].Err, boom)) {
					t.Errorf("got handed over %+v, want %q", given, tc.given)
				}
			})
		})
	}
}

// Ensure that the end of the context ends the waiting and gives nothing up.
func TestAsyncCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		a := lambdatest.NewAsync(lambdatest.AsyncOptions{
			Function:  lambdatest.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, errAny }),
			OnFailure: func(lambdatest.AsyncFailure) { t.Error("event was given up") },
		})
		err := a.Deliver(ctx, nil)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errAny) {
			t.Errorf("got %v, want both errors", err)
		}
	})
}

// Ensure that the end of the context does not call off the attempt that runs.
func TestAsyncCancelledDuringAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := lambdatest.NewAsync(lambdatest.AsyncOptions{Function: lambdatest.HandlerFunc(
			func(ctx context.Context, _ []byte) ([]byte, error) {
				time.Sleep(2 * time.Second)
				return nil, ctx.Err()
			})})
		if err := a.Deliver(ctx, nil); err != nil {
			t.Errorf("got %v, want success after the end of the context", err)
		}
	})
}

// Ensure that attempts time out and are then tried again.
func TestAsyncTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var runs atomic.Int32
		a := lambdatest.NewAsync(lambdatest.AsyncOptions{Attempts: 2, Function: lambdatest.HandlerFunc(
			func(ctx context.Context, _ []byte) ([]byte, error) {
				runs.Add(1)
				<-ctx.Done()
				return nil, nil // too late to be a success
			})})
		err := a.Deliver(t.Context(), nil)
		if !errors.Is(err, lambdatest.ErrTimeout) || runs.Load() != 2 || time.Since(start) != time.Minute+2*3*time.Second {
			t.Errorf("got %v after %d runs and %v, want two timeouts a minute apart", err, runs.Load(), time.Since(start))
		}
	})
}

// Ensure that options outside AWS's limits are found when the Async is made.
func TestNewAsyncPanics(t *testing.T) {
	for name, opts := range map[string]lambdatest.AsyncOptions{
		"no function":   {},
		"four attempts": {Function: respond(``), Attempts: 4},
		"no time":       {Function: respond(``), Timeout: -time.Second},
		"too young":     {Function: respond(``), MaximumEventAge: time.Second},
		"too old":       {Function: respond(``), MaximumEventAge: 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			lambdatest.NewAsync(opts)
		})
	}
}
