package main

import (
	"context"
	"io"

	"github.com/aws/aws-lambda-go/lambda"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
	"github.com/onlyonce-go/onlyonce/dedupe"
	decoders "github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// runtimeAPI is the variable that tells where Lambda hands out invocations.
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

func lambdaCommand() command {
	return command{
		name:    "lambda",
		summary: "serve the Lambda runtime API",
		text: "Serves the Lambda runtime API: the function behind an SQS queue, with\n" +
			"ReportBatchItemFailures, or the target of an EventBridge rule.",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "store", &s.store, parseStore, "", "where finished work is remembered: "+stores+"; required\n`STORE`")
			defineWorker(fs, s)
			define(fs, "source", &s.source, parseSource, string(sourceSQS), "what arrives, outermost first: `sqs`, eventbridge or sqs+eventbridge")
			define(fs, "replay", &s.replay, parseReplay, string(replayDedupe), "finished work that an EventBridge replay brings: `dedupe` skips it,\nreprocess runs it once per replay")
			define(fs, "key", &s.key, parseKey, "id", keyUsage)
			define(fs, "concurrency", &s.concurrency, parseCount, "10", "handlers at once, over all invocations of the `process`")
			define(fs, "effect-url", &s.effectURL, parseURL, "", "the work: POST the decoded body to this `URL` with the headers\nIdempotency-Key and Fencing-Token; unset: one debug log line")
			define(fs, "log-level", &s.logLevel, parseLevel, "info", levelUsage)
		},
		check: checkLambda,
		run:   runLambda,
	}
}
