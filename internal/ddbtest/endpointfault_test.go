package ddbtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
)

// completes tells whether a request writes a completion.
func completes(req awsproxy.Request) bool { return bytes.Contains(req.Input, []byte(`"COMPLETED"`)) }

// A claim whose response was lost runs once and is not reported, be it that
// the SDK asks again or, after all its tries were in vain, the guard.
func TestEndpointClaimResponseLost(t *testing.T) {
	for _, c := range []struct{ records, lost int }{{10, 1}, {10, 3}, {1, 1}, {1, 3}} {
		t.Run(fmt.Sprint(c.records, " records, ", c.lost, " responses"), func(t *testing.T) {
			overTCP(t, func(r *remote) {
				r.Reset()
				r.Fault(func(req awsproxy.Request) awsproxy.Action {
					return awsproxy.Action{DropResponse: req.Number <= c.lost && writes(req)}
				})
				all := ids(0, c.records)
				r.done(r.deliver(worker{guard: dedupe.Options{Lease: forever}}, all...))
				r.runs(1, all...)
				r.wantRows(row{"COMPLETED", "1", "0"}, all...)
				claims := 0
				for _, req := range r.Requests() {
					if writes(req) && !completes(req) {
						claims++
					}
				}
				if claims <= c.lost {
					r.Errorf("%d requests %v with claims, want more than the %d that lost their response", claims, r.operations(), c.lost)
				}
				r.done(r.deliver(worker{}, all...))
				r.runs(1, all...)
			})
		})
	}
}

// writes tells whether a request is one of a store's two writes.
func writes(req awsproxy.Request) bool {
	return req.Op == "BatchExecuteStatement" || req.Op == "PutItem"
}

// A completion whose response was lost costs nothing: its record is not
// reported, not run again, and its row is as it would have been.
func TestEndpointCompletionResponseLost(t *testing.T) {
	for _, n := range []int{10, 1} {
		t.Run(fmt.Sprint(n, " records"), func(t *testing.T) {
			overTCP(t, func(r *remote) {
				var lost atomic.Int32
				r.Fault(func(req awsproxy.Request) awsproxy.Action {
					// All tries of the SDK, and one of the guard's.
					return awsproxy.Action{DropResponse: completes(req) && lost.Add(1) <= 4}
				})
				all := ids(0, n)
				r.done(r.deliver(worker{guard: dedupe.Options{Lease: forever}}, all...))
				if lost.Load() < 4 {
					r.Errorf("%d completions at the proxy, want the four that lost their response", lost.Load())
				}
				before := r.wantRows(row{"COMPLETED", "1", "0"}, all...)
				r.done(r.deliver(worker{}, all...))
				r.runs(1, all...)
				if after := r.rows(); !reflect.DeepEqual(after, before) {
					r.Errorf("the redelivery changed %v to %v", before, after)
				}
			})
		})
	}
}

// A completion that cannot be written is tried again, then its record is
// reported and not released: nobody else may run it while the lease lives.
func TestEndpointCompletionNeverWritten(t *testing.T) {
	for name, act := range map[string]awsproxy.Action{
		"lost":      {DropRequest: true},
		"broken":    {Err: awsproxy.Broken()},
		"throttled": {Err: awsproxy.Throttled()},
	} {
		t.Run(name, func(t *testing.T) {
			overTCP(t, func(r *remote) {
				var tries atomic.Int32
				r.Fault(func(req awsproxy.Request) awsproxy.Action {
					if !completes(req) {
						return awsproxy.Action{}
					}
					if req.Attempt == 1 { // of the SDK
						tries.Add(1)
					}
					return act
				})
				all := ids(0, 10)
				out := r.deliver(worker{guard: dedupe.Options{Lease: forever, SettleTimeout: 2 * time.Second}}, all...)
				for _, id := range all {
					e, ok := errors.AsType[*dedupe.StoreError](out[id])
					if !ok || e.Op != dedupe.OpComplete {
						r.Errorf("%s: %v, want a StoreError of the completion", id, out[id])
					}
				}
				if tries.Load() < 2 {
					r.Errorf("%d tries to write it, want several", tries.Load())
				}
				r.mended()
				r.runs(1, all...)
				before := r.wantRows(row{"PROCESSING", "1", "0"}, all...)
				for id, err := range r.deliver(worker{}, all...) {
					if !errors.Is(err, dedupe.ErrInProgress) {
						r.Errorf("redelivered %s: %v, want ErrInProgress", id, err)
					}
				}
				r.runs(1, all...)
				if after := r.rows(); !reflect.DeepEqual(after, before) {
					r.Errorf("the redelivery changed %v to %v", before, after)
				}
			})
		})
	}
}

