package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// wantPanic checks that wire panics with a text that starts with prefix.
func wantPanic(t *testing.T, prefix string, wire func()) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if text, ok := v.(string); !ok || !strings.HasPrefix(text, prefix) {
			t.Errorf("panic = %v, want a text that starts with %q", v, prefix)
		}
	}()
	wire()
}

// answer returns a handler that fails with err, by which a test knows it.
func answer(err error) consumer.Handler {
	return consumer.HandlerFunc(func(context.Context, *consumer.Record) error { return err })
}

// A Mux calls the handler of exactly the record's type.
func TestMux(t *testing.T) {
	placed, cancelled, untyped := errors.New("placed"), errors.New("cancelled"), errors.New("untyped")
	var mux consumer.Mux
	mux.Handle("OrderPlaced", answer(placed))
	mux.Handle("OrderCancelled", answer(cancelled))
	mux.Handle("", answer(untyped))
	for typ, want := range map[string]error{"OrderPlaced": placed, "OrderCancelled": cancelled, "": untyped} {
		if err := mux.HandleRecord(t.Context(), &consumer.Record{Type: typ}); !identical(err, want) {
			t.Errorf("type %q went to %v, want %v", typ, err, want)
		}
	}
}

// A type without a handler fails, with its name and not for ever, or goes to
// Default.
func TestMuxUnknownType(t *testing.T) {
	var mux consumer.Mux // the zero value, too, can be used
	for _, add := range []func(){func() {}, func() { mux.Handle("OrderPlaced", answer(nil)) }} {
		add()
		err := mux.HandleRecord(t.Context(), &consumer.Record{Type: "orderplaced"})
		nh, ok := errors.AsType[*consumer.NoHandlerError](err)
		if !ok || nh.Type != "orderplaced" {
			t.Errorf("error = %v, want a NoHandlerError with the type", err)
		}
		if consumer.IsPermanent(err) {
			t.Errorf("error %v is permanent: a newer deployment may know the type", err)
		}
	}
	fallback := errors.New("fallback")
	mux.Default = answer(fallback)
	if err := mux.HandleRecord(t.Context(), &consumer.Record{Type: "orderplaced"}); !identical(err, fallback) {
		t.Errorf("error = %v, want that of Default", err)
	}
	if err := mux.HandleRecord(t.Context(), &consumer.Record{Type: "OrderPlaced"}); err != nil {
		t.Errorf("error = %v: Default took a type that has a handler", err)
	}
}

// Registering nothing, or a type twice, panics when it is wired.
func TestMuxPanics(t *testing.T) {
	var mux consumer.Mux
	mux.Handle("a", answer(nil))
	wantPanic(t, "consumer: ", func() { mux.Handle("a", answer(nil)) })
	wantPanic(t, "consumer: ", func() { mux.Handle("b", nil) })
}
