package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// wire is how a process reaches a server: the place where its requests meet
// faults, and where it is cut off when it dies.
type wire struct {
	p    *process
	side Side
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
}

var errLost = errors.New("sim: the connection is broken")

// Do sends one request, as the plan has it.
func (c *wire) Do(req *http.Request) (*http.Response, error) {
	w := c.p.w
	_, op, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	if c.p.isDead() {
		return nil, errDead
	}
	if err := req.Context().Err(); err != nil { // an HTTP client sends nothing then
		return nil, err
	}
	if w.plan.Hosts[c.p.host].Lambda && !c.p.outside && c.p.invoked.Load() == 0 && !c.p.abandoned.Load() {
		w.ledger.strange(c.p.name + " sends " + op + " between its invocations")
	}
	nth := 0
	if c.side == DynamoDB {
		nth = w.count(c.p.host, BeforeRequest)
		w.killAt(c.p, BeforeRequest, nth)
	}
	if !w.gate.pass(req.Context(), c.p.name+" "+op) {
		return nil, req.Context().Err()
	}
	if c.p.isDead() {
		return nil, errDead
	}
	f := w.faultOf(c.side, op)
	keys, members, err := contents(req)
	if err != nil {
		return nil, err
	}
	kind, bites := f.trouble(op, members, ms(w.plan.Lease))
	if c.side == DynamoDB && time.Now().UnixMilli() < c.p.cutUntil.Load() {
		f, kind, bites = Fault{Kind: Drop}, CutOff, true
	}
	if bites {
		w.ledger.fault(c.p, c.side, f, kind, op, keys)
	}
	if f.Kind == Late {
		return nil, c.late(req, ms(f.Ms))
	}
	resp, err := c.send(req, f)
	if c.side == DynamoDB {
		w.killAt(c.p, AfterRequest, nth)
	}
	if c.p.isDead() {
		return nil, errDead
	}
	return resp, err
}

var keyNames = regexp.MustCompile(`key-(\d{3})`)

// contents returns the keys that a request is about, and how many members it
// has: entries of a batch, statements, items of a transaction, keys to read.
func contents(req *http.Request) (keys []int, members int, err error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, 0, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	for _, name := range keyNames.FindAllSubmatch(body, -1) {
		key, _ := strconv.Atoi(string(name[1]))
		keys = append(keys, key)
	}
	var in struct {
		Entries, Statements, TransactItems []json.RawMessage
		RequestItems                       map[string]struct{ Keys []json.RawMessage }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, 0, err
	}
	members = len(in.Entries) + len(in.Statements) + len(in.TransactItems)
	for _, r := range in.RequestItems {
		members += len(r.Keys)
	}
	return keys, members, nil
}

// send hands a request to the server. That of a process that dies meanwhile
// arrives or not, as the plan says; its answer is nobody's.
func (c *wire) send(req *http.Request, f Fault) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
	defer cancel()
	defer context.AfterFunc(req.Context(), func() {
		if !c.p.isDead() || !c.p.w.plan.Linger {
			cancel()
		}
	})()
	return c.p.w.hand.over(f, func() (*http.Response, error) { return c.next.Do(req.WithContext(ctx)) })
}

// late lets a request arrive when its client has given it up.
func (c *wire) late(req *http.Request, after time.Duration) error {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	copied := req.Clone(context.WithoutCancel(req.Context()))
	copied.Body = io.NopCloser(bytes.NewReader(body))
	c.p.w.all.Go(func() {
		pass(after)
		if resp, err := c.p.w.hand.over(Fault{}, func() (*http.Response, error) { return c.next.Do(copied) }); err == nil {
			_ = resp.Body.Close()
		}
	})
	return errLost
}

// hand passes the fault of a request to the server's FaultFunc, which is
// called first of all by the request that was sent, and knows no sender.
type hand struct {
	mu   sync.Mutex // held from over until take
	next *handed
}

// handed is one request on its way.
type handed struct {
	fault    Fault
	taken    bool
	answered func() // if set, called when it is answered
}

func (h *hand) over(f Fault, send func() (*http.Response, error)) (*http.Response, error) {
	one := &handed{fault: f}
	h.mu.Lock()
	h.next = one
	resp, err := send()
	if !one.taken { // refused before it was looked at
		h.mu.Unlock()
	}
	if err == nil && one.answered != nil {
		one.answered()
	}
	return resp, err
}

// take is called by the server, in the goroutine of over.
func (h *hand) take() *handed {
	one := h.next
	one.taken = true
	h.mu.Unlock()
	return one
}

// direct is how the world itself reaches a server: no fault meets it.
type direct struct {
	w    *world
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
}

// Do sends one request.
func (d direct) Do(req *http.Request) (*http.Response, error) {
	return d.w.hand.over(Fault{}, func() (*http.Response, error) { return d.next.Do(req) })
}

// sqsAction is the fault in the words of the played SQS.
func (f Fault) sqsAction() (a sqstest.Action) {
	switch f.Kind {
	case Drop:
		a.DropRequest = true
	case DropAfter:
		a.DropResponse = true
	case Delay:
		a.Delay = ms(f.Ms)
	case DelayResponse:
		a.DelayResponse = ms(f.Ms)
	case Throttle:
		a.Err = &sqstest.Error{Code: "RequestThrottled"}
	case ServerError:
		a.Err = &sqstest.Error{Code: "InternalFailure"}
	case BadMD5:
		a.CorruptMD5 = true
	case Truncate:
		a.Truncate = true
	case Entries:
		a.FailEntries = map[int]*sqstest.Error{}
		f.masked(func(i int) { a.FailEntries[i] = &sqstest.Error{Code: "InternalError"} })
	case Late, Statements, Unprocessed, Hold:
	}
	return a
}

// ddbAction is the fault in the words of the played DynamoDB.
func (f Fault) ddbAction() (a ddbtest.Action) {
	switch f.Kind {
	case Drop:
		a.DropRequest = true
	case DropAfter:
		a.DropResponse = true
	case Delay:
		a.Delay = ms(f.Ms)
	case DelayResponse:
		a.DelayResponse = ms(f.Ms)
	case Throttle:
		a.Err = &ddbtest.Error{Code: "ThrottlingException"}
	case ServerError:
		a.Err = &ddbtest.Error{Code: "InternalServerError"}
	case Statements:
		a.FailStatements = map[int]*ddbtest.Error{}
		f.masked(func(i int) { a.FailStatements[i] = &ddbtest.Error{Code: "ThrottlingError"} })
	case Unprocessed:
		a.Unprocessed = map[int]bool{}
		f.masked(func(i int) { a.Unprocessed[i] = true })
	case Hold:
		a.Hold = ms(f.Ms)
	case Late, Entries, BadMD5, Truncate:
	}
	return a
}

func (f Fault) masked(each func(i int)) {
	for i := range 25 {
		if f.Mask&(1<<(i%8)) != 0 {
			each(i)
		}
	}
}
