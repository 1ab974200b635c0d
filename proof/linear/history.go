package linear

import (
	"context"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// input is an operation, and between which times the store decided it.
type input struct {
	op       dedupe.Op
	from, to dedupe.Millis
}

// output is what its caller heard.
type output struct {
	unknown bool
	verdict dedupe.Verdict
}

// History is what callers did and heard. It is safe for concurrent use.
type History struct {
	// Losses are the answers that the store itself did not hear. Defaults to
	// none.
	Losses *Losses

	// Copies allows each operation one earlier copy, where the losses are not
	// known. Defaults to false.
	Copies bool

	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// NewHistory returns a History that begins now.
func NewHistory() *History { return &History{began: time.Now()} }

// Apply has s apply ops, for that caller, and notes what it hears.
func (h *History) Apply(ctx context.Context, caller int, s dedupe.Store, ops []dedupe.Op) []dedupe.Verdict {
	call := time.Now()
	verdicts, err := s.Apply(ctx, ops)
	answer := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, op := range ops {
		o := porcupine.Operation{
			ClientId: caller,
			Input:    &input{op: op, from: dedupe.MillisOf(call), to: dedupe.MillisOf(answer)},
			Output:   &output{unknown: true},
			Call:     int64(call.Sub(h.began)),
			Return:   int64(answer.Sub(h.began)),
		}
		if h.Copies {
			h.ops = append(h.ops, o)
		}
		for range h.Losses.between(op.Key, call, answer) {
			h.ops = append(h.ops, o) // an earlier copy of it
		}
		if err == nil && verdicts[i].Outcome != dedupe.Undecided {
			o.Output = &output{verdict: verdicts[i]}
		} else {
			o.Return = never
		}
		h.ops = append(h.ops, o)
	}
	return verdicts
}

// Losses are answers that were lost between a store and its server. A store
// that sends its request again may have applied an operation more than once:
// a copy for each answer lost during the call. A nil *Losses has none.
type Losses struct {
	mu    sync.Mutex
	times map[dedupe.Key][]time.Time
}

// Note notes that an answer about that key is lost.
func (l *Losses) Note(key dedupe.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times = make(map[dedupe.Key][]time.Time)
	}
	l.times[key] = append(l.times[key], time.Now())
}

// between returns how many were lost about key from call to answer.
func (l *Losses) between(key dedupe.Key, call, answer time.Time) (n int) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.times[key] {
		if t.After(call) && t.Before(answer) {
			n++
		}
	}
	return n
}

const never = int64(1) << 62

// Result says what a check found.
type Result struct {
	// Keys are those with a history that some order explains, Operations those
	// of these histories, Unknown the ones of them whose outcome nobody heard.
	Keys, Operations, Unknown int

	// Illegal is a key whose history no order explains, and Open one for which
	// the time did not suffice to tell; empty when there is none.
	Illegal, Open dedupe.Key

	// History is that key's.
	History []string
}

// Check looks for an order that explains the history, key by key.
func (h *History) Check(timeout time.Duration) (r Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	byKey, unknown := map[dedupe.Key][]porcupine.Operation{}, map[dedupe.Key]int{}
	end := dedupe.MillisOf(time.Now())
	for _, o := range h.ops {
		in, out := as[*input](o.Input), as[*output](o.Output)
		if o.Return == never {
			in.to = end
		}
		if out.unknown {
			unknown[in.op.Key]++
		}
		byKey[in.op.Key] = append(byKey[in.op.Key], o)
	}
	for key, ops := range byKey {
		switch porcupine.CheckOperationsTimeout(spec(ops), ops, timeout) {
		case porcupine.Ok:
			r.Keys++
			r.Operations += len(ops)
			r.Unknown += unknown[key]
			continue
		case porcupine.Illegal:
			r.Illegal = key
		case porcupine.Unknown:
			r.Open = key
		}
		r.History = describe(ops)
	}
	return r
}
