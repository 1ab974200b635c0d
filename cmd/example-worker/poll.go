package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

func pollCommand() command {
	return command{
		name:    "poll",
		summary: "poll an SQS queue, for as long as the process lives",
		text: "Receives the messages of an SQS queue and handles them, until SIGTERM or SIGINT. Then it\n" +
			"brings to an end what it has begun, within 25 s and what handlers take, prints one line\n" +
			"of JSON to stdout and exits 0; a second signal ends it at once. The members are counts of\n" +
			"deliveries, each counted once:\n" +
			"  received    messages that SQS delivered, every time they came\n" +
			"  done        handled and deleted\n" +
			"  duplicates  finished before, or a copy of a message that was here: not run\n" +
			"  failed      returned to the queue to be tried again, or moved to the dead-letter queue\n" +
			"  released    returned to the queue without having been started\n" +
			"  unsettled   could neither be deleted nor returned: they come back by themselves\n" +
			"  seconds     from the start to the end\n" +
			"Exit code 1 when the queue does not exist or denies access.",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "queue-url", &s.queueURL, parseQueueURL, "", "the `URL` of the queue; required")
			define(fs, "store", &s.store, parseStore, "", "where finished work is remembered, one `STORE` of\n"+stores+"; required")
			define(fs, "consumer", &s.consumer, parseName, program, consumerUsage)
			define(fs, "source", &s.source, parseSource, string(sourceSQS), "what arrives, outermost `SOURCE` first, one of\n"+wrapped(polledSources()))
			define(fs, "replay", &s.replay, parseReplay, string(replayDedupe), replayUsage)
			define(fs, "key", &s.key, parseKey, "id", keyUsage)
			define(fs, "lease", &s.lease, parseLease, "30s", "how long a claim of a killed worker holds, as a `DURATION`")
			define(fs, "retain", &s.retain, parseDuration, "336h", retainUsage)
			define(fs, "concurrency", &s.concurrency, parseCount, "64", "run `N` handlers at once")
			define(fs, "effect-url", &s.effectURL, parseURL, "",
				"the work: POST the decoded body to this `URL` with the headers Idempotency-Key and\n"+
					"Fencing-Token; 2xx is done, 422 goes to the dead-letter queue if there is one, all else\n"+
					"failed; unset: one debug log line")
			fs.toggle("abandon-polls", &s.abandonPolls,
				"end at once when idle, instead of waiting up to 21 s for the long poll under way: what SQS\n"+
					"gives to an abandoned poll is invisible for a visibility timeout")
			define(fs, "health-listen", &s.healthListen, parseAddress, "",
				"serve GET /live, /ready and /status at this `ADDRESS`, such as 127.0.0.1:8081; unset: nowhere")
			define(fs, "log-level", &s.logLevel, parseLevel, "info", levelUsage)
		},
		check: checkPoll,
		run:   runPoll,
	}
}

func checkPoll(s settings) error {
	switch {
	case s.queueURL == "":
		return usagef("--queue-url (or $QUEUE_URL) is missing: name the queue to poll")
	case s.store == (storeRef{}):
		return usagef("--store (or $STORE) is missing: say where finished work is remembered, one of %s", stores)
	case !s.source.polled():
		return usagef("--source %s cannot be polled; want one of %s", s.source, strings.Join(polledSources(), ", "))
	case s.replay == replayReprocess && !s.source.replays():
		return usagef("--replay reprocess needs a source with an EventBridge envelope, such as sqs+eventbridge: --source %s has no replay name",
			s.source)
	}
	return nil
}

// runPoll polls until a signal comes.
func runPoll(ctx context.Context, p process, s settings) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	log := newLogger(p.stderr, s.logLevel)
	defer context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		log.Info("stopping: what has begun is brought to its end; a second signal cuts it off")
	})()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return usagef("AWS configuration: %v", err)
	}
	if cfg.Region == "" {
		return usagef("no AWS region: set AWS_REGION")
	}
	store, closer, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.HTTPClient = sqssource.HTTPClient() })
	poller := newPoller(s, client, store, log)
	if s.healthListen != "" {
		closeHealth, err := serveHealth(ctx, s.healthListen, poller.Health())
		if err != nil {
			return usagef("--health-listen %s: %v", s.healthListen, err)
		}
		defer closeHealth()
	}
	report, err := poller.Run(ctx)
	if err != nil {
		return fmt.Errorf("%w: see to --queue-url, the region (%s) and the rights of the credentials", err, cfg.Region)
	}
	return printReport(p, report, time.Since(began))
}

// newPoller returns what polls the queue.
func newPoller(s settings, client sqssource.Client, store dedupe.Store, log *zap.Logger) *sqssource.Poller {
	watch := zapobserver.New(log)
	in := s.source.way()
	return sqssource.New(client, s.queueURL, s.guard(store, watch), s.work(log), sqssource.Options{
		Decode: in.decode, Split: in.split, Concurrency: s.concurrency, AbandonPolls: s.abandonPolls, Observer: watch,
	})
}

// printReport prints the line that programs read.
func printReport(p process, r sqssource.Report, took time.Duration) error {
	return json.NewEncoder(p.stdout).Encode(struct {
		Received   int     `json:"received"`
		Done       int     `json:"done"`
		Duplicates int     `json:"duplicates"`
		Failed     int     `json:"failed"`
		Released   int     `json:"released"`
		Unsettled  int     `json:"unsettled"`
		Seconds    float64 `json:"seconds"`
	}{r.Received, r.Done, r.Duplicates, r.Failed, r.Released, r.Unsettled, math.Round(took.Seconds()*1000) / 1000})
}

// healthTimeout is enough for a probe's request.
const healthTimeout = 5 * time.Second

// serveHealth serves h at an address until the function that it returns is
// called.
func serveHealth(ctx context.Context, address string, h http.Handler) (func(), error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadTimeout: healthTimeout, WriteTimeout: healthTimeout}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln) // returns when it is closed
	}()
	return func() {
		_ = server.Close()
		<-served
	}, nil
}

func parseQueueURL(text string) (string, error) {
	if u, err := url.Parse(text); err == nil && len(u.Path) > 1 {
		if _, err := parseURL(text); err == nil {
			return text, nil
		}
	}
	return "", errors.New("want the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/111122223333/orders")
}

func parseAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return "", errors.New("want an address such as 127.0.0.1:8081")
	}
	return net.JoinHostPort(host, port), nil
}
