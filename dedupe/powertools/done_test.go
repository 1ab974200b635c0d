package powertools_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

const orderID = "orders.app.place#cbcbdb948de16bfe7e49a81f91500ab1" // of "o-1"

func options() powertools.Options {
	return powertools.Options{Library: powertools.Python, Prefix: "orders.app.place", Data: powertools.Field("/order_id")}
}

func orderRecord() *consumer.Record {
	return &consumer.Record{ID: "m-1", Body: []byte(`{"order_id":"o-1","amount":5}`)}
}

// item is an item of o-1 with these attributes: strings, and numbers from now
// on in milliseconds or, for the expiration, seconds.
func item(attrs map[string]any) ddbtest.Item {
	i := ddbtest.Item{"id": str(orderID)}
	for name, v := range attrs {
		switch v := v.(type) {
		case string:
			i[name] = str(v)
		case int64:
			s := fmt.Sprint(v)
			i[name] = ddbtest.Value{N: &s}
		case ddbtest.Value:
			i[name] = v
		}
	}
	return i
}

func str(s string) ddbtest.Value { return ddbtest.Value{S: &s} }

func num(s string) ddbtest.Value { return ddbtest.Value{N: &s} }

// counted is a handler that counts its runs.
type counted int

func (c *counted) HandleRecord(context.Context, *consumer.Record) error {
	*c++
	return nil
}

// What was finished there never runs here, the guard records it, and later
// duplicates are not looked up; what is new costs one read unit.
func TestDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, item(map[string]any{
			"status": "COMPLETED", "expiration": time.Now().Unix() + 3600, "data": "null",
		}))
		var runs counted
		guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders", Key: dedupe.Field("/order_id")})
		h := consumer.Chain(&runs, guard.Middleware(), powertools.Done(server.Client(), "idempotency", options()))
		for range 3 {
			if err := h.HandleRecord(t.Context(), orderRecord()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(server.Requests()); runs != 0 || n != 1 || server.Used() != (ddbtest.Units{Read: 1}) {
			t.Errorf("%d runs, %d requests, used %+v; want none, one and one read unit", runs, n, server.Used())
		}
		server.Reset()
		fresh := &consumer.Record{ID: "m-2", Body: []byte(`{"order_id":"o-2"}`)}
		for range 3 {
			if err := h.HandleRecord(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(server.Requests()); runs != 1 || n != 1 || server.Used() != (ddbtest.Units{Read: 1}) {
			t.Errorf("a new record: %d runs, %d requests, used %+v; want one of each", runs, n, server.Used())
		}
	})
}

// A record counts as done until its expiration has passed, as in the
// condition of the libraries, and a lease is honoured to its end and a second
// more, whatever the expiration says.
func TestBounds(t *testing.T) {
	const at = int64(1_000_000_000) // seconds, when the record is read
	for _, c := range []struct {
		name  string
		attrs map[string]any
		want  string // done, open, or the time until a retry
	}{
		{"completed, expires now", map[string]any{"status": "COMPLETED", "expiration": at}, "done"},
		{"completed, expired a second ago", map[string]any{"status": "COMPLETED", "expiration": at - 1}, "open"},
		{"completed, a fraction ago", map[string]any{"status": "COMPLETED", "expiration": num("999999999.999")}, "open"},
		{"in progress, lease with a fraction", map[string]any{"status": "INPROGRESS", "expiration": num("1000000000.5")}, "1.5s"},
		{"completed, with a lease that has passed", map[string]any{"status": "COMPLETED", "expiration": at + 1, "in_progress_expiration": at*1000 - 9}, "done"},
		{"completed, expired, with a lease", map[string]any{"status": "COMPLETED", "expiration": at - 1, "in_progress_expiration": at*1000 + 9}, "open"},
		{"in progress", map[string]any{"status": "INPROGRESS", "expiration": at + 60, "in_progress_expiration": at*1000 + 500}, "1.5s"},
		{"in progress, lease just over", map[string]any{"status": "INPROGRESS", "expiration": at + 60, "in_progress_expiration": at*1000 - 999}, "1ms"},
		{"in progress, lease over", map[string]any{"status": "INPROGRESS", "expiration": at + 60, "in_progress_expiration": at*1000 - 1000}, "open"},
		{"in progress, expired, lease alive", map[string]any{"status": "INPROGRESS", "expiration": at - 60, "in_progress_expiration": at*1000 + 500}, "1.5s"},
		{"in progress, no lease", map[string]any{"status": "INPROGRESS", "expiration": at + 60}, "1m1s"},
		{"in progress, no lease, expired", map[string]any{"status": "INPROGRESS", "expiration": at - 1}, "open"},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Unix(at, 0)))
			var runs counted
			h := powertools.Done(newServer(t, item(c.attrs)).Client(), "idempotency", options())(&runs)
			err := h.HandleRecord(t.Context(), orderRecord())
			got := "done"
			if retry, ok := errors.AsType[*consumer.RetryError](err); ok && errors.Is(err, dedupe.ErrInProgress) {
				got = retry.After.String()
			} else if err != nil {
				got = err.Error()
			} else if runs > 0 {
				got = "open"
			}
			if got != c.want || runs > 0 && got != "open" {
				t.Errorf("%s: %s after %d runs, want %s", c.name, got, runs, c.want)
			}
		})
	}
}

