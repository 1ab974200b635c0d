package httpsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
)

// ReplayedHeader is "true" in a response that another request with the same
// key has made.
const ReplayedHeader = "Idempotency-Replayed"

// errLost says that a finished request left no response.
var errLost = errors.New("httpsource: finished before, and the response was not kept")

// Once returns a handler that runs h once for each Idempotency-Key, and
// answers later requests with that key with the response of the first. A nil
// guard guards nothing: every request runs, with the same checks. Once panics
// when h is nil, an option is negative or more than one Options is given.
//
// The key and the fingerprint of a request stand in for those of the guard's
// options. A record has the key as its ID, the scope as its Group, method and
// path as its Type, and the request as its Raw.
func Once(guard *dedupe.Guard, h http.Handler, opts ...Options) http.Handler {
	return &once{guard: guard, next: h, o: only(h, opts)}
}

// once is safe for concurrent use.
type once struct {
	guard *dedupe.Guard
	next  http.Handler
	o     Options
}

// ServeHTTP answers one request.
func (m *once) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(m.o.Methods, r.Method) {
		m.next.ServeHTTP(w, r)
		return
	}
	key, err := keyOf(r.Header)
	if errors.Is(err, errNoKey) && m.o.Optional {
		m.next.ServeHTTP(w, r)
		return
	}
	x, refused := m.read(w, r, key, err)
	if refused != nil {
		refused.write(w)
		return
	}
	x.run(w) //nolint:contextcheck // what it owes the store outlives the request, on purpose
}

// read makes an exchange of a request, or says why it cannot. keyErr is what
// is wrong with the key.
func (m *once) read(w http.ResponseWriter, r *http.Request, key string, keyErr error) (*exchange, *problem) {
	switch {
	case errors.Is(keyErr, errNoKey):
		return nil, &problem{ProblemNoKey, "The key is missing", http.StatusBadRequest,
			"This operation needs the header " + KeyHeader + " with a key that is new for each request, such as a UUID.", 0}
	case keyErr != nil:
		return nil, &problem{ProblemBadKey, "The key is malformed", http.StatusBadRequest,
			keyErr.Error() + fmt.Sprintf("; send one %s of 1 to %d characters, such as \"8e03978e-40d5-43e8-bc93-6894a57f9324\"", KeyHeader, maxKey), 0}
	}
	x := &exchange{once: m, in: r, rec: consumer.Record{ID: key, Type: r.Method + " " + r.URL.Path, Raw: r}}
	if m.o.Scope != nil {
		scope, err := m.o.Scope(r)
		if err != nil || scope == "" {
			return nil, &problem{ProblemScope, "Nobody's key", http.StatusForbidden,
				"It cannot be told whose request this is.", 0}
		}
		x.rec.Group = scope
	}
	body, refused := readBody(w, r, m.o.MaxBody)
	x.rec.Body = body
	return x, refused
}

// trusted is how much memory a request gets for the mere promise of a body.
const trusted = 64 << 10

// readBody reads all of a body, or says why it cannot.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, *problem) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		if r.Header.Get("Expect") == "" { // else the client waits for the answer
			drain(body)
		}
		return nil, tooLarge(most)
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, trusted)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(w, body, most))
	if _, limit := errors.AsType[*http.MaxBytesError](err); limit {
		drain(body)
		return nil, tooLarge(most)
	}
	if err != nil {
		return nil, &problem{ProblemBody, "The body could not be read", http.StatusBadRequest,
			"It did not arrive as a whole. Send the request with the same key again.", 0}
	}
	return b.Bytes(), nil
}

// drain reads some of a body that is not wanted: many clients read no answer
// before they have sent everything, and would find the connection broken.
func drain(body io.Reader) {
	_, _ = io.CopyN(io.Discard, body, 8<<20)
}

func tooLarge(most int64) *problem {
	return &problem{ProblemTooLarge, "The body is too large", http.StatusRequestEntityTooLarge,
		fmt.Sprintf("A body can have at most %d bytes.", most), 0}
}

// exchange is one request on its way through a guard.
type exchange struct {
	*once
	in   *http.Request
	rec  consumer.Record
	mine *httpbuf.Response // of this request's own run
}

// run brings the exchange to its end and answers.
func (x *exchange) run(w http.ResponseWriter) {
	ctx, cancel := x.context()
	defer cancel()
	deadline, _ := ctx.Deadline()
	outcome := make(chan error, 1)
	again := make(chan struct{}, 1)
	s := x.guard.Session(ctx, dedupe.SessionOptions{
		Settled:     func(_ *dedupe.Ticket, err error) { outcome <- err },
		Again:       func(*dedupe.Ticket) { again <- struct{}{} },
		Deadline:    deadline,
		Key:         x.key,
		Fingerprint: x.fingerprint,
		NoFollow:    !x.o.Wait,
	})
	defer s.Close()
	t := &s.Admit([]*consumer.Record{&x.rec}, 0)[0]
	left, ended := x.in.Context().Done(), ctx.Done()
	for {
		if t.Ready() {
			x.try(s, t)
		}
		select { // only waiting for a twin can be cut short
		case err := <-outcome:
			x.answer(w, t, err)
			return
		case <-again:
			s.Readmit(t)
		case <-left:
			t.Skip(context.Cause(x.in.Context()))
			left = nil
		case <-ended:
			t.Skip(context.Cause(ctx))
			ended = nil
		}
	}
}

