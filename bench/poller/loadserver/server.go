// Package loadserver plays an SQS queue that is never empty, for measuring consumers: it answers fast, after a set delay,
// with messages made beforehand, and knows of each message whether it was deleted, and how often.
//
// It is a load, not a model of SQS: nothing becomes visible again, nothing is in order, nobody is authenticated. What
// sqstest plays faithfully, this one leaves out.
package loadserver

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// QueuePath is the path of the one queue in a server's URL.
const QueuePath = "/000000000000/load"

const mostMessages = 10 // of one receive or one batch request

// Counts are what a server has seen.
type Counts struct {
	Given        int // messages handed out, each once
	Deleted      int // of them
	DeletedAgain int // deletes of messages that were deleted before
	Unknown      int // deletes of messages that were never handed out
	MostInFlight int // messages handed out and not deleted, at the same time

	Requests int // of all kinds
	Receives int
	Empty    int // receives that brought nothing
	Deletes  int // single ones and batches
}

// Server is a queue. Make one with [New]; it is an [http.Handler].
type Server struct {
	rtt     time.Duration
	message message

	mu      sync.Mutex
	counts  Counts
	deleted []bool // by number of message
	stopped bool
	settled chan struct{} // closed when no more is handed out and all is deleted
}

// New returns a queue whose answers take rtt and whose messages have bodies of that many bytes.
func New(rtt time.Duration, body int) *Server {
	return &Server{rtt: rtt, message: newMessage(body), settled: make(chan struct{})}
}

// Counts returns what the server has seen so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Stop ends handing out messages and waits until all that were are deleted, or ctx ends.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	s.settle()
	s.mu.Unlock()
	select {
	case <-s.settled:
	case <-ctx.Done():
	}
}

// settle notes when all is done. s.mu is held.
func (s *Server) settle() {
	if !s.stopped || s.counts.Deleted < s.counts.Given {
		return
	}
	select {
	case <-s.settled:
	default:
		close(s.settled)
	}
}

// ServeHTTP answers one request of a client of SQS.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	in, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	out, status := s.answer(req.Context(), req.Header.Get("X-Amz-Target"), in)
	if s.rtt > 0 {
		pause.For(req.Context(), s.rtt)
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/x-amz-json-1.0"}
	h["Content-Length"] = []string{strconv.Itoa(len(out))}
	w.WriteHeader(status)
	_, _ = w.Write(out)
}

func (s *Server) answer(ctx context.Context, target string, in []byte) (out []byte, status int) {
	switch target {
	case "AmazonSQS.ReceiveMessage":
		return s.receive(ctx, in), http.StatusOK
	case "AmazonSQS.DeleteMessageBatch", "AmazonSQS.DeleteMessage":
		return s.delete(in), http.StatusOK
	}
	s.mu.Lock()
	s.counts.Requests++
	s.mu.Unlock()
	switch target {
	case "AmazonSQS.ChangeMessageVisibilityBatch":
		return successful(in), http.StatusOK
	case "AmazonSQS.ChangeMessageVisibility":
		return []byte("{}"), http.StatusOK
	case "AmazonSQS.GetQueueAttributes":
		return []byte(`{"Attributes":{"QueueArn":"arn:aws:sqs:us-east-1:000000000000:load",` +
			`"VisibilityTimeout":"300","MessageRetentionPeriod":"345600"}}`), http.StatusOK
	}
	return []byte(`{"__type":"com.amazonaws.sqs#UnsupportedOperation","message":"the load server does not play it"}`), http.StatusBadRequest
}

// receive hands out messages. When there are none any more it waits as long as it is asked to, or until all is deleted.
func (s *Server) receive(ctx context.Context, in []byte) []byte {
	most := max(number(in, `"MaxNumberOfMessages":`), 1)
	s.mu.Lock()
	s.counts.Requests++
	s.counts.Receives++
	if s.stopped {
		s.counts.Empty++
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, time.Duration(number(in, `"WaitTimeSeconds":`))*time.Second)
		defer cancel()
		select {
		case <-s.settled:
		case <-ctx.Done():
		}
		return []byte("{}")
	}
	n := min(most, mostMessages)
	first := s.counts.Given
	s.counts.Given += n
	s.deleted = append(s.deleted, make([]bool, n)...)
	s.counts.MostInFlight = max(s.counts.MostInFlight, s.counts.Given-s.counts.Deleted)
	s.mu.Unlock()
	return s.message.answer(first, n, asked(in))
}

// delete deletes what the request names.
func (s *Server) delete(in []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Requests++
	s.counts.Deletes++
	for handle := range values(in, `"ReceiptHandle":"`) {
		n, ok := numberOf(handle)
		switch {
		case !ok || n >= len(s.deleted):
			s.counts.Unknown++
		case s.deleted[n]:
			s.counts.DeletedAgain++
		default:
			s.deleted[n] = true
			s.counts.Deleted++
		}
	}
	s.settle()
	return successful(in)
}