// An item that is not understood fails its record with a typed error: it
// neither runs nor counts as done.
func TestUnreadableItem(t *testing.T) {
	later := time.Now().Unix() + 60
	for name, attrs := range map[string]map[string]any{
		"no status":           {"expiration": later},
		"status unknown":      {"status": "PAUSED", "expiration": later},
		"status in lower":     {"status": "completed", "expiration": later},
		"status a number":     {"status": int64(1), "expiration": later},
		"no expiration":       {"status": "COMPLETED"},
		"expiration a text":   {"status": "COMPLETED", "expiration": "tomorrow"},
		"expiration in nano":  {"status": "COMPLETED", "expiration": num("1e30")},
		"expiration negative": {"status": "COMPLETED", "expiration": int64(-1)},
		"lease a text":        {"status": "INPROGRESS", "expiration": later, "in_progress_expiration": "soon"},
		"validation a number": {"status": "COMPLETED", "expiration": later, "validation": int64(1)},
		"only a key":          {},
	} {
		var runs counted
		h := powertools.Done(newServer(t, item(attrs)).Client(), "idempotency", options())(&runs)
		err := h.HandleRecord(t.Context(), orderRecord())
		if e, ok := errors.AsType[*powertools.ItemError](err); !ok || e.ID != orderID || runs != 0 {
			t.Errorf("%s: %v after %d runs, want an ItemError of %s and no run", name, err, runs, orderID)
		}
	}
}

// An item in which an attribute is of any other type than the libraries write
// fails its record with an error that names the item and the attribute.
func TestWrongTypes(t *testing.T) {
	later := time.Now().Unix() + 60
	yes, null, number, bytes, list := true, true, "1", []byte("COMPLETED"), []ddbtest.Value{str("COMPLETED")}
	for name, value := range map[string]ddbtest.Value{
		"S": str("9000000000"), "N": num("9000000000"), "B": {B: &bytes}, "BOOL": {BOOL: &yes}, "NULL": {NULL: &null}, "M": {M: map[string]ddbtest.Value{"S": str("COMPLETED")}},
		"L": {L: &list}, "SS": {SS: []string{"COMPLETED"}}, "NS": {NS: []string{number}}, "BS": {BS: [][]byte{bytes}},
	} {
		for attribute, right := range map[string]string{"status": "-", "expiration": "N", "in_progress_expiration": "N", "validation": "S NULL"} {
			if slices.Contains(strings.Fields(right), name) {
				continue
			}
			all := map[string]any{"status": "COMPLETED", "expiration": later}
			all[attribute] = value
			var runs counted
			err := powertools.Done(newServer(t, item(all)).Client(), "idempotency", options())(&runs).HandleRecord(t.Context(), orderRecord())
			if e, ok := errors.AsType[*powertools.ItemError](err); !ok || e.ID != orderID || !strings.Contains(err.Error(), attribute) || runs != 0 {
				t.Errorf("%s of type %s: %v after %d runs, want an ItemError of %s that names it", attribute, name, err, runs, orderID)
			}
		}
	}
}

// A table that does not answer fails the record within the timeout; it does
// not run.
func TestTableDown(t *testing.T) {
	for name, action := range map[string]ddbtest.Action{
		"hangs":     {Delay: time.Hour},
		"throttles": {Err: &ddbtest.Error{Code: "ProvisionedThroughputExceededException"}},
		"breaks":    {DropRequest: true},
		"denies":    {Err: &ddbtest.Error{Code: "AccessDeniedException"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := newServer(t)
			server.Fault(func(ddbtest.Request) ddbtest.Action { return action })
			var runs counted
			h := powertools.Done(server.Client(), "idempotency", options())(&runs)
			start := time.Now()
			err := h.HandleRecord(t.Context(), orderRecord())
			if took := time.Since(start); err == nil || runs != 0 || took > 3*time.Second || !strings.Contains(err.Error(), orderID) {
				t.Errorf("%s: %v after %d runs and %v, want an error that names %s within 3s", name, err, runs, took, orderID)
			}
		})
	}
}

