package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// panics returns a handler that panics with v, under Recover.
func panics(v any) consumer.Handler {
	return consumer.Chain(consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
		panic(v)
	}), consumer.Recover())
}

// A panic becomes the record's error, with the value and the stack of the
// place that panicked.
func TestRecover(t *testing.T) {
	for _, v := range []any{"out of stock", 42, io.EOF, struct{ a int }{1}} {
		err := panics(v).HandleRecord(t.Context(), &consumer.Record{})
		pe, ok := errors.AsType[*consumer.PanicError](err)
		if !ok || pe.Value != v {
			t.Errorf("panic(%v): error = %#v", v, err)
			continue
		}
		if !bytes.Contains(pe.Stack, []byte("consumer_test.panics")) {
			t.Errorf("panic(%v): the handler is not in the stack\n%s", v, pe.Stack)
		}
	}
}

// errors.Is sees through a panic with an error, and only with an error.
func TestRecoverUnwrap(t *testing.T) {
	if err := panics(io.ErrUnexpectedEOF).HandleRecord(t.Context(), &consumer.Record{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error = %v, want the panic's error in it", err)
	}
	err := panics("text").HandleRecord(t.Context(), &consumer.Record{})
	if errors.Unwrap(err) != nil {
		t.Errorf("Unwrap = %v, want nil", errors.Unwrap(err))
	}
	if want := "panicked: text"; err.Error() != want {
		t.Errorf("text = %q, want %q", err, want)
	}
}

// panic(nil) is a panic like any other.
func TestRecoverNilPanic(t *testing.T) {
	err := panics(nil).HandleRecord(t.Context(), &consumer.Record{})
	if _, ok := errors.AsType[*runtime.PanicNilError](err); !ok {
		t.Errorf("error = %v, want a runtime.PanicNilError in it", err)
	}
}

// What a handler returns passes Recover unchanged.
func TestRecoverPassesOn(t *testing.T) {
	for _, want := range []error{nil, io.EOF} {
		if err := consumer.Chain(answer(want), consumer.Recover()).HandleRecord(t.Context(), &consumer.Record{}); !identical(err, want) {
			t.Errorf("error = %v, want %v itself", err, want)
		}
	}
}

// runtime.Goexit is no panic: Recover lets it end the goroutine, and whoever
// owns the goroutine has to notice.
func TestRecoverGoexit(t *testing.T) {
	h := consumer.Chain(consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
		runtime.Goexit()
		return nil
	}), consumer.Recover())
	returned := make(chan bool)
	go func() {
		ok := false
		defer func() { returned <- ok }()
		_ = h.HandleRecord(context.Background(), &consumer.Record{})
		ok = true
	}()
	if <-returned {
		t.Error("HandleRecord returned, want the goroutine to have ended")
	}
}
