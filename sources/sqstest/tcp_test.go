package sqstest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

func started(t *testing.T) (*sqstest.Server, string) {
	t.Helper()
	s := sqstest.New(sqstest.Options{})
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, url
}

// Over TCP no answer is lost: every message is received once and deleted.
func TestTCP(t *testing.T) {
	s, base := started(t)
	url := s.CreateQueue("q", nil)
	if !strings.HasPrefix(url, base+"/") {
		t.Errorf("queue URL: got %s, want it under %s", url, base)
	}
	const n = 2000
	for i := range n / 10 {
		err := sendBatch(10, func(k int) (string, string) { return fmt.Sprint(k), fmt.Sprint(i*10 + k) })(t.Context(), s.Client(), &url)
		if err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := s.TCPClient()
			for s.Stats("q").Visible > 0 {
				out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
				if err != nil {
					t.Error(err)
					return
				}
				for _, m := range out.Messages {
					mu.Lock()
					seen[*m.MessageId]++
					mu.Unlock()
					c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
				}
			}
		})
	}
	wg.Wait()
	if got := s.Stats("q"); got.Total() != 0 || len(seen) != n {
		t.Errorf("got %d of %d messages, left %+v", len(seen), n, got)
	}
}

// A client that leaves a long poll over TCP takes no message with it.
func TestTCPCancel(t *testing.T) {
	s, _ := started(t)
	url := s.CreateQueue("q", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.TCPClient().ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want DeadlineExceeded", err)
	}
	if got := s.History(); len(got) != 0 {
		t.Errorf("history: got %+v, want nothing applied", got)
	}
}

// Drops and truncated answers reach a TCP client as broken connections, which
// the SDK answers with another try or an error.
func TestTCPFaults(t *testing.T) {
	s, _ := started(t)
	url := s.CreateQueue("q", nil)
	c := s.TCPClient()
	s.Fault(func(_ string, req sqstest.Request) sqstest.Action {
		return sqstest.Action{DropResponse: req.Attempt == 1}
	})
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")}); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats("q").Visible; got != 2 {
		t.Errorf("visible: got %d, want 2", got)
	}
	s.Fault(func(string, sqstest.Request) sqstest.Action { return sqstest.Action{Truncate: true} })
	_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("truncated: got %v, want unexpected EOF", err)
	}
}

// Start twice fails, Close ends long polls and may be repeated, and queues
// survive to the next Start.
func TestStartClose(t *testing.T) {
	s, _ := started(t)
	url := s.CreateQueue("q", nil)
	if _, err := s.Start(); err == nil {
		t.Error("second Start: got nil, want an error")
	}
	polling := make(chan struct{})
	s.Fault(func(string, sqstest.Request) sqstest.Action { close(polling); return sqstest.Action{} })
	done := make(chan error)
	go func() {
		_, err := s.TCPClient(func(o *sqs.Options) { o.RetryMaxAttempts = 1 }).
			ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
		done <- err
	}()
	<-polling
	s.Close()
	if err := <-done; err == nil {
		t.Error("long poll across Close: got nil, want an error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	s.Fault(nil)
	if _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TCPClient().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url}); err != nil {
		t.Error(err)
	}
}

// BodyBufferingClient hands on a body that survives the closing of the
// original, with its length.
func TestBodyBufferingClient(t *testing.T) {
	original := &closable{Reader: strings.NewReader("body")}
	c := sqstest.BodyBufferingClient{Next: doFunc(func(req *http.Request) (*http.Response, error) {
		original.closed = true
		b, err := io.ReadAll(req.Body)
		if string(b) != "body" || err != nil || req.ContentLength != 4 {
			t.Errorf("got %q %v, length %d, want the body", b, err, req.ContentLength)
		}
		again, _ := req.GetBody()
		if b, _ := io.ReadAll(again); !bytes.Equal(b, []byte("body")) {
			t.Errorf("GetBody: got %q", b)
		}
		return &http.Response{Body: http.NoBody}, nil
	})}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sqstest.invalid", original)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// closable reads nothing more once closed, as the SDK's request bodies do.
type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Read(p []byte) (int, error) {
	if c.closed {
		return 0, io.ErrClosedPipe
	}
	return c.Reader.Read(p)
}