// A record with another payload than the one that finished there fails, and
// so does one whose payload nobody told how to compare.
func TestValidation(t *testing.T) {
	const five = "e4da3b7fbbce2345d7772b0674a318d5" // MD5 of 5
	later := time.Now().Unix() + 60
	amount := powertools.Field("/amount")
	for _, c := range []struct {
		stored     any
		validation powertools.Data
		want       func(error) bool
	}{
		{five, amount, func(err error) bool { return err == nil }},
		{"another", amount, func(err error) bool {
			e, ok := errors.AsType[*dedupe.MismatchError](err)
			return ok && e.Key == orderID
		}},
		{five, nil, func(err error) bool { return errors.Is(err, powertools.ErrValidation) }},
		{nil, amount, func(err error) bool { return err == nil }}, // written before validation was asked for
		{"", amount, func(err error) bool { return err == nil }},
		{five, func(*consumer.Record) ([]byte, error) { return nil, errBoom }, func(err error) bool { return errors.Is(err, errBoom) }},
		{five, func(*consumer.Record) ([]byte, error) { return []byte("1.00000000000000000001"), nil }, func(err error) bool {
			return errors.Is(err, powertools.ErrNotPortable)
		}},
	} {
		o := options()
		o.Validation = c.validation
		var runs counted
		h := powertools.Done(newServer(t, item(map[string]any{
			"status": "COMPLETED", "expiration": later, "validation": c.stored,
		})).Client(), "idempotency", o)(&runs)
		if err := h.HandleRecord(t.Context(), orderRecord()); !c.want(err) || runs != 0 {
			t.Errorf("stored %v, validation %v: %v after %d runs", c.stored, c.validation != nil, err, runs)
		}
	}
}

var errBoom = errors.New("boom")

// An at-most-once guard cannot tell a record that waits for a worker there
// from one whose handler failed: it parks it.
func TestAtMostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, item(map[string]any{"status": "INPROGRESS", "expiration": time.Now().Unix() + 60}))
		guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "orders", AtMostOnce: true})
		var runs counted
		h := consumer.Chain(&runs, guard.Middleware(), powertools.Done(server.Client(), "idempotency", options()))
		for _, want := range []error{dedupe.ErrInProgress, dedupe.ErrParked} {
			if err := h.HandleRecord(t.Context(), orderRecord()); !errors.Is(err, want) || runs != 0 {
				t.Errorf("%v after %d runs, want %v and none", err, runs, want)
			}
		}
	})
}

// What the table says of a record is told, with the id of its item.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		o := options()
		o.Observer = consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			switch e := e.(type) {
			case consumer.Duplicate:
				told = append(told, "duplicate "+e.Key+" "+e.Record.ID)
			case consumer.InProgress:
				told = append(told, "in progress "+e.Key+" "+e.Until.UTC().Format(time.RFC3339))
			}
			panic("an observer is contained")
		})
		end := time.Now().Add(time.Minute)
		for _, status := range []string{"COMPLETED", "INPROGRESS"} {
			h := powertools.Done(newServer(t, item(map[string]any{
				"status": status, "expiration": end.Unix(),
			})).Client(), "idempotency", o)(new(counted))
			_ = h.HandleRecord(t.Context(), orderRecord())
		}
		want := []string{"duplicate " + orderID + " m-1", "in progress " + orderID + " " + end.Add(time.Second).UTC().Format(time.RFC3339)}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// Mistakes in the wiring panic at once, in the package's name.
func TestWiring(t *testing.T) {
	client := newServer(t).Client()
	with := func(change func(*powertools.Options)) powertools.Options {
		o := options()
		change(&o)
		return o
	}
	for name, f := range map[string]func(){
		"no client":     func() { powertools.Done(nil, "idempotency", options()) },
		"no table":      func() { powertools.Done(client, "", options()) },
		"no library":    func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.Library = 0 })) },
		"no prefix":     func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.Prefix = "" })) },
		"no data":       func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.Data = nil })) },
		"no static key": func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.SortKeyAttr = "sk" })) },
		"no sort key":   func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.StaticKey = "x" })) },
		"timeout":       func() { powertools.Done(client, "t", with(func(o *powertools.Options) { o.Timeout = -1 })) },
		"key":           func() { _, _ = powertools.Options{}.Key(orderRecord()) },
		"pointer":       func() { powertools.Field("order_id") },
		"no pointers":   func() { powertools.Fields() },
	} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "powertools: ") {
					t.Errorf("%s: panic %v, want one that starts with powertools:", name, v)
				}
			}()
			f()
		}()
	}
}