// A throttled claim fails its record alone; the others of its request run, and
// a redelivery runs it and nothing else.
func TestEndpointThrottledClaim(t *testing.T) {
	overTCP(t, func(r *remote) {
		r.Fault(func(req awsproxy.Request) awsproxy.Action {
			switch {
			case !writes(req) || !bytes.Contains(req.Input, []byte(`record-3"`)):
				return awsproxy.Action{}
			case req.Op == "PutItem":
				return awsproxy.Action{Err: awsproxy.Throttled()}
			}
			return awsproxy.Action{Exchange: throttleStatement(`record-3"`)}
		})
		all := ids(0, 10)
		others := slices.DeleteFunc(ids(0, 10), func(id string) bool { return id == "record-3" })
		out := r.deliver(worker{guard: dedupe.Options{Lease: forever}}, all...)
		if got := failed(out); !slices.Equal(got, []string{"record-3"}) {
			r.Errorf("%v failed, want record-3 alone", got)
		}
		if e, ok := errors.AsType[*dedupe.StoreError](out["record-3"]); !ok || e.Op != dedupe.OpClaim {
			r.Errorf("record-3: %v, want a StoreError of the claim", out["record-3"])
		}
		r.mended()
		r.runs(0, "record-3")
		r.runs(1, others...)
		before := r.wantRows(row{"COMPLETED", "1", "0"}, others...)
		r.done(r.deliver(worker{}, all...))
		r.runs(1, all...)
		after := r.wantRows(row{"COMPLETED", "1", "0"}, all...)
		delete(after, "record-3")
		if !reflect.DeepEqual(after, before) {
			r.Errorf("the redelivery changed %v to %v", before, after)
		}
	})
}

// throttleStatement is an exchange in which the statement of a batch that
// contains text is throttled: the others are forwarded without it.
func throttleStatement(text string) func([]byte, func([]byte) ([]byte, error)) ([]byte, error) {
	return func(body []byte, forward func([]byte) ([]byte, error)) ([]byte, error) {
		var in, out map[string]json.RawMessage
		var statements, responses []json.RawMessage
		if err := errors.Join(json.Unmarshal(body, &in), json.Unmarshal(in["Statements"], &statements)); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(statements, func(s json.RawMessage) bool { return bytes.Contains(s, []byte(text)) })
		in["Statements"], _ = json.Marshal(slices.Delete(statements, i, i+1))
		body, _ = json.Marshal(in)
		got, err := forward(body)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(json.Unmarshal(got, &out), json.Unmarshal(out["Responses"], &responses)); err != nil {
			return nil, err
		}
		responses = slices.Insert(responses, i, json.RawMessage(`{"Error":{"Code":"ThrottlingError","Message":"Rate exceeded"}}`))
		out["Responses"], _ = json.Marshal(responses)
		return json.Marshal(out)
	}
}

// A store that is down runs nothing, fails every record and keeps nothing;
// when it is back, each record runs once.
func TestEndpointStoreDown(t *testing.T) {
	always := func(a awsproxy.Action) func(*remote) {
		return func(r *remote) { r.Fault(func(awsproxy.Request) awsproxy.Action { return a }) }
	}
	for name, fail := range map[string]func(*remote){
		"refuses connections": func(r *remote) { r.Down() },
		"never answers":       always(awsproxy.Action{DropRequest: true, Delay: time.Second}),
		"breaks connections":  always(awsproxy.Action{DropRequest: true}),
		"answers 500":         always(awsproxy.Action{Err: awsproxy.Broken()}),
		"throttles":           always(awsproxy.Action{Err: awsproxy.Throttled()}),
	} {
		t.Run(name, func(t *testing.T) {
			overTCP(t, func(r *remote) {
				fail(r)
				all := ids(0, 10)
				out := r.deliver(worker{store: dynamodedupe.Options{Timeout: 300 * time.Millisecond}}, all...)
				for _, id := range all {
					e, ok := errors.AsType[*dedupe.StoreError](out[id])
					if !ok || e.Op != dedupe.OpClaim {
						r.Errorf("%s: %v, want a StoreError of the claim", id, out[id])
					}
				}
				r.mended()
				r.runs(0, all...)
				r.wantRows(row{})
				r.done(r.deliver(worker{}, all...))
				r.runs(1, all...)
				r.wantRows(row{"COMPLETED", "1", "0"}, all...)
			})
		})
	}
}

