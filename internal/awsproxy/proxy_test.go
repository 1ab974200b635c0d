package awsproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// start starts a proxy that ends with the test.
func start(t *testing.T, target string) *awsproxy.Proxy {
	t.Helper()
	p, err := awsproxy.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// queue is a played SQS with one queue, and a real client that reaches it
// through a proxy.
func queue(t *testing.T) (s *sqstest.Server, p *awsproxy.Proxy, c *sqs.Client, url string) {
	t.Helper()
	s = sqstest.New(sqstest.Options{})
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	p = start(t, ts.URL)
	c = s.Client(func(o *sqs.Options) {
		o.BaseEndpoint, o.HTTPClient = aws.String(p.URL()), sqstest.BodyBufferingClient{}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	})
	out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(err)
	}
	p.Reset()
	return s, p, c, *out.QueueUrl
}

func send(t *testing.T, c *sqs.Client, url string) error {
	t.Helper()
	_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("hello")})
	return err
}

// Without faults a client notices nothing of the proxy but the host, and its
// requests are counted by operation.
func TestPasses(t *testing.T) {
	_, p, c, url := queue(t)
	if !strings.HasPrefix(url, p.URL()+"/") {
		t.Errorf("queue URL %s, want one below %s", url, p.URL())
	}
	for range 2 {
		if err := send(t, c, url); err != nil {
			t.Error(err)
		}
	}
	wrong := url + "-missing"
	_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &wrong})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("error %v, want QueueDoesNotExist", err)
	}
	var got []string
	for _, r := range p.Requests() {
		got = append(got, r.Op)
		if r.Attempt != 1 || !bytes.Contains(r.Input, []byte("QueueUrl")) {
			t.Errorf("%s: attempt %d, input %s", r.Op, r.Attempt, r.Input)
		}
	}
	if want := []string{"SendMessage", "SendMessage", "ReceiveMessage"}; !slices.Equal(got, want) || p.Requests()[1].Number != 2 {
		t.Errorf("requests %q, want %q", got, want)
	}
	if n := p.MostInFlight(); n != 1 {
		t.Errorf("%d in flight, want 1", n)
	}
	p.Reset()
	if n := p.MostInFlight() + len(p.Requests()); n != 0 {
		t.Errorf("after a Reset, %d are counted", n)
	}
	if err := send(t, c, url); err != nil || p.Requests()[0].Number != 1 {
		t.Errorf("after a Reset: %v, requests %v, want number 1", err, p.Requests())
	}
}

// Each fault of one try is followed by another try of the SDK; what had reached
// the server by then has happened twice.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		act  awsproxy.Action
		want int // messages
	}{
		"request lost":  {awsproxy.Action{DropRequest: true}, 1},
		"response lost": {awsproxy.Action{DropResponse: true}, 2},
		"broken":        {awsproxy.Action{Err: awsproxy.Broken()}, 1},
		"throttled":     {awsproxy.Action{Err: awsproxy.Throttled()}, 1},
		"delayed":       {awsproxy.Action{Delay: time.Millisecond, DelayResponse: time.Millisecond}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, client, url := queue(t)
			p.Fault(func(r awsproxy.Request) (a awsproxy.Action) {
				if r.Attempt == 1 {
					return c.act
				}
				return a
			})
			if err := send(t, client, url); err != nil {
				t.Error(err)
			}
			if got := s.Stats("q").Visible; got != c.want {
				t.Errorf("%d messages, want %d", got, c.want)
			}
		})
	}
}

// An error comes to the client as one of the service, with its status.
func TestError(t *testing.T) {
	_, p, c, url := queue(t)
	for _, e := range []*awsproxy.Error{{Code: "Busy", Message: "come back", Status: http.StatusServiceUnavailable}, {Code: "Odd"}} {
		p.Fault(func(awsproxy.Request) awsproxy.Action { return awsproxy.Action{Err: e} })
		err := send(t, c, url)
		api, ok := errors.AsType[smithy.APIError](err)
		if !ok || api.ErrorCode() != e.Code || api.ErrorMessage() != max(e.Message, e.Code) {
			t.Errorf("error %v, want %v", err, e)
		}
	}
}

// While the proxy is down it breaks what is open and refuses what is new;
// afterwards it is where it was.
func TestDown(t *testing.T) {
	s, p, c, url := queue(t)
	if err := send(t, c, url); err != nil {
		t.Fatal(err)
	}
	p.Down()
	if err := send(t, c, url); err == nil {
		t.Error("sent although the proxy is down")
	}
	p.Up()
	if err := send(t, c, url); err != nil {
		t.Error(err)
	}
	if got, n := s.Stats("q").Visible, len(p.Requests()); got != 2 || n != 2 {
		t.Errorf("%d messages in %d requests, want 2 in 2", got, n)
	}
}

