package batch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Wiring mistakes panic where they are made.
func TestNewPanics(t *testing.T) {
	mistakes := map[string]func(){
		"batch: New needs a handler":               func() { batch.New(nil, nil, batch.Options{}) },
		"batch: New: negative Options.Concurrency": func() { batch.New(nil, takes(0), batch.Options{Concurrency: -1}) },
		"batch: New: negative Options.Reserve":     func() { batch.New(nil, takes(0), batch.Options{Reserve: -1}) },
	}
	for want, mistake := range mistakes {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got panic %v, want %q", got, want)
				}
			}()
			mistake()
		}()
	}
}

// A batch without records yields nothing, and is no batch to its observer.
func TestNoRecords(t *testing.T) {
	p := batch.New(nil, takes(0), batch.Options{Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
		t.Errorf("told of %v", e)
	})})
	for rec := range p.Process(t.Context(), nil) {
		t.Errorf("got %v", rec)
	}
}

// The observer is told once of each batch, when all of it has an outcome, and
// before that why each of its records failed.
func TestBatchDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told []consumer.BatchDone
		failed := map[string]error{}
		p := batch.New(guard(newStore(0)), consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			time.Sleep(time.Second)
			if rec.ID == "a1" {
				return errHandler
			}
			return nil
		}), batch.Options{Observer: consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			switch e := e.(type) {
			case consumer.BatchDone:
				told = append(told, e)
			case consumer.Failed:
				failed[e.Record.ID] = e.Err
			}
		})})
		recs := fifo("a1", "a2", "a3", "b1", "c1", "x", "b1")
		recs[5] = &consumer.Record{} // without a key
		process(t.Context(), t, p, recs)
		want := consumer.BatchDone{Records: 7, Done: 3, Failed: 4, Took: time.Second}
		if len(told) != 1 {
			t.Fatalf("told %d times, want once", len(told))
		}
		if got := told[0]; got.Took < want.Took || got.Took > want.Took+10*time.Millisecond {
			t.Errorf("took %v, want %v", got.Took, want.Took)
		}
		for id, want := range map[string]error{"a1": errHandler, "a2": batch.ErrGroupFailed, "a3": batch.ErrGroupFailed, "": dedupe.ErrNoKey} {
			if !errors.Is(failed[id], want) || len(failed) != 4 {
				t.Errorf("told that %q failed with %v, want %v; of %d in all", id, failed[id], want, len(failed))
			}
		}
		told[0].Took = want.Took
		if told[0] != want {
			t.Errorf("got %+v, want %+v", told[0], want)
		}
	})
}
