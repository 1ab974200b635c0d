package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
)

type order struct {
	ID    string `json:"order_id"`
	Total int64  `json:"total"`
}

// A body that decodes reaches the function as a value, members it does not
// know are passed over, and its error comes back as it is.
func TestJSON(t *testing.T) {
	want := errors.New("card declined")
	var got order
	h := consumer.JSON(func(_ context.Context, o order) error {
		got = o
		return want
	})
	rec := &consumer.Record{Body: []byte(`{"order_id":"A-1","total":9007199254740993,"later":{"version":2}}`)}
	if err := h.HandleRecord(t.Context(), rec); !identical(err, want) {
		t.Errorf("error = %v, want %v itself", err, want)
	}
	if got != (order{ID: "A-1", Total: 9007199254740993}) {
		t.Errorf("decoded %+v", got)
	}
}

// Each record is decoded into a fresh value: nothing of one shows in the
// next.
func TestJSONFreshValue(t *testing.T) {
	var got []order
	h := consumer.JSON(func(_ context.Context, o order) error {
		got = append(got, o)
		return nil
	})
	for _, body := range []string{`{"order_id":"A-1","total":5}`, `{"order_id":"A-2"}`} {
		if err := h.HandleRecord(t.Context(), &consumer.Record{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if got[1] != (order{ID: "A-2"}) {
		t.Errorf("second record decoded as %+v", got[1])
	}
}

// A body that does not decode is a permanent failure with the decoder's error
// inside, and the function is not called.
func TestJSONBadBody(t *testing.T) {
	h := consumer.JSON(func(context.Context, order) error {
		t.Error("the function was called")
		return nil
	})
	for _, body := range []string{``, `{`, `[]`, `{"order_id":1}`, `{"order_id":"A-1"} x`, `order A-1`} {
		err := h.HandleRecord(t.Context(), &consumer.Record{Body: []byte(body)})
		if !consumer.IsPermanent(err) {
			t.Errorf("%q: error %v is not permanent", body, err)
		}
		be, ok := errors.AsType[*consumer.BodyError](err)
		if !ok || be.Err == nil {
			t.Errorf("%q: error %v (%T), want a BodyError", body, err, err)
			continue
		}
		_, syntax := errors.AsType[*json.SyntaxError](err)
		_, typ := errors.AsType[*json.UnmarshalTypeError](err)
		if !syntax && !typ {
			t.Errorf("%q: the decoder's error is not in %v", body, err)
		}
	}
}

// JSON without a function panics when it is wired.
func TestJSONPanics(t *testing.T) {
	wantPanic(t, "consumer: ", func() { consumer.JSON[order](nil) })
}
