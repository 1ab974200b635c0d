package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// logWork is the work when there is no next system: one line at debug level.
func logWork(log *zap.Logger) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		if ce := log.Check(zap.DebugLevel, "work"); ce != nil {
			c, _ := dedupe.FromContext(ctx)
			ce.Write(zap.String("record_id", rec.ID), zap.String("key", c.Key), zap.Int64("fence", c.Fence))
		}
		return nil
	})
}

// effect is the work when there is a next system: one POST of the decoded
// body, which is the whole effect or none of it.
type effect struct {
	url    string
	client http.RoundTripper // follows no redirect: elsewhere is not where the effect was to happen
}

// newEffect returns an effect that keeps a connection for each handler.
func newEffect(target string, concurrency int) *effect {
	t := &http.Transport{}
	if d, ok := http.DefaultTransport.(*http.Transport); ok {
		t = d.Clone()
	}
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, concurrency
	return &effect{url: target, client: t}
}

// HandleRecord posts the body. The key goes with it, the same for every
// attempt, so that the next system can tell a repeated call, and the fencing
// number, so that it can refuse a worker that was overtaken.
func (e *effect) HandleRecord(ctx context.Context, rec *consumer.Record) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("effect: %w", err)
	}
	body := &sendOnce{Reader: bytes.NewReader(rec.Body)}
	if len(rec.Body) > 0 {
		req.Body, req.GetBody, req.ContentLength = body, body.again, int64(len(rec.Body))
	}
	req.Header.Set("Content-Type", "application/json")
	if c, ok := dedupe.FromContext(ctx); ok {
		req.Header.Set("Idempotency-Key", c.Key)
		req.Header.Set("Fencing-Token", strconv.FormatInt(c.Fence, 10))
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	resp, err := e.client.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("effect: no answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	// The connection can be used again once the body was read. The answer
	// counts even when its body breaks off.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)

	switch code := resp.StatusCode; {
	case code >= 200 && code <= 299:
		return nil
	case code == http.StatusUnprocessableEntity:
		return consumer.Permanent(statusError(code))
	default:
		return statusError(code)
	}
}

// statusError is an answer that does not say that the effect happened.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("effect: status %d %s", int(e), http.StatusText(int(e)))
}

// sendOnce is the body of a request. net/http sends a request with an
// Idempotency-Key again by itself when its connection breaks; one run of a
// handler is to be one call, so it may do so only if it has sent nothing yet.
type sendOnce struct {
	*bytes.Reader
	sent atomic.Bool
}

var errSent = errors.New("connection closed before the answer")

// Read marks the body as sent.
func (b *sendOnce) Read(p []byte) (int, error) {
	b.sent.Store(true)
	return b.Reader.Read(p)
}

// WriteTo marks the body as sent.
func (b *sendOnce) WriteTo(w io.Writer) (int64, error) {
	b.sent.Store(true)
	return b.Reader.WriteTo(w)
}

// Close does nothing.
func (b *sendOnce) Close() error { return nil }

// again is the request's GetBody.
func (b *sendOnce) again() (io.ReadCloser, error) {
	if b.sent.Load() {
		return nil, errSent
	}
	return b, nil
}
