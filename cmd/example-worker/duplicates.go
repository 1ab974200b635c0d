package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// maxBatch is how many messages SQS takes or gives at once.
const maxBatch = 10

func duplicatesCommand() command {
	return command{
		name:    "duplicates",
		summary: "measure how often a queue delivers a message twice",
		text: "Sends numbered messages to an SQS queue, receives and deletes them as they come, and counts\n" +
			"those that come again: how often a worker without a guard would do its work twice for the\n" +
			"queue's sake alone. Use a standard queue that nobody else reads; messages of others are left\n" +
			"in it. A hundred thousand messages take some minutes and 30,000 requests. Ctrl-C ends it\n" +
			"with what was counted so far and exit code 130. With --json stdout is one line,\n" +
			"  messages     that were to be sent\n" +
			"  sent         of them\n" +
			"  received     of them, each counted once\n" +
			"  duplicated   of those received, the ones that were delivered again\n" +
			"  duplicates   deliveries of them beyond the first\n" +
			"  expired      deliveries that were no fault of the queue: the visibility timeout was over\n" +
			"  resent       deliveries of messages that were sent again after a lost answer\n" +
			"  foreign      deliveries of messages of others\n" +
			"  rate         duplicated / received\n" +
			"  lower, upper between which the true rate lies, with a confidence of 95 %: Clopper and\n" +
			"               Pearson's interval; without a duplicate the rule of three, 0 to 3/received\n" +
			"  interrupted  whether it ended early, by Ctrl-C or an error\n" +
			"  seconds      how long it took",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "queue-url", &s.queueURL, parseURL, "", "the `URL` of the queue; unset: one in this process")
			define(fs, "messages", &s.messages, parseCount, "100000", "send `N` messages")
			define(fs, "concurrency", &s.concurrency, parseCount, "10", "send and receive with `N` requests at once, each")
			define(fs, "settle", &s.settle, parseDuration, "1m", "wait for late duplicates for this `DURATION` after the last message")
			define(fs, "duplicates", &s.duplicates, parseShare, "0.0001",
				"the `SHARE` of messages that the queue in this process delivers twice; it waits for none")
			define(fs, "seed", &s.seed, parseSeed, "1", "the `NUMBER` that decides which messages those are")
			fs.toggle("json", &s.json, "print the result as one JSON object")
		},
		foreign: map[string]string{
			"store":  "what is counted is what comes to a worker without one",
			"source": "it sends and receives messages of its own",
		},
		check: func(s settings) error {
			if strings.HasSuffix(s.queueURL, ".fifo") {
				return usagef("--queue-url %s is a FIFO queue, which does not deliver duplicates by itself: name a standard queue", s.queueURL)
			}
			return nil
		},
		run: runDuplicates,
	}
}

// runDuplicates measures until all is received or a signal comes.
func runDuplicates(ctx context.Context, p process, s settings) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	e := &experiment{
		url: s.queueURL, name: "onlyonce-duplicates-" + rand.Text(), n: s.messages, workers: s.concurrency,
		poll: 2 * time.Second, settle: s.settle,
	}
	if s.queueURL == "" {
		server := sqstest.New(sqstest.Options{Seed: s.seed, Duplicate: s.duplicates, HistorySize: -1})
		e.client, e.url = server.Client(), server.CreateQueue("duplicates", nil)
		e.poll, e.settle = time.Second, 0
	} else {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return usagef("AWS configuration: %v", err)
		}
		if cfg.Region == "" {
			return usagef("no AWS region: set AWS_REGION")
		}
		e.client = sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.HTTPClient = sqssource.HTTPClient() })
	}
	began := time.Now()
	stopTelling := e.tell(ctx, p.stderr)
	err := e.run(ctx)
	stopTelling()
	r := e.estimate(err != nil || ctx.Err() != nil, time.Since(began))
	switch {
	case err != nil && r.Received == 0:
		return err
	case s.json:
		if err := json.NewEncoder(p.stdout).Encode(r); err != nil {
			return err
		}
	default:
		r.print(p.stdout)
	}
	if err == nil && r.Interrupted {
		return errInterrupted
	}
	return err
}

