package main

import (
	"context"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/bench/poller/loadserver"
)

// do runs a task on a load server in this process.
func do(t *testing.T, who contender, work time.Duration, f consume) (outcome, error) {
	t.Helper()
	web := httptest.NewServer(handler(loadserver.New(0, 64)))
	t.Cleanup(web.Close)
	return task{
		Contender: who, Cell: cell{Handler: work}, URL: web.URL, WarmUp: 20 * time.Millisecond, Time: 50 * time.Millisecond,
	}.do(t.Context(), f)
}

// Every consumer handles and deletes every message that it is given, with each kind of handler.
func TestConsumers(t *testing.T) {
	for _, who := range order(anyName(), 0) {
		for _, work := range []time.Duration{0, time.Millisecond} {
			f, done, err := consumerOf(who, work)
			if err != nil {
				t.Fatal(err)
			}
			got, err := do(t, who, work, f)
			done()
			if err != nil {
				t.Errorf("%v, handlers of %v: %v", who, work, err)
			} else if got.Rate <= 0 || got.Messages == 0 || got.Requests < 0.1 || got.InFlight == 0 {
				t.Errorf("%v, handlers of %v: got %+v, want a rate, messages and requests", who, work, got)
			}
		}
	}
}

// Whoever does less than the work cannot win: the run fails.
func TestCheats(t *testing.T) {
	receive := func(ctx context.Context, client *sqs.Client, url string) (handle *string, err error) {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 1})
		if err != nil || len(out.Messages) == 0 {
			return nil, err
		}
		return out.Messages[0].ReceiptHandle, nil
	}
	remove := func(ctx context.Context, client *sqs.Client, url string, handle *string) error {
		_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: handle})
		return err
	}
	for name, test := range map[string]struct {
		cheat consume
		want  string
	}{
		"idle": {func(ctx context.Context, _ *sqs.Client, _ string, _ func(context.Context)) error {
			<-ctx.Done()
			return nil
		}, "deleted nothing"},
		"gives up": {func(context.Context, *sqs.Client, string, func(context.Context)) error { return nil }, "ended by itself"},
		"does not handle": {func(ctx context.Context, client *sqs.Client, url string, _ func(context.Context)) error {
			for {
				handle, err := receive(ctx, client, url)
				if err != nil || handle != nil && remove(ctx, client, url, handle) != nil {
					return ctx.Err()
				}
			}
		}, "0 handled"},
		"deletes twice": {func(ctx context.Context, client *sqs.Client, url string, work func(context.Context)) error {
			for {
				handle, err := receive(ctx, client, url)
				if err != nil {
					return ctx.Err()
				}
				if handle != nil {
					work(ctx)
					_, _ = remove(ctx, client, url, handle), remove(ctx, client, url, handle)
				}
			}
		}, "deleted again"},
		"deletes what it was not given": {func(ctx context.Context, client *sqs.Client, url string, work func(context.Context)) error {
			for {
				handle, err := receive(ctx, client, url)
				if err != nil {
					return ctx.Err()
				}
				if handle != nil {
					work(ctx)
					_, _ = remove(ctx, client, url, handle), remove(ctx, client, url, aws.String("made up"))
				}
			}
		}, "never handed out"},
	} {
		_, err := do(t, contender{}, 0, test.cheat)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
	if err := check(loadserver.Counts{Given: 20, Deleted: 19}, 20); err == nil {
		t.Error("19 of 20 messages deleted: got no error")
	}
}

// Aims are judged by the median of the ratios of each round, at equal messages in flight.
func TestVerdicts(t *testing.T) {
	var runs []outcome
	c := cells()[1]
	for round, ours := range []float64{40, 11, 24} {
		theirs := []float64{40, 10, 20}[round]
		runs = append(runs,
			outcome{Contender: contender{onlyonce, 80, ""}, Cell: c, CPU: ours, Rate: 90, Requests: 0.2},
			outcome{Contender: contender{bare, 80, ""}, Cell: c, CPU: theirs, Rate: 100})
	}
	want := map[string]bool{"rate, of the bare loop's": false, "CPU, of the bare loop's": true, "requests per message": true}
	got := verdicts(runs)
	for _, v := range got {
		if met, known := want[v.Aim]; !known || v.Met != met || v.Flight != 80 {
			t.Errorf("got %+v, want met %v", v, met)
		}
		if v.Aim == "CPU, of the bare loop's" && math.Abs(v.Got.Median-1.1) > 1e-9 {
			t.Errorf("got a median of %v, want 1.1", v.Got.Median)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d verdicts, want %d", len(got), len(want))
	}
}
