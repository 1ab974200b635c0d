package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// pollBed is an SQS server over TCP with one queue.
type pollBed struct {
	*testing.T
	server *sqstest.Server
	base   string // the server's URL
	queue  string // the queue's name
	url    string // the queue's URL
}

func newPollBed(t *testing.T, o sqstest.Options, queue string, attrs map[string]string) *pollBed {
	t.Helper()
	b := &pollBed{T: t, server: sqstest.New(o), queue: queue}
	var err error
	if b.base, err = b.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	b.url = b.server.CreateQueue(queue, attrs)
	return b
}

func (b *pollBed) send(group string, bodies ...string) {
	b.Helper()
	for _, body := range bodies {
		in := &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: &body}
		if group != "" {
			in.MessageGroupId, in.MessageDeduplicationId = &group, &body
		}
		if _, err := b.server.Client().SendMessage(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// poller is a process that polls.
type poller struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	errs   lockedBuffer
	exited chan error
}

func (b *pollBed) start(args ...string) *poller {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	p := &poller{exited: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(b.Context()), self, append([]string{"poll", "--queue-url", b.url}, args...)...)
	p.cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_SQS="+b.base, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	b.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// ends waits for the process and returns its exit code.
func (b *pollBed) ends(p *poller) int {
	b.Helper()
	select {
	case <-p.exited:
	case <-time.After(60 * time.Second):
		b.Fatalf("the process does not end; it said\n%s", p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// counts are the members of the line that a poller ends with.
type pollCounts struct {
	Received, Done, Duplicates, Failed, Released, Unsettled int
	Seconds                                                 float64
}

// stops sends SIGTERM and checks exit code and output.
func (b *pollBed) stops(p *poller) (c pollCounts) {
	b.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if code := b.ends(p); code != 0 {
		b.Fatalf("got exit code %d, want 0; it said\n%s", code, p.errs.String())
	}
	if !strings.Contains(p.errs.String(), `"stopping: `) {
		b.Errorf("got stderr %q, want a line that it stops", p.errs.String())
	}
	d := json.NewDecoder(&p.out)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		b.Fatalf("stdout: %v", err)
	}
	if rest, _ := io.ReadAll(io.MultiReader(d.Buffered(), &p.out)); strings.TrimSpace(string(rest)) != "" {
		b.Errorf("stdout has more than one line: %q", rest)
	}
	if c.Received != c.Done+c.Duplicates+c.Failed+c.Released+c.Unsettled {
		b.Errorf("the counts do not add up: %+v", c)
	}
	return c
}

func (b *pollBed) empty() bool { return b.server.Stats(b.queue).Total() == 0 }

// A process that polls does the work of each order once, however often its
// message comes, tries again what failed, and tells what it did when SIGTERM
// ends it.
func TestPoll(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{Seed: 7, Duplicate: 0.3}, "orders", map[string]string{"VisibilityTimeout": "5"})
	var refused atomic.Bool
	next := newNextSystem(t, func(c call) int {
		if strings.Contains(c.body, "o7") && refused.CompareAndSwap(false, true) {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	for i := range 30 {
		b.send("", fmt.Sprintf(`{"order_id":"o%d"}`, i%20)) // ten of them are sent twice
	}
	p := b.start("--store", "memory:", "--key", "/order_id", "--effect-url", next.url, "--abandon-polls")
	waitFor(t, "the empty queue", b.empty)
	c := b.stops(p)
	if c.Done != 20 || c.Failed == 0 || c.Received < 31 || c.Released != 0 || c.Unsettled != 0 {
		t.Errorf("got %+v, want 20 done and a failure", c)
	}
	if n := len(next.all()); n != 21 {
		t.Errorf("got %d calls, want one for each of 20 orders and one more for the failure", n)
	}
	for i := range 20 {
		checkFences(t, next.about(fmt.Sprintf(`{"order_id":"o%d"}`, i)))
	}
}

// The orders of a message group are done in the order in which they were sent,
// also when one of them fails at first.
func TestPollFIFO(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{}, "orders.fifo", map[string]string{"VisibilityTimeout": "5"})
	var refused atomic.Bool
	next := newNextSystem(t, func(c call) int {
		if c.body == "a3" && refused.CompareAndSwap(false, true) {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	b.send("a", "a1", "a2", "a3", "a4", "a5")
	b.send("b", "b1", "b2", "b3")
	p := b.start("--store", "memory:", "--effect-url", next.url, "--abandon-polls")
	waitFor(t, "the empty queue", b.empty)
	if c := b.stops(p); c.Done != 8 {
		t.Errorf("got %+v, want 8 done", c)
	}
	var of = map[byte]string{}
	for _, c := range next.all() {
		of[c.body[0]] += c.body
	}
	if of['a'] != "a1a2a3a3a4a5" || of['b'] != "b1b2b3" {
		t.Errorf("got %v", of)
	}
}

// EventBridge events behind a rule that sends to the queue are known by their
// own id, whatever messages carry them.
func TestPollEventBridge(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{}, "events", nil)
	next := newNextSystem(t, func(call) int { return http.StatusOK })
	b.send("", event("e1", ""), event("e1", ""), event("e2", ""))
	p := b.start("--store", "memory:", "--source", "sqs+eventbridge", "--effect-url", next.url, "--abandon-polls")
	waitFor(t, "the empty queue", b.empty)
	if c := b.stops(p); c.Done != 2 || c.Duplicates != 1 || len(next.all()) != 2 {
		t.Errorf("got %+v and %d calls, want 2 done and a duplicate", c, len(next.all()))
	}
}

// A process that is killed leaves what it finished finished; the next one does
// the rest, under the same keys with larger fencing numbers.
func TestPollKilled(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{}, "orders", map[string]string{"VisibilityTimeout": "2"})
	store := "bolt:" + filepath.Join(t.TempDir(), "store.db")
	var first *poller
	started := make(chan struct{})
	var calls atomic.Int32
	next := newNextSystem(t, func(call) int {
		if calls.Add(1) == 25 {
			<-started
			_ = first.cmd.Process.Kill()
		}
		return http.StatusOK
	})
	for i := range 40 {
		b.send("", fmt.Sprintf(`{"order_id":"o%d"}`, i))
	}
	args := []string{"--store", store, "--key", "/order_id", "--effect-url", next.url, "--abandon-polls", "--lease", "2s", "--concurrency", "5"}
	first = b.start(args...)
	close(started)
	if code := b.ends(first); code == 0 {
		t.Error("the first process was not killed")
	}
	second := b.start(args...)
	waitFor(t, "the empty queue", b.empty)
	b.stops(second)
	if n := len(next.all()); n < 40 || n > 45 {
		t.Errorf("got %d calls, want 40 and those of the five handlers that were killed", n)
	}
	for i := range 40 {
		body := fmt.Sprintf(`{"order_id":"o%d"}`, i)
		got := next.about(body)
		if len(got) < 1 || len(got) > 2 {
			t.Errorf("%s: got %d calls, want one, or two when the first was killed", body, len(got))
		}
		checkFences(t, got)
	}
}

// A queue that does not exist ends the process with exit code 1 and one line
// that names it and says what to look at.
func TestPollNoQueue(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{}, "orders", nil)
	b.url = strings.Replace(b.url, "orders", "no-orders", 1)
	p := b.start("--store", "memory:")
	if code := b.ends(p); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	got := p.errs.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "no-orders") || !strings.Contains(got, "--queue-url, the region (us-east-1)") || p.out.Len() != 0 {
		t.Errorf("got stderr %q, stdout %q, want one line on stderr that names queue and region", got, p.out.String())
	}
}

// freeAddress returns an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// The probes of an orchestrator are answered while the process polls.
func TestPollHealth(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{}, "orders", nil)
	address := freeAddress(t)
	p := b.start("--store", "memory:", "--abandon-polls", "--health-listen", address)
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	waitFor(t, "readiness", func() bool { code, _ := get("/ready"); return code == http.StatusOK })
	b.send("", "one")
	waitFor(t, "the order in the status", func() bool { _, body := get("/status"); return strings.Contains(body, `"done":1`) })
	if code, body := get("/live"); code != http.StatusOK {
		t.Errorf("/live: got %d %s", code, body)
	}
	b.stops(p)
}
