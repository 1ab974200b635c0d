package consumer_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// A permanent error is found through any wrapping and keeps its cause; no
// error stays no error.
func TestPermanent(t *testing.T) {
	if err := consumer.Permanent(nil); err != nil {
		t.Errorf("Permanent(nil) = %v, want nil", err)
	}
	cause := fmt.Errorf("reading: %w", io.ErrUnexpectedEOF)
	err := consumer.Permanent(cause)
	pe, ok := errors.AsType[*consumer.PermanentError](err)
	if !ok || !identical(pe.Err, cause) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Permanent(%v) = %#v", cause, err)
	}
	for _, err := range []error{err, fmt.Errorf("order 7: %w", err), errors.Join(io.EOF, err), consumer.RetryAfter(0, err)} {
		if !consumer.IsPermanent(err) {
			t.Errorf("IsPermanent(%v) = false", err)
		}
	}
	for _, err := range []error{nil, io.EOF, consumer.RetryAfter(time.Second, io.EOF), errors.New("permanent: no")} {
		if consumer.IsPermanent(err) {
			t.Errorf("IsPermanent(%v) = true", err)
		}
	}
}

// RetryAfter is always an error, keeps its cause, and never asks for a time
// in the past.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		err  error
		want time.Duration
		text string
	}{
		{time.Minute, io.EOF, time.Minute, "EOF (retry after 1m0s)"},
		{time.Second, nil, time.Second, "retry after 1s"},
		{0, nil, 0, "retry after 0s"},
		{-time.Hour, io.EOF, 0, "EOF (retry after 0s)"},
	} {
		err := fmt.Errorf("wrapped: %w", consumer.RetryAfter(c.d, c.err))
		re, ok := errors.AsType[*consumer.RetryError](err)
		if !ok || re.After != c.want || !identical(re.Err, c.err) {
			t.Errorf("RetryAfter(%v, %v) = %#v", c.d, c.err, re)
			continue
		}
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%v is not in %v", c.err, err)
		}
		if re.Error() != c.text {
			t.Errorf("text = %q, want %q", re, c.text)
		}
	}
}
