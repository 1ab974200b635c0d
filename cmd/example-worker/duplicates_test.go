package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// newExperiment returns an experiment on a server of its own.
func newExperiment(o sqstest.Options, n, workers int) (*experiment, *sqstest.Server) {
	server := sqstest.New(o)
	return &experiment{
		client: server.Client(), url: server.CreateQueue("q", nil), name: "test", n: n, workers: workers,
		poll: time.Second, settle: time.Minute,
	}, server
}

// The interval has the queue's true rate in 95 of 100 experiments, give or
// take three standard deviations of that. Each is played by one worker, first
// sending, then receiving, so that its seed decides all.
func TestExperimentCovers(t *testing.T) {
	t.Parallel()
	const runs, n, most = 100, 300, 11
	for _, rate := range []float64{0.002, 0.03} {
		missed, duplicated := 0, 0
		for seed := range uint64(runs) {
			synctest.Test(t, func(t *testing.T) {
				e, server := newExperiment(sqstest.Options{Seed: seed, Duplicate: rate, HistorySize: -1}, n, 1)
				e.begin()
				if err := errors.Join(e.send(t.Context()), e.receive(t.Context())); err != nil {
					t.Fatal(err)
				}
				r := e.estimate(false, 0)
				if r.Lower > rate || r.Upper < rate {
					missed++
				}
				duplicated += r.Duplicated
				if r.Sent != n || r.Received != n || r.Duplicates != r.Duplicated || server.Stats("q").Total() != 0 {
					t.Errorf("seed %d: got %+v and %v in the queue, want all sent, received and deleted", seed, r, server.Stats("q"))
				}
			})
		}
		if missed > most {
			t.Errorf("rate %g: %d of %d intervals do not have it, want at most %d", rate, missed, runs, most)
		}
		if lower, upper := interval(duplicated, runs*n); rate < lower || rate > upper {
			t.Errorf("rate %g: %d of %d were duplicated, which speaks for %g to %g", rate, duplicated, runs*n, lower, upper)
		}
	}
}

// What comes again by right, or by the producer's fault, is no duplicate of
// the queue's, and what others sent is left alone.
func TestExperimentExcuses(t *testing.T) {
	for name, c := range map[string]struct {
		options sqstest.Options
		fault   func(op string, req sqstest.Request) sqstest.Action
		want    tally
	}{
		"nothing": {want: tally{sent: 40, received: 40}},
		"delivered at the same time": {options: sqstest.Options{Duplicate: 1},
			want: tally{sent: 40, received: 40, duplicated: 40, duplicates: 40}},
		"delivered after it was deleted": {options: sqstest.Options{Redeliver: 1},
			want: tally{sent: 40, received: 40, duplicated: 40, duplicates: 40}},
		"delivered while the first is here": {
			options: sqstest.Options{Duplicate: 1},
			fault: func(op string, _ sqstest.Request) sqstest.Action {
				if op == "DeleteMessageBatch" {
					return sqstest.Action{Delay: 5 * time.Second}
				}
				return sqstest.Action{}
			},
			want: tally{sent: 40, received: 40, duplicated: 40, duplicates: 40}},
		"sent twice": {
			fault: func(op string, req sqstest.Request) sqstest.Action {
				return sqstest.Action{DropResponse: op == "SendMessageBatch" && req.Attempt == 1}
			},
			want: tally{sent: 40, received: 40, resent: 40}},
		"some refused at first": {
			fault: func() func(op string, req sqstest.Request) sqstest.Action {
				var n atomic.Int32
				return func(op string, _ sqstest.Request) sqstest.Action {
					if (op == "SendMessageBatch" || op == "DeleteMessageBatch") && n.Add(1)%3 == 1 {
						return sqstest.Action{FailEntries: map[int]*sqstest.Error{0: {Code: "InternalError"}}}
					}
					return sqstest.Action{}
				}
			}(),
			want: tally{sent: 40, received: 40}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, server := newExperiment(c.options, 40, 4)
				server.Fault(c.fault)
				if err := e.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := e.counts(); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if n := server.Stats("q").Total(); n != 0 {
					t.Errorf("%d messages are left in the queue", n)
				}
			})
		})
	}
}

// A message that nobody could delete within its visibility timeout comes back
// rightly.
func TestExperimentExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, server := newExperiment(sqstest.Options{}, 10, 2)
		var deletes atomic.Int32
		server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
			if op != "DeleteMessageBatch" || deletes.Add(1) > 2 {
				return sqstest.Action{}
			}
			return sqstest.Action{Delay: experimentTimeout + time.Second}
		})
		if err := e.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := e.counts(), (tally{sent: 10, received: 10, expired: 10}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// Messages of others are counted and stay.
func TestExperimentForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, server := newExperiment(sqstest.Options{}, 10, 2)
		for _, body := range []string{"order", "test", "test 10", "test -1", "test 1 "} {
			if _, err := e.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &e.url, MessageBody: aws.String(body)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := e.counts()
		if n := server.Stats("q").Total(); got.received != 10 || got.duplicates != 0 || got.foreign < 5 || n != 5 {
			t.Errorf("got %+v and %d left, want 10 received and 5 of others left", got, n)
		}
	})
}

