package sqstest_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// schedule is a few requests that show one property of SQS. What comes back is
// noted, line by line, and compared with what AWS documents, on this package
// and on other people's servers: what one of them gets wrong is named here,
// and the test fails when that is no longer so.
type schedule struct {
	name string
	// page names the documentation of AWS: the page, "API" for those of the
	// API Reference, else the file name of one of the Developer Guide.
	page string
	run  func(*play)
	want string
	// knownWrong names the servers that answer otherwise. This package is
	// never among them.
	knownWrong wrongs
}

// wrongs names servers and how they differ: in words, and by a line that they
// give.
type wrongs map[string]struct{ why, got string }

func schedules() []schedule {
	return slices.Concat(
		queueSchedules(), errorSchedules(), sendSchedules(), receiveSchedules(), visibilitySchedules(),
		batchSchedules(), fifoSchedules(), dedupSchedules(), redriveSchedules(),
	)
}

// Every schedule ends as AWS documents in process, in fake time.
func TestSchedules(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range schedules() {
		if s.page == "" || s.want == "" || seen[s.name] {
			t.Errorf("%s: a schedule needs a name of its own, a page and an expectation", s.name)
		}
		seen[s.name] = true
		for name := range s.knownWrong {
			if name != "ministack" && name != "elasticmq" {
				t.Errorf("%s: knownWrong names %s", s.name, name)
			}
		}
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s.judge(t, "sqstest", perform(t, sqstest.New(sqstest.Options{}).Client(), s))
			})
		})
	}
}

// Every schedule ends in the same way over TCP, in real time.
func TestSchedulesTCP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of real time")
	}
	s, _ := started(t)
	performAll(t, "sqstest", s.TCPClient())
}

// Every schedule ends in the same way on the servers of others, but for what
// is known of them.
func TestEndpointSchedules(t *testing.T) {
	for name, variable := range map[string]string{
		"ministack": "ONLYONCE_SQS_ENDPOINT", "elasticmq": "ONLYONCE_ELASTICMQ_ENDPOINT",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := os.Getenv(variable)
			if url == "" {
				t.Skipf("%s is not set: scripts/%s.sh go test ./sources/sqstest sets it", variable, name)
			}
			performAll(t, name, sqs.New(sqs.Options{
				Region: "us-east-1", BaseEndpoint: &url, HTTPClient: sqstest.BodyBufferingClient{}, RetryMaxAttempts: 1,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "test"}, nil
				}),
			}))
		})
	}
}

// performAll performs the schedules some at a time, since they wait for the
// server most of the time, and then judges each.
func performAll(t *testing.T, server string, client *sqs.Client) {
	t.Helper()
	all := schedules()
	got := make([]string, len(all))
	slots := make(chan struct{}, 24)
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			got[i] = perform(t, client, s)
		})
	}
	wg.Wait()
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) { s.judge(t, server, got[i]) })
	}
}

func (s schedule) judge(t *testing.T, server, got string) {
	t.Helper()
	want := trimLines(s.want)
	d, known := s.knownWrong[server]
	switch {
	case !known && got != want:
		t.Errorf("%s, %s:\ngot\n%s\nwant\n%s", server, s.page, got, want)
	case known && got == want:
		t.Errorf("%s is right now, take it out of knownWrong: %s", server, d.why)
	case known && !slices.Contains(strings.Split(got, "\n"), d.got):
		t.Errorf("%s is wrong in another way than known (%s):\ngot\n%s\nwant a line %q", server, d.why, got, d.got)
	}
}

// trimLines removes the indentation that an expectation has in the source.
func trimLines(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// ended is the panic that ends a play early, after the reason was noted.
type ended struct{}

// perform plays a schedule and returns the notes.
func perform(t testing.TB, client *sqs.Client, s schedule) string {
	p := &play{TB: t, client: client}
	defer p.deleteQueues()
	func() {
		defer func() {
			if r := recover(); r != nil && r != (ended{}) {
				t.Errorf("%s: panic: %v", s.name, r)
			}
		}()
		s.run(p)
	}()
	return strings.Join(p.notes, "\n")
}

func (p *play) note(format string, args ...any) {
	p.notes = append(p.notes, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
