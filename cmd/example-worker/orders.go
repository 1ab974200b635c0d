package main

import (
	"encoding/json"
	"io"
	"net/http"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
)

// newOrders returns what serves POST /orders.
func newOrders(s settings, guard *dedupe.Guard, log *zap.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /orders", httpsource.Once(guard, &orderHandler{work: s.work(log), slots: make(chan struct{}, s.concurrency)}))
	mux.HandleFunc("/orders", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "Use POST.")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "There is nothing but POST /orders.")
	})
	return mux
}

// orderHandler does the work that a request asks for.
type orderHandler struct {
	work  consumer.Handler
	slots chan struct{} // one is held while the work runs
}

// ServeHTTP answers 201 when the work is done. What it answers otherwise says
// whether it may be tried again: httpsource keeps a 422 and no 5xx.
func (o *orderHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // it is in memory already
	if err != nil {
		problem(w, http.StatusInternalServerError, "The body could not be read.")
		return
	}
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-r.Context().Done():
		problem(w, http.StatusServiceUnavailable, "There was no time left for the work. Send the request with the same key again.")
		return
	}
	err = o.work.HandleRecord(r.Context(), &consumer.Record{ID: r.Header.Get(httpsource.KeyHeader), Type: "POST /orders", Body: body})
	switch {
	case consumer.IsPermanent(err):
		problem(w, http.StatusUnprocessableEntity, "The work was refused for good. Send another order with a new key.")
		return
	case err != nil:
		problem(w, http.StatusBadGateway, "The work failed. Send the request with the same key again.")
		return
	}
	c, _ := dedupe.FromContext(r.Context())
	reply(w, "application/json", http.StatusCreated, struct {
		Status string `json:"status"`
		Fence  int64  `json:"fence"` // of the run that did the work: a replay has the same
	}{"done", c.Fence})
}

// problem answers with an error, as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, detail string) {
	reply(w, "application/problem+json", status, struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})
}

func reply(w http.ResponseWriter, kind string, status int, value any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that left will ask again
}
