package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

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

// leastLease is the shortest lease that a guard takes.
const leastLease = 10 * time.Millisecond

func parseLease(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && d < leastLease {
		return 0, fmt.Errorf("want %v or longer, such as 30s", leastLease)
	}
	return d, err
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
