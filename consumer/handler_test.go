package consumer_test

import (
	"context"
	"slices"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// trace returns a middleware that notes when a record passes it.
func trace(log *[]string, name string) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			*log = append(*log, "> "+name)
			defer func() { *log = append(*log, "< "+name) }()
			return next.HandleRecord(ctx, rec)
		})
	}
}

// identical reports whether got is want itself, not an error that wraps it.
func identical(got, want error) bool {
	return got == want
}

// The first middleware of a chain is the outermost: it sees the record first
// and the outcome last.
func TestChainOrder(t *testing.T) {
	var log []string
	h := consumer.Chain(
		consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			log = append(log, "handler")
			return nil
		}),
		trace(&log, "a"), trace(&log, "b"), trace(&log, "c"),
	)
	for range 2 { // a chain can be used again
		log = nil
		if err := h.HandleRecord(t.Context(), &consumer.Record{}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"> a", "> b", "> c", "handler", "< c", "< b", "< a"}; !slices.Equal(log, want) {
			t.Errorf("order = %q, want %q", log, want)
		}
	}
}

// A chain without middlewares is its handler, and passes on context, record
// and error.
func TestChainEmpty(t *testing.T) {
	type ctxKey struct{}
	rec := &consumer.Record{ID: "1"}
	want := consumer.Permanent(context.Canceled)
	h := consumer.Chain(consumer.HandlerFunc(func(ctx context.Context, got *consumer.Record) error {
		if got != rec || ctx.Value(ctxKey{}) != "v" {
			t.Errorf("handler got %v and context %v", got, ctx)
		}
		return want
	}))
	if err := h.HandleRecord(context.WithValue(t.Context(), ctxKey{}, "v"), rec); !identical(err, want) {
		t.Errorf("error = %v, want %v itself", err, want)
	}
}
