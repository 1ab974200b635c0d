package dedupe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// ErrResultLost is returned for work that was finished before and whose result
// is not there: it was too large for its store, or a transaction completed the
// work without it. The work is not done again.
var ErrResultLost = errors.New("dedupe: finished before, and its result was not kept")

// Result is what work left behind for those who ask for it again.
type Result struct {
	// Data is what the handler set with [SetResult]; nil when it set nothing,
	// or when Lost.
	Data []byte

	// Replayed says that the work was finished before, or by a twin, and Data
	// is of that run.
	Replayed bool

	// Lost says that the result was too large for the store to keep.
	Lost bool
}

// SetResult keeps the result of the record whose handler was given ctx: it is
// stored with the completion and handed to every later duplicate. The last
// call counts. It reports false, and keeps nothing, when there is no guard, the
// handler has returned or [CompleteWith] was called, which takes the result
// along. The result must not be changed afterwards.
func SetResult(ctx context.Context, result []byte) bool {
	t, ok := ctx.Value(claimKey{}).(*Ticket)
	if !ok || t.s.g == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.is(running) || t.commit != untried {
		return false
	}
	t.result = Result{Data: result}
	return true
}

// Result returns what the work of a ticket left behind, once Settled was told
// that it is done. Others have it as well: it must not be changed.
func (t *Ticket) Result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}

// replay takes the result of a run that was not this ticket's.
func (t *Ticket) replay(data []byte, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result = Result{Data: data, Replayed: true, Lost: lost}
}

// Handle runs h for a single record under the guard, or returns what an
// earlier run left behind. It waits for a twin that runs in this process. On a
// nil Guard it runs h.
//
// The errors are those of the record: of h, [ErrInProgress] inside a
// [consumer.RetryError], [ErrParked], [*KeyError], [*MismatchError],
// [*StoreError], or the cause of ctx.
func (g *Guard) Handle(ctx context.Context, rec *consumer.Record, h consumer.Handler) (Result, error) {
	r, err := g.handle(ctx, rec, h, nil)
	if r.Replayed { // it is the store's, and that of twins
		r.Data = bytes.Clone(r.Data)
	}
	return r, err
}

// Do returns what f returns, and for every later call with the same key in
// this consumer what it returned the first time: f succeeds once. replayed
// says that f did not run. A call that comes while another one with its key
// runs waits for it in this process, and returns [ErrInProgress] inside a
// [consumer.RetryError] when it runs elsewhere.
//
// The key is used as it is, whatever Options.Key says, in a scope of its own:
// no record has it. A Fingerprint sees no body. T is stored as JSON, and f has
// failed when that cannot be; a result that was not kept is [ErrResultLost]
// for those who come later. On a nil Guard f runs each time.
func Do[T any](ctx context.Context, g *Guard, key string, f func(ctx context.Context) (T, error)) (v T, replayed bool, err error) {
	ran := false
	r, err := g.handle(ctx, &consumer.Record{ID: key}, consumer.HandlerFunc(func(ctx context.Context, _ *consumer.Record) error {
		got, err := f(ctx)
		if err != nil {
			return err
		}
		data, err := json.Marshal(got)
		if err != nil {
			return consumer.Permanent(fmt.Errorf("dedupe: result of %q: %w", key, err))
		}
		SetResult(ctx, data)
		v, ran = got, true
		return nil
	}), doKey)
	var zero T
	switch {
	case err != nil:
		return zero, false, err
	case ran && !r.Replayed:
		return v, false, nil
	case r.Lost, r.Data == nil: // JSON is never empty
		return zero, true, ErrResultLost
	}
	v = zero
	if err := json.Unmarshal(r.Data, &v); err != nil {
		return zero, true, fmt.Errorf("dedupe: stored result of %q: %w", key, err)
	}
	return v, true, nil
}

// doKey keeps what is done directly apart from records: a handler may call Do
// with the ID of its own record.
func doKey(w *KeyWriter, rec *consumer.Record) error {
	w.Scope("do")
	return ID(w, rec)
}
