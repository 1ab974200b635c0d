package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// source says what arrives, outermost first.
type source string

const (
	sourceSQS        source = "sqs"
	sourceAPIGateway source = "apigateway" // its function runs an http.Handler
)

// wayIn is how records of a source come in.
type wayIn struct {
	source   source
	function constructor
	decode   sources.Decoder  // envelopes inside of a message
	split    sources.Splitter // of a message with several records
	stream   bool             // the answer is where to go on, be it the beginning
}

type constructor func(*dedupe.Guard, consumer.Handler, lambdasource.Options) lambda.Handler

// waysIn returns what this build can read.
func waysIn() []wayIn {
	return []wayIn{
		{source: sourceSQS, function: made(lambdasource.SQS)},
		{source: "eventbridge", function: made(lambdasource.EventBridge)},
		{source: "sqs+eventbridge", function: made(lambdasource.SQS), decode: sources.EventBridge},
		{source: "sqs+sns", function: made(lambdasource.SQS), decode: sources.SNS},
		{source: "sqs+sns+eventbridge", function: made(lambdasource.SQS), decode: sources.Chain(sources.SNS, sources.EventBridge)},
		{source: "sns", function: made(lambdasource.SNS)},
		{source: "pipes", function: made(lambdasource.Pipes)},
		{source: "pipes+eventbridge", function: made(lambdasource.Pipes), decode: sources.EventBridge},
		{source: "scheduler", function: made(lambdasource.Scheduler)},
		{source: "sqs+scheduler", function: made(lambdasource.SQS), decode: sources.Scheduler},
		{source: "eventbus", function: made(lambdasource.EventBus)},
		{source: "sqs+s3", function: made(lambdasource.SQS), split: sources.S3Event},
		{source: "kinesis", function: made(lambdasource.Kinesis), stream: true},
		{source: "dynamodb-stream", function: made(lambdasource.DynamoDBStream), stream: true},
		{source: sourceAPIGateway},
	}
}

// made gives all constructors one type.
func made[H lambda.Handler](construct func(*dedupe.Guard, consumer.Handler, ...lambdasource.Options) H) constructor {
	return func(guard *dedupe.Guard, h consumer.Handler, o lambdasource.Options) lambda.Handler {
		return construct(guard, h, o)
	}
}

// way returns how records of a parsed source come in.
func (s source) way() wayIn {
	i := slices.IndexFunc(waysIn(), func(w wayIn) bool { return w.source == s })
	return waysIn()[i]
}

// replays tells whether records of the source can name an EventBridge replay.
func (s source) replays() bool {
	return s == "eventbridge" || strings.HasSuffix(string(s), "+eventbridge")
}

// polled tells whether records of the source come in messages of a queue.
func (s source) polled() bool {
	first, _, _ := strings.Cut(string(s), "+")
	return first == string(sourceSQS)
}

// polledSources returns those that can be polled.
func polledSources() []string {
	return slices.DeleteFunc(sourceNames(), func(name string) bool { return !source(name).polled() })
}

// sourceNames returns the names of what this build can read.
func sourceNames() []string {
	var names []string
	for _, w := range waysIn() {
		names = append(names, string(w.source))
	}
	return names
}

// replaySources returns those whose records can name a replay.
func replaySources() []string {
	return slices.DeleteFunc(sourceNames(), func(name string) bool { return !source(name).replays() })
}

func parseSource(text string) (source, error) {
	if slices.Contains(sourceNames(), text) {
		return source(text), nil
	}
	return "", fmt.Errorf("want one of %s", strings.Join(sourceNames(), ", "))
}

// wrapped joins names, some on each line.
func wrapped(names []string) string {
	var lines []string
	for some := range slices.Chunk(names, 6) {
		lines = append(lines, strings.Join(some, ", "))
	}
	return strings.Join(lines, ",\n")
}
