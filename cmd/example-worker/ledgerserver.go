package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// ledgerServer is the ledger's HTTP side.
type ledgerServer struct {
	ledger *ledger
	kill   func() // ends the worker's process and returns when it is gone
	url    string
	server *http.Server
	served chan struct{} // closed when nothing is served any more
}

// ledgerLatency is how long the ledger takes for an answer: long enough for
// what happens at the same time to meet.
const ledgerLatency = 5 * time.Millisecond

// startLedger serves l on a free port of this machine until Close.
func startLedger(ctx context.Context, l *ledger, kill func()) (*ledgerServer, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &ledgerServer{ledger: l, kill: kill, url: "http://" + ln.Addr().String() + "/orders", served: make(chan struct{})}
	s.server = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(ln) // returns when close is called
	}()
	return s, nil
}

// close ends the server once its calls have ended, which they do when their
// caller is gone.
func (s *ledgerServer) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	<-s.served
}

// ServeHTTP takes one call.
func (s *ledgerServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	life, gone := s.ledger.life()
	key, fence, n, err := s.read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if !pause.For(r.Context(), ledgerLatency) {
		return
	}
	for {
		switch s.ledger.call(key, fence, n, life) {
		case answerDone:
			return
		case answerFail:
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		case answerStrike:
			s.kill()
			s.ledger.killed()
			panic(http.ErrAbortHandler)
		case answerCut:
			panic(http.ErrAbortHandler) // breaks the connection without a word
		case answerHold:
			select {
			case <-gone:
			case <-r.Context().Done():
				return
			}
		}
	}
}

// read returns what a call says.
func (s *ledgerServer) read(r *http.Request) (key string, fence int64, n int, err error) {
	var body struct {
		OrderID string `json:"order_id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return "", 0, 0, err
	}
	n, ok := orderNumber(body.OrderID)
	if !ok || n >= len(s.ledger.orders) {
		return "", 0, 0, errors.New("no such order")
	}
	key = r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", 0, 0, errors.New("no Idempotency-Key")
	}
	fence, err = strconv.ParseInt(r.Header.Get("Fencing-Token"), 10, 64)
	return key, fence, n, err
}