// tellEvery is how often a long experiment tells how far it is.
const tellEvery = 5 * time.Second

// tell tells how far it is until ctx ends or the function that it returns is
// called.
func (e *experiment) tell(ctx context.Context, w io.Writer) func() {
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for pause.For(ctx, tellEvery) {
			t := e.counts()
			fmt.Fprintf(w, "%d of %d sent, %d received, %d of them twice or more\n", t.sent, e.n, t.received, t.duplicated)
		}
	}()
	return func() {
		cancel()
		<-told
	}
}

// estimated is what an experiment ends with. The members are its JSON; help
// says what they mean.
type estimated struct {
	Messages    int     `json:"messages"`
	Sent        int     `json:"sent"`
	Received    int     `json:"received"`
	Duplicated  int     `json:"duplicated"`
	Duplicates  int     `json:"duplicates"`
	Expired     int     `json:"expired"`
	Resent      int     `json:"resent"`
	Foreign     int     `json:"foreign"`
	Rate        float64 `json:"rate"`
	Lower       float64 `json:"lower"`
	Upper       float64 `json:"upper"`
	Interrupted bool    `json:"interrupted"`
	Seconds     float64 `json:"seconds"`
}

func (e *experiment) estimate(interrupted bool, took time.Duration) estimated {
	t := e.counts()
	r := estimated{
		Messages: e.n, Sent: t.sent, Received: t.received, Duplicated: t.duplicated, Duplicates: t.duplicates,
		Expired: t.expired, Resent: t.resent, Foreign: t.foreign,
		Interrupted: interrupted, Seconds: math.Round(took.Seconds()*1000) / 1000,
	}
	r.Lower, r.Upper = interval(t.duplicated, t.received)
	if t.received > 0 {
		r.Rate = float64(t.duplicated) / float64(t.received)
	}
	return r
}

// print prints what people read.
func (r estimated) print(w io.Writer) {
	row := func(name string, n int, remark string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-24s%9d  %s", name, n, remark), " "))
	}
	row("messages sent", r.Sent, "")
	row("received", r.Received, r.missing())
	row("delivered again", r.Duplicated, fmt.Sprintf("in %s beyond the first", count(r.Duplicates, "delivery", "deliveries")))
	if r.Expired > 0 {
		row("back after a timeout", r.Expired, "not deleted in time: not the queue's fault, not counted")
	}
	if r.Resent > 0 {
		row("sent again", r.Resent, "after a lost answer: the producer's duplicates, not counted")
	}
	if r.Foreign > 0 {
		row("messages of others", r.Foreign, "left in the queue")
	}
	writeLines(w, "", r.verdict())
}

func (r estimated) missing() string {
	if n := r.Sent - r.Received; n > 0 {
		return fmt.Sprintf("%d did not come, or not in time: does somebody else read the queue?", n)
	}
	return ""
}

// verdict is what the experiment says.
func (r estimated) verdict() string {
	switch {
	case r.Received == 0:
		return "Nothing was received: no estimate."
	case r.Duplicated == 0:
		return fmt.Sprintf("No duplicate: with 95 %% confidence fewer than 1 in %d messages (%.2g).", oneIn(r.Upper), r.Upper)
	}
	return fmt.Sprintf("Duplicated: 1 in %d messages (%.2g), with 95 %% confidence between 1 in %d (%.2g) and 1 in %d (%.2g).",
		oneIn(r.Rate), r.Rate, oneIn(r.Lower), r.Lower, oneIn(r.Upper), r.Upper)
}

// oneIn returns of how many messages one is duplicated.
func oneIn(rate float64) int { return int(math.Round(1 / rate)) }