// A worker that comes back after a takeover changes nothing, whether it then
// succeeds or fails and whether the other one is through or not, and neither
// do its extends that the network kept until then.
func TestEndpointBackAfterTakeover(t *testing.T) {
	errWork := errors.New("the work failed")
	for _, c := range []struct {
		name          string
		fails, behind bool  // the first worker fails; the second is not through yet
		want          error // of the first worker
	}{
		{name: "succeeds after"},
		{name: "fails after", fails: true, want: errWork},
		{name: "succeeds between", behind: true, want: dedupe.ErrLeaseLost},
		{name: "fails between", fails: true, behind: true, want: errWork},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			overTCP(t, func(r *remote) {
				back, cut := make(chan struct{}), make(chan struct{})
				var once sync.Once
				r.Fault(func(req awsproxy.Request) awsproxy.Action {
					select {
					case <-cut: // the handler runs: whatever comes is kept on the way
						<-back
						return awsproxy.Action{Late: true}
					default:
						return awsproxy.Action{}
					}
				})
				first := worker{guard: dedupe.Options{Lease: 3 * time.Second}, handler: func(*consumer.Record) error {
					once.Do(func() { close(cut) })
					<-back
					if c.fails {
						return errWork
					}
					return nil
				}}
				ended := make(chan map[string]error, 1)
				go func() { ended <- r.deliver(first, "record-0") }()
				<-cut
				claimed := r.wantRows(row{"PROCESSING", "1", "0"}, "record-0")["record-0"]

				second := worker{client: r.client(r.proxy().URL()), guard: dedupe.Options{Lease: forever}}
				tookOver, finish := make(chan struct{}), make(chan struct{})
				second.handler = func(*consumer.Record) error {
					close(tookOver)
					<-finish
					return nil
				}
				over := make(chan error, 1)
				go func() { over <- r.untilTaken(second) }()
				<-tookOver
				if !c.behind {
					close(finish)
					if err := <-over; err != nil {
						r.Errorf("second worker: %v", err)
					}
				}
				before := r.rows()["record-0"]
				if before.text("owner") == claimed.text("owner") || before.text("claims") != "2" {
					r.Errorf("row %v after %v, want another owner and the second claim", before, claimed)
				}

				close(back)
				if err := (<-ended)["record-0"]; !errors.Is(err, c.want) {
					r.Errorf("first worker: %v, want %v", err, c.want)
				}
				if err := r.Close(); err != nil { // what was kept has arrived
					r.Error(err)
				}
				if after := r.rows()["record-0"]; !reflect.DeepEqual(after, before) {
					r.Errorf("the first worker changed %v to %v", before, after)
				}
				if c.behind {
					close(finish)
					if err := <-over; err != nil {
						r.Errorf("second worker: %v", err)
					}
				}
				r.wantRows(row{"COMPLETED", "2", "0"}, "record-0")
				r.runs(2, "record-0")
			})
		})
	}
}

// untilTaken delivers record-0 to a worker until it is not in progress
// elsewhere any more, each time when it is told to come again.
func (r *remote) untilTaken(w worker) error {
	for {
		err := r.deliver(w, "record-0")["record-0"]
		again, ok := errors.AsType[*consumer.RetryError](err)
		if !ok || r.Context().Err() != nil {
			return err
		}
		select {
		case <-time.After(again.After):
		case <-r.Context().Done():
		}
	}
}