// Late duplicates are waited for, as long as it was said and no longer.
func TestExperimentSettles(t *testing.T) {
	for after, want := range map[time.Duration]int{50 * time.Second: 1, 70 * time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			e, _ := newExperiment(sqstest.Options{}, 1, 1)
			began := time.Now()
			late := make(chan struct{})
			go func() { // the queue errs: what was deleted is there again
				defer close(late)
				time.Sleep(after)
				e.mu.Lock()
				id := e.seen[0].id
				e.mu.Unlock()
				e.delivered(againAs(id), time.Now())
			}()
			if err := e.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			took, got := time.Since(began), e.counts().duplicates
			<-late
			if limit := map[int]time.Duration{1: after + 63*time.Second, 0: 63 * time.Second}[want]; got != want || took > limit || took < time.Minute {
				t.Errorf("a duplicate after %v: counted %d in %v, want %d within %v", after, got, took, want, limit)
			}
		})
	}
}

// A slow producer and a slow queue are waited for: the last message counts,
// sent or received.
func TestExperimentSlow(t *testing.T) {
	for op, least := range map[string]time.Duration{"SendMessageBatch": 60 * time.Second, "ReceiveMessage": 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			e, server := newExperiment(sqstest.Options{}, 40, 1)
			e.url, e.settle = server.CreateQueue("slow", map[string]string{"DelaySeconds": "5"}), 10*time.Second
			server.Fault(func(o string, _ sqstest.Request) sqstest.Action {
				return sqstest.Action{Delay: map[bool]time.Duration{true: 15 * time.Second}[o == op]}
			})
			began := time.Now()
			if err := e.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took, got := time.Since(began), e.counts(); got.received != 40 || took < least {
				t.Errorf("%s takes 15 s: got %+v after %v, want all 40 and at least %v", op, got, took, least)
			}
		})
	}
}

// Errors that stay end the experiment.
func TestExperimentFails(t *testing.T) {
	for _, op := range []string{"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"} {
		synctest.Test(t, func(t *testing.T) {
			e, server := newExperiment(sqstest.Options{}, 100, 3)
			server.Fault(func(o string, _ sqstest.Request) sqstest.Action {
				if o == op {
					return sqstest.Action{Err: &sqstest.Error{Code: "AccessDeniedException", Status: 403}}
				}
				return sqstest.Action{}
			})
			if err := e.run(t.Context()); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
				t.Errorf("%s is denied: got %v, want an error that says so", op, err)
			}
		})
	}
}

// The command measures a queue of its own, as text and as JSON.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runWith(t, nil, "duplicates", "--messages", "2000", "--duplicates", "0.05", "--json")
	r := readEstimate(t, stdout)
	if code != 0 || r.Sent != 2000 || r.Received != 2000 || r.Duplicated < 40 || r.Duplicated > 160 || r.Duplicates != r.Duplicated ||
		r.Rate != float64(r.Duplicated)/2000 || r.Lower >= r.Rate || r.Upper <= r.Rate || r.Interrupted || r.Foreign != 0 {
		t.Errorf("got code %d, %+v, want about 100 duplicates of 2000", code, r)
	}
	code, stdout, _ = runWith(t, nil, "duplicates", "--messages", "300", "--duplicates", "0")
	if code != 0 || !strings.Contains(stdout, "No duplicate: with 95 % confidence fewer than 1 in 101 messages (0.0099).") {
		t.Errorf("got code %d and\n%s, want the rule of three", code, stdout)
	}
}

// On a queue over TCP SIGINT ends the command with the estimate so far.
func TestDuplicatesInterrupted(t *testing.T) {
	t.Parallel()
	b := newPollBed(t, sqstest.Options{Duplicate: 0.2}, "q", nil)
	var received atomic.Int32
	enough := make(chan struct{})
	b.server.Fault(func(op string, _ sqstest.Request) sqstest.Action {
		if op == "DeleteMessageBatch" && received.Add(1) == 20 {
			close(enough)
		}
		return sqstest.Action{}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs lockedBuffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, "duplicates", "--queue-url", b.url, "--messages", "10000000", "--json")
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_SQS="+b.base, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	select {
	case <-enough:
	case <-time.After(60 * time.Second):
		t.Fatalf("nothing is received: %s", errs.String())
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its state says the rest
	r := readEstimate(t, out.String())
	if code := cmd.ProcessState.ExitCode(); code != 130 || !r.Interrupted || r.Received < 100 || r.Duplicated == 0 || r.Lower <= 0 || r.Upper >= 1 {
		t.Errorf("got code %d, %+v, said %s, want 130 and an estimate", code, r, errs.String())
	}
}

func readEstimate(t *testing.T, stdout string) (r estimated) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("stdout %q: %v, want one line of JSON", stdout, err)
	}
	return r
}

// againAs is the delivery of the only message, once more.
func againAs(id string) []types.Message {
	return []types.Message{{MessageId: &id, Body: aws.String("test 0"), ReceiptHandle: aws.String("none")}}
}