// try runs the handler and settles its ticket, even when the handler ends the
// goroutine.
func (x *exchange) try(s *dedupe.Session, t *dedupe.Ticket) {
	s.Enter()
	defer s.Leave()
	t.Settle(t.Handle(consumer.HandlerFunc(x.handle)))
}

// context is that of the handler: without the end of the client's connection,
// but with the deadline of whoever set one.
func (x *exchange) context() (context.Context, context.CancelFunc) {
	in := x.in.Context()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(in), x.o.Timeout, &consumer.TimeoutError{After: x.o.Timeout})
	if deadline, ok := in.Deadline(); ok {
		sooner, stop := context.WithDeadline(ctx, deadline)
		return sooner, func() { stop(); cancel() }
	}
	return ctx, cancel
}

// key writes the key of a request: never that of a record from elsewhere.
func (x *exchange) key(w *dedupe.KeyWriter, rec *consumer.Record) error {
	w.Scope("http")
	if rec.Group != "" {
		w.String(rec.Group)
	}
	w.String(rec.ID)
	return nil
}

func (x *exchange) fingerprint(rec *consumer.Record) (string, error) {
	return fingerprint(x.in, rec.Group, rec.Body), nil
}

// handle runs the handler and keeps its response.
func (x *exchange) handle(ctx context.Context, rec *consumer.Record) error {
	in := x.in.WithContext(ctx)
	in.Body = io.NopCloser(bytes.NewReader(rec.Body))
	in.ContentLength = int64(len(rec.Body))
	in.TransferEncoding = nil
	out := httpbuf.NewWriter()
	x.next.ServeHTTP(out, in)
	response := out.Response()
	x.mine = response
	if !x.o.Keep(response.Status) {
		return &notKept{response}
	}
	kept := *response
	kept.Header = lasting(response.Header)
	dedupe.SetResult(ctx, encode(&kept, x.o.MaxResponse))
	return nil
}

// notKept is the failure of a handler whose response does not end the work.
type notKept struct{ response *httpbuf.Response }

func (e *notKept) Error() string {
	return "httpsource: answered " + strconv.Itoa(e.response.Status) + " " + http.StatusText(e.response.Status)
}

// answer sends what became of the request.
func (x *exchange) answer(w http.ResponseWriter, t *dedupe.Ticket, err error) {
	result := t.Result()
	if err == nil && (x.mine == nil || result.Replayed) {
		var stored *httpbuf.Response
		if stored, err = storedOf(result); err == nil {
			send(w, stored, true)
			return
		}
	}
	if err == nil {
		send(w, x.mine, false)
		return
	}
	if o := x.guard.Observer(); o != nil {
		o.Observe(x.in.Context(), consumer.Failed{Record: &x.rec, Err: err})
	}
	if own, ok := errors.AsType[*notKept](err); ok {
		if t.Ran() {
			send(w, own.response, false)
			return
		}
		twin := *own.response
		twin.Header = lasting(twin.Header) // nobody else's cookies
		send(w, &twin, true)
		return
	}
	if p, ok := errors.AsType[*consumer.PanicError](err); ok && p.Value == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(http.ErrAbortHandler) // the handler wants no answer
	}
	if errors.Is(err, errLost) {
		w.Header().Set(ReplayedHeader, "true")
	}
	problemOf(err).write(w)
	_ = http.NewResponseController(w).Flush() // the session may have to wait for a store that hangs
}

// storedOf returns the response of an earlier run.
func storedOf(result dedupe.Result) (*httpbuf.Response, error) {
	if result.Data == nil { // too large for the store, or completed in a transaction of the handler's
		return nil, errLost
	}
	return decode(result.Data)
}

// send sends a whole response. What others set in the header before stays,
// where the response says nothing else.
func send(w http.ResponseWriter, r *httpbuf.Response, replayed bool) {
	h := w.Header()
	for name, values := range r.Header {
		h[name] = slices.Clone(values) // twins share the response
	}
	h.Del(ReplayedHeader)
	if replayed {
		h.Set(ReplayedHeader, "true")
	}
	if httpbuf.BodyAllowed(r.Status) {
		h.Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	w.WriteHeader(r.Status)
	if len(r.Body) > 0 {
		_, _ = w.Write(r.Body) // a client that left will ask again
	}
}
