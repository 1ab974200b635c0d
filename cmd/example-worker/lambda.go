package main

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// runtimeAPI is the variable that tells where Lambda hands out invocations.
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

func lambdaCommand() command {
	return command{
		name:    "lambda",
		summary: "serve the Lambda runtime API",
		text: "Serves the Lambda runtime API: the function behind a queue or a stream, whose mapping\n" +
			"must have ReportBatchItemFailures, one that is invoked with events, or one behind API\n" +
			"Gateway or a function URL (apigateway: the same POST /orders as the http command).",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "store", &s.store, parseStore, "", "where finished work is remembered, one `STORE` of\n"+stores+"; required")
			define(fs, "consumer", &s.consumer, parseName, program, consumerUsage)
			define(fs, "source", &s.source, parseSource, string(sourceSQS),
				"what arrives, outermost `SOURCE` first, one of\n"+wrapped(sourceNames()))
			define(fs, "replay", &s.replay, parseReplay, string(replayDedupe), replayUsage)
			define(fs, "key", &s.key, parseKey, "id", keyUsage)
			define(fs, "lease", &s.lease, parseLease, "30s", leaseUsage)
			define(fs, "retain", &s.retain, parseDuration, "336h", retainUsage)
			define(fs, "concurrency", &s.concurrency, parseCount, "10", "run `N` handlers at once, over all invocations of the process")
			define(fs, "effect-url", &s.effectURL, parseURL, "",
				"the work: POST the decoded body to this `URL` with the headers Idempotency-Key and\n"+
					"Fencing-Token; 2xx is done, all else failed; unset: one debug log line")
			define(fs, "log-level", &s.logLevel, parseLevel, "info", levelUsage)
		},
		check: checkLambda,
		run:   runLambda,
	}
}

// What flags of several commands mean.
const (
	consumerUsage = "the scope of the keys: workers of another `NAME` do the same work again"
	keyUsage      = "what makes two records the same work: \"id\", the source's stable id, or the values at\n" +
		"`POINTERS` into the decoded body, such as /order_id or /tenant,/order_id; commas separate\n" +
		"them, so a pointer that contains a comma cannot be named"
	replayUsage = "finished work that an EventBridge replay brings again: `POLICY` dedupe skips it,\nreprocess runs it once per replay"
	leaseUsage  = "how long a claim of a killed worker holds, as a `DURATION`; never past the deadline"
	retainUsage = "how long finished work is remembered, as a `DURATION`"
	levelUsage  = "log lines to write, from `LEVEL` up: debug, info, warn or error"
)

func checkLambda(s settings) error {
	if s.store == (storeRef{}) {
		return usagef("--store (or $STORE) is missing: say where finished work is remembered, one of %s", stores)
	}
	if s.replay == replayReprocess && !s.source.replays() {
		return usagef("--replay reprocess needs a source with an EventBridge envelope, one of %s: --source %s has no replay name",
			strings.Join(replaySources(), ", "), s.source)
	}
	if s.source == sourceAPIGateway && s.key.text != "id" {
		return usagef("--key %s is not for --source %s: the key is the request's header Idempotency-Key", s.key.text, s.source)
	}
	return nil
}

// runLambda serves Lambda until the process ends. Signals end it as they end
// any process: what it does not finish comes again.
func runLambda(ctx context.Context, p process, s settings) error {
	if p.getenv(runtimeAPI) == "" {
		return usagef("%s is not set: this command runs inside AWS Lambda; outside of it, try %s demo", runtimeAPI, program)
	}
	store, closer, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	log := newLogger(p.stderr, s.logLevel)
	// aws-lambda-go tells failed invocations to the standard logger.
	undo, err := zap.RedirectStdLogAt(log, zap.ErrorLevel)
	if err != nil {
		return err
	}
	defer undo()
	lambda.StartWithOptions(newFunction(s, store, log), lambda.WithContext(ctx))
	return errors.New("the Lambda runtime API has ended")
}

// newFunction returns what Lambda invokes.
func newFunction(s settings, store dedupe.Store, log *zap.Logger) lambda.Handler {
	watch := zapobserver.New(log)
	guard := s.guard(store, watch)
	if s.source == sourceAPIGateway {
		return lambdasource.HTTP(newOrders(s, guard, log))
	}
	in := s.source.way()
	return in.function(guard, s.work(log), lambdasource.Options{
		Concurrency: s.concurrency, Observer: watch, Decode: in.decode, Split: in.split, ReportAllFailed: in.stream,
	})
}

// guard returns the guard of a worker.
func (s settings) guard(store dedupe.Store, watch consumer.Observer) *dedupe.Guard {
	return dedupe.New(store, dedupe.Options{
		Consumer: s.consumer, Key: s.key.fn, Reprocess: s.replay == replayReprocess,
		Lease: s.lease, Retention: s.retain, Observer: watch,
	})
}

// work returns the handler of this example. Yours would call your own code.
func (s settings) work(log *zap.Logger) consumer.Handler {
	if s.effectURL == "" {
		return logWork(log)
	}
	return newEffect(s.effectURL, s.concurrency)
}
