package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// source says what arrives, outermost first.
type source string

const (
	sourceSQS            source = "sqs"
	sourceEventBridge    source = "eventbridge"
	sourceSQSEventBridge source = "sqs+eventbridge"
	sourceAPIGateway     source = "apigateway"
)

// sourceNames returns what this build can read.
func sourceNames() []string {
	return []string{string(sourceSQS), string(sourceEventBridge), string(sourceSQSEventBridge), string(sourceAPIGateway)}
}

// laterSources are known and come with later builds.
func laterSources() []string {
	return []string{
		"sqs+sns", "sqs+sns+eventbridge", "sns", "pipes", "pipes+eventbridge", "scheduler", "sqs+scheduler",
		"eventbus", "sqs+s3", "kinesis", "dynamodb-stream",
	}
}

func parseSource(text string) (source, error) {
	switch {
	case slices.Contains(sourceNames(), text):
		return source(text), nil
	case slices.Contains(laterSources(), text):
		return "", fmt.Errorf("not in this build yet; available: %s", strings.Join(sourceNames(), ", "))
	}
	return "", fmt.Errorf("want one of %s", strings.Join(sourceNames(), ", "))
}

// replays tells whether records of the source can name an EventBridge replay.
func (s source) replays() bool { return s == sourceEventBridge || s == sourceSQSEventBridge }

// replay says what an EventBridge archive replay does to finished work.
type replay string

const (
	replayDedupe    replay = "dedupe"
	replayReprocess replay = "reprocess"
)

func parseReplay(text string) (replay, error) {
	if r := replay(text); r == replayDedupe || r == replayReprocess {
		return r, nil
	}
	return "", fmt.Errorf("want %s or %s", replayDedupe, replayReprocess)
}

// key says what makes two records the same work.
type key struct {
	text string
	fn   dedupe.KeyFunc
}

func parseKey(text string) (k key, err error) {
	if text == "id" {
		return key{text, dedupe.ID}, nil
	}
	want := `want "id" or JSON Pointers into the body such as /order_id or /tenant,/order_id`
	pointers := strings.Split(text, ",")
	for _, p := range pointers {
		if !strings.HasPrefix(p, "/") {
			return key{}, errors.New(want)
		}
	}
	// Field panics on what is a mistake in a program; here it is one of the
	// user's, and Field knows best.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v; %s", strings.TrimPrefix(fmt.Sprint(p), "dedupe: Field: "), want)
		}
	}()
	return key{text, dedupe.Field(pointers...)}, nil
}

// withReplay makes work that a replay brings again different work.
func (k key) withReplay() dedupe.KeyFunc {
	return dedupe.Join(k.fn, func(w *dedupe.KeyWriter, rec *consumer.Record) error {
		if rec.Replay != "" {
			w.String(rec.Replay)
		}
		return nil
	})
}

func parseName(text string) (string, error) {
	if text == "" {
		return "", errors.New("want a name, such as orders")
	}
	return text, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond {
		return 0, errors.New("want a duration such as 30s, 5m or 336h")
	}
	return d, nil
}

func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("want a number from 1")
	}
	return n, nil
}

func parseShare(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1) { // NaN is neither
		return 0, errors.New("want a share from 0 to 1, such as 0.1")
	}
	return f, nil
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, errors.New("want true or false")
	}
	return b, nil
}

func parseSeed(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errors.New("want a whole number from 0")
	}
	return n, nil
}

func parseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("want a URL such as http://127.0.0.1:8080/effects")
	}
	return text, nil
}

// level is a log level of zap.
type level = zapcore.Level

func parseLevel(text string) (level, error) {
	switch l, err := zapcore.ParseLevel(text); {
	case err != nil, l > zapcore.ErrorLevel:
		return 0, errors.New("want debug, info, warn or error")
	default:
		return l, nil
	}
}
