package awsproxy

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/onlyonce-go/onlyonce/internal/memhttp"
)

// Proxy is a proxy in front of one server. It is safe for concurrent use.
type Proxy struct {
	target string
	url    string
	server *http.Server
	client *http.Transport
	gate   *gate
	end    context.CancelFunc // of all requests but late ones
	served chan struct{}      // closed when server has ended
	serve  error              // of Serve, once served is closed

	// mu guards all fields below. It is never held while a request waits, nor
	// while a caller's function runs.
	mu       sync.Mutex
	fault    FaultFunc
	requests []Request
	counts   map[string]int
	flying   int
	most     int
	closed   bool
	handlers sync.WaitGroup // added to with mu held, before closed
}

// Start starts a proxy on a free port of 127.0.0.1 in front of the server at
// target, a URL without a path. It returns an error when no port can be had.
// End it with [Proxy.Close].
func Start(target string) (*Proxy, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	p := &Proxy{
		target: strings.TrimSuffix(target, "/"),
		url:    "http://" + ln.Addr().String(),
		// A connection for each request: none can be closed by the server in
		// the moment in which it is used again.
		client: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		gate:   &gate{Listener: ln, open: map[net.Conn]struct{}{}},
		end:    end,
		served: make(chan struct{}),
		counts: map[string]int{},
	}
	p.server = &http.Server{
		Handler:     http.HandlerFunc(p.serveHTTP),
		BaseContext: func(net.Listener) context.Context { return life },
	}
	go func() {
		defer close(p.served)
		if err := p.server.Serve(p.gate); !errors.Is(err, http.ErrServerClosed) {
			p.serve = err
		}
	}()
	return p, nil
}

// URL is where clients find the proxy.
func (p *Proxy) URL() string { return p.url }

// Fault installs f for the requests that follow, in the place of an earlier
// one; nil removes it.
func (p *Proxy) Fault(f FaultFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Down breaks all connections and refuses new ones, until [Proxy.Up].
func (p *Proxy) Down() { p.gate.shut(true) }

// Up ends a Down.
func (p *Proxy) Up() { p.gate.shut(false) }

// Requests returns the requests since the last Reset, retries included, in
// the order they came.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// MostInFlight returns how many requests were in flight at once at most, since
// the last Reset.
func (p *Proxy) MostInFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// Reset forgets what Requests, MostInFlight and Request.Number tell.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.most, p.counts = nil, p.flying, map[string]int{}
}

// Close ends the proxy: it breaks the connections and waits for what is under
// way, for what a [FaultFunc] holds and until what is late has arrived. The
// error is that of the listener, if it had one.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	err := p.server.Close()
	<-p.served
	p.handlers.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil // closed before
	}
	return errors.Join(p.serve, err)
}

func (p *Proxy) serveHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req, fault, ok := p.enter(r, body)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer p.handlers.Done()
	a := p.handle(r, req, fault)
	if a == nil {
		panic(http.ErrAbortHandler) // the one way net/http has to break a connection
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone misses nothing
}

// enter counts a request in, unless the proxy is closed.
func (p *Proxy) enter(r *http.Request, body []byte) (Request, FaultFunc, bool) {
	target := r.Header.Get("X-Amz-Target")
	req := Request{Op: target[strings.LastIndexByte(target, '.')+1:], Input: body}
	if _, after, ok := strings.Cut(r.Header.Get("Amz-Sdk-Request"), "attempt="); ok {
		n, _, _ := strings.Cut(after, ";")
		req.Attempt, _ = strconv.Atoi(n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return req, nil, false
	}
	p.handlers.Add(1)
	p.counts[req.Op]++
	req.Number = p.counts[req.Op]
	p.requests = append(p.requests, req)
	p.flying++
	p.most = max(p.most, p.flying)
	return req, p.fault, true
}

// handle lets happen to a request what is to happen, and counts it out. No
// answer means that its connection is to be broken.
func (p *Proxy) handle(r *http.Request, req Request, fault FaultFunc) (a *answer) {
	defer func() {
		p.mu.Lock()
		p.flying--
		p.mu.Unlock()
	}()
	var act Action
	if fault != nil {
		act = fault(req)
	}
	ctx := r.Context()
	if act.Late {
		ctx = context.WithoutCancel(ctx)
	}
	memhttp.Wait(ctx, act.Delay)
	switch {
	case act.DropRequest:
		return nil
	case act.Err != nil:
		a = act.Err.answer()
	default:
		a = p.exchange(ctx, r, act, req.Input)
	}
	memhttp.Wait(ctx, act.DelayResponse)
	if act.DropResponse {
		return nil
	}
	return a
}

// exchange forwards a request and returns the server's answer.
func (p *Proxy) exchange(ctx context.Context, r *http.Request, act Action, body []byte) *answer {
	if act.Exchange == nil {
		a, err := p.forward(ctx, r, body)
		if err != nil {
			return unreachable(err)
		}
		return a
	}
	last := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {r.Header.Get("Content-Type")}}}
	changed, err := act.Exchange(body, func(body []byte) ([]byte, error) {
		a, err := p.forward(ctx, r, body)
		if err != nil {
			return nil, err
		}
		last = a
		return a.body, nil
	})
	if err != nil {
		return unreachable(err)
	}
	last.body = changed
	if last.header.Get("X-Amz-Crc32") != "" { // the SDK's client checks it
		last.header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(changed)), 10))
	}
	return last
}

// unreachable is the answer when there is none of the server.
func unreachable(err error) *answer {
	return (&Error{Code: "BadGateway", Message: "awsproxy: " + err.Error(), Status: http.StatusBadGateway}).answer()
}

// forward sends the request on, with this body, under the host that its client
// sees and signed.
func (p *Proxy) forward(ctx context.Context, r *http.Request, body []byte) (*answer, error) {
	out, err := http.NewRequestWithContext(ctx, r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header, out.Host = r.Header.Clone(), r.Host
	for _, ours := range []string{"Connection", "Expect"} {
		out.Header.Del(ours)
	}
	resp, err := p.client.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	for _, theirs := range []string{"Connection", "Transfer-Encoding"} {
		resp.Header.Del(theirs)
	}
	return &answer{resp.StatusCode, resp.Header, got}, nil
}