// echo answers with the request's body, and tells of each that arrives.
func echo(t *testing.T) (url string, arrived chan string) {
	t.Helper()
	arrived = make(chan string, 100)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- string(body)
		w.Header().Set("X-Amz-Crc32", "0")
		_, _ = w.Write(body)
	}))
	t.Cleanup(ts.Close)
	return ts.URL, arrived
}

func post(ctx context.Context, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Amz-Target", "Service_20260101.Do")
	req.Close = true // so that none waits for the handler of the one before
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.Header.Get("X-Amz-Crc32") + " " + string(got), err
}

// An exchange sees and changes both bodies, and the answer's checksum with
// them.
func TestExchange(t *testing.T) {
	url, arrived := echo(t)
	p := start(t, url)
	p.Fault(func(awsproxy.Request) awsproxy.Action {
		return awsproxy.Action{Exchange: func(body []byte, forward func([]byte) ([]byte, error)) ([]byte, error) {
			got, err := forward(append(body, " there"...))
			return append(got, " and back"...), err
		}}
	})
	got, err := post(t.Context(), p.URL(), "to")
	want := fmt.Sprint(crc32.ChecksumIEEE([]byte("to there and back")), " to there and back")
	if err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got := <-arrived; got != "to there" {
		t.Errorf("the server got %q", got)
	}
}

// A request whose client has left arrives when it is late, and else does not.
func TestLate(t *testing.T) {
	url, arrived := echo(t)
	p := start(t, url)
	ctx, leave := context.WithCancel(t.Context())
	var held sync.WaitGroup
	held.Add(2)
	p.Fault(func(r awsproxy.Request) awsproxy.Action {
		held.Done()
		return awsproxy.Action{Delay: time.Second, Late: string(r.Input) == "late"}
	})
	var left sync.WaitGroup
	for _, body := range []string{"late", "never"} {
		left.Go(func() {
			if got, err := post(ctx, p.URL(), body); err == nil {
				t.Errorf("answer %q to a client that left", got)
			}
		})
	}
	held.Wait()
	leave()
	left.Wait()
	if err := p.Close(); err != nil { // waits for the late one
		t.Error(err)
	}
	close(arrived)
	var got []string
	for body := range arrived {
		got = append(got, body)
	}
	if want := []string{"late"}; !slices.Equal(got, want) {
		t.Errorf("%q arrived, want %q", got, want)
	}
}

// A client that sends its next request as soon as it has an answer never
// counts twice, and all that are held at once count.
func TestMostInFlight(t *testing.T) {
	url, arrived := echo(t)
	go func() {
		for range arrived {
		}
	}()
	defer close(arrived)
	p := start(t, url)
	large := strings.Repeat("one by one ", 10_000) // is sent before its handler ends
	for range 100 {
		if _, err := post(t.Context(), p.URL(), large); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.MostInFlight(); got != 1 {
		t.Errorf("%d in flight, want 1", got)
	}
	const n = 5
	var waiting atomic.Int32
	open := make(chan struct{})
	p.Fault(func(awsproxy.Request) (a awsproxy.Action) {
		if waiting.Add(1) == n {
			close(open)
		}
		<-open
		return a
	})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := post(t.Context(), p.URL(), "together"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.MostInFlight(); got != n {
		t.Errorf("%d in flight, want %d", got, n)
	}
}

// Close waits for a request under way, may be repeated, and leaves nothing that
// answers.
func TestClose(t *testing.T) {
	url, _ := echo(t)
	p := start(t, url)
	held, open := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	p.Fault(func(awsproxy.Request) (a awsproxy.Action) {
		close(held)
		<-open
		ended.Store(true)
		return a
	})
	answered := make(chan error)
	go func() {
		_, err := post(t.Context(), p.URL(), "held")
		answered <- err
	}()
	<-held
	closed := make(chan error)
	go func() { closed <- p.Close() }()
	if err := <-answered; err == nil {
		t.Error("an answer of a proxy that was closed")
	}
	close(open)
	if err := <-closed; err != nil || !ended.Load() {
		t.Errorf("Close: %v, waited %v, want nil, true", err, ended.Load())
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := post(t.Context(), p.URL(), "after"); err == nil {
		t.Error("a closed proxy answers")
	}
}

// A server that cannot be reached is told by the proxy, not mistaken for a
// fault.
func TestUnreachable(t *testing.T) {
	ts := httptest.NewServer(http.NotFoundHandler())
	ts.Close()
	p := start(t, ts.URL)
	if got, err := post(t.Context(), p.URL(), "hello"); err != nil || !strings.Contains(got, "awsproxy: ") {
		t.Errorf("%q, %v, want an answer of the proxy", got, err)
	}
}
