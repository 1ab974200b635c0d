package sqssource_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// behaviour is something that a poller does on every SQS, shown over TCP in
// real time.
type behaviour struct {
	name string
	set  setting
	run  func(*live)
	// knownWrong names the servers on which it looks otherwise, since they are
	// wrong. Our own is never among them.
	knownWrong map[string]wrong
}

// wrong is how a server differs: in words, and by a part of each failure that
// comes of it.
type wrong struct{ why, got string }

// live is a bed on a server that is not in this process, or not to be looked
// into: there is nothing but the API.
type live struct{ *bed }

// Everything goes well over TCP as it does in process.
func TestLiveBehaviours(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of real time")
	}
	s := sqstest.New(sqstest.Options{})
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	behave(t, "sqstest", url)
}

// It goes as well on the servers of others, but for what is known of them.
func TestEndpointBehaviours(t *testing.T) {
	for name, variable := range map[string]string{
		"ministack": "ONLYONCE_SQS_ENDPOINT", "elasticmq": "ONLYONCE_ELASTICMQ_ENDPOINT",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := os.Getenv(variable)
			if url == "" {
				t.Skipf("%s is not set: scripts/%s.sh go test ./sources/sqssource sets it", variable, name)
			}
			behave(t, name, url)
		})
	}
}

// behave shows all behaviours on a server, many at a time, since they wait
// most of the time, and then judges each.
func behave(t *testing.T, server, url string) {
	all := behaviours()
	failures := make([][]string, len(all))
	slots := make(chan struct{}, 12)
	var wg sync.WaitGroup
	for i, v := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			failures[i] = v.show(t, url)
		})
	}
	wg.Wait()
	for i, v := range all {
		t.Run(v.name, func(t *testing.T) { v.judge(t, server, failures[i]) })
	}
}

func (v behaviour) judge(t *testing.T, server string, failures []string) {
	t.Helper()
	w, known := v.knownWrong[server]
	if known && len(failures) == 0 {
		t.Errorf("%s is right now, take it out of knownWrong: %s", server, w.why)
	}
	for _, f := range failures {
		if !known || !strings.Contains(f, w.got) {
			t.Errorf("%s: %s", server, f)
		}
	}
}

// show runs a behaviour and returns what failed.
func (v behaviour) show(t *testing.T, url string) []string {
	n := &notes{TB: t}
	done := make(chan struct{})
	go func() { // so that Fatalf ends it, and not the test
		defer close(done)
		l := newLive(n, url, v.set)
		v.run(l)
		l.check()
	}()
	<-done
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failures
}

// notes is a test whose failures are noted, to be judged later.
type notes struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (n *notes) Errorf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failures = append(n.failures, fmt.Sprintf(format, args...))
}

func (n *notes) Error(args ...any) { n.Errorf("%s", fmt.Sprint(args...)) }

func (n *notes) Fatalf(format string, args ...any) {
	n.Errorf(format, args...)
	runtime.Goexit()
}

func (n *notes) Fatal(args ...any) { n.Fatalf("%s", fmt.Sprint(args...)) }

// newLive makes the queues of a setting, under names of their own.
func newLive(t testing.TB, url string, set setting) *live {
	l := &live{&bed{
		TB: t, queue: "q-" + rand.Text(), began: time.Now(), ledger: newLedger(), events: &events{began: time.Now()},
		urls: make(map[string]string), left: make(map[string]int),
		client: &meter{Client: sqs.New(sqs.Options{
			Region: "us-east-1", BaseEndpoint: &url, HTTPClient: sqssource.HTTPClient(),
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "test"}, nil
			}),
		})},
	}}
	all := maps.Clone(set.attrs)
	if all == nil {
		all = attrs{}
	}
	suffix := ""
	if set.queue == fifo {
		suffix = ".fifo"
	}
	l.queue += suffix
	if set.receives > 0 {
		l.dead = "dead-" + l.queue
		l.create(l.dead, attrs{})
		all["RedrivePolicy"] = redrive(l.attributes(l.urls[l.dead])["QueueArn"], set.receives)
	}
	l.url = l.create(l.queue, all)
	if !set.noGuard {
		set.guard.Consumer, set.guard.Observer = "test", l.events
		l.guard = dedupe.New(&l.store, set.guard)
	}
	return l
}

// create makes a queue for as long as the test.
func (l *live) create(name string, a attrs) string {
	l.Helper()
	if strings.HasSuffix(name, ".fifo") {
		a = maps.Clone(a)
		a["FifoQueue"] = "true"
	}
	out, err := l.client.CreateQueue(l.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: a})
	if err != nil {
		l.Fatalf("create %s: %v", name, err)
	}
	ctx := context.WithoutCancel(l.Context())
	l.Cleanup(func() { l.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}) })
	l.urls[name] = *out.QueueUrl
	return *out.QueueUrl
}

func (l *live) attributes(url string) attrs {
	l.Helper()
	out, err := l.client.GetQueueAttributes(l.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		l.Fatalf("attributes of %s: %v", url, err)
	}
	return out.Attributes
}

// total returns how many messages are in a queue.
func (l *live) total(name string) int {
	l.Helper()
	n, a := 0, l.attributes(l.urls[name])
	for _, key := range []string{"", "NotVisible", "Delayed"} {
		one, _ := strconv.Atoi(a["ApproximateNumberOfMessages"+key])
		n += one
	}
	return n
}

// take receives what is visible, as somebody who then keeps it, and returns
// the bodies.
func (l *live) take(name string) []string {
	l.Helper()
	url := l.urls[name]
	var out []string
	for {
		got, err := l.client.Client.ReceiveMessage(l.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			l.Fatalf("receive: %v", err)
		}
		if len(got.Messages) == 0 {
			return out
		}
		for _, m := range got.Messages {
			out = append(out, *m.Body)
		}
	}
}

// until waits until ok, and fails after half a minute.
func (l *live) until(what string, ok func() bool) {
	l.Helper()
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			l.Fatalf("not within 30s: %s", what)
		}
	}
}

// drain waits until the queue is empty.
func (l *live) drain() {
	l.Helper()
	l.until("the queue is empty", func() bool { return l.total(l.queue) == 0 })
}

// check ends the pollers that still run and fails unless their reports sum up,
// the queues hold what the test expects and all else was finished, once.
func (l *live) check() {
	l.Helper()
	for _, r := range l.runs {
		if !r.waited {
			r.stop()
		}
		if rep := r.report; rep.Received != rep.Done+rep.Duplicates+rep.Failed+rep.Released+rep.Unsettled {
			l.Errorf("report: %+v does not sum up", rep)
		}
	}
	left := 0
	for name := range l.urls {
		left += l.left[name]
		if got, want := l.total(name), l.left[name]; got != want {
			l.Errorf("left in queue %s: got %d messages, want %d", strings.ReplaceAll(name, l.queue, "q"), got, want)
		}
	}
	finished := 0
	for _, body := range l.sent {
		n := l.ledger.finished(body)
		finished += n
		if n > 1 {
			l.Errorf("%s was finished %d times", body, n)
		}
	}
	if finished+left != len(l.sent) {
		l.Errorf("of %d messages %d were finished and %d left", len(l.sent), finished, left)
	}
}

// wantWait fails unless the n-th run of each message began between least and
// most after the one before it.
func (l *live) wantWait(n int, least, most time.Duration) {
	l.Helper()
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	for name, at := range l.ledger.starts {
		if len(at) <= n {
			l.Errorf("%s: got %d runs, want more than %d", name, len(at), n)
		} else if d := at[n] - at[n-1]; d < least-50*time.Millisecond || d > most {
			l.Errorf("%s: run %d came %v after the one before, want %v to %v", name, n+1, d, least, most)
		}
	}
}
