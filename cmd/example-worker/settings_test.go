package main

import (
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

func parseLambda(t *testing.T, env map[string]string, args ...string) settings {
	t.Helper()
	s, err := lambdaCommand().parse(args, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A flag wins over its variable, a variable over the default, and an empty
// variable is none.
func TestPrecedence(t *testing.T) {
	env := map[string]string{
		"STORE": "bolt:/tmp/x.db", "CONSUMER": "orders", "SOURCE": "", "LEASE": "5s", "RETAIN": "1h",
		"EFFECT_URL": "http://localhost/x", "CONCURRENCY": "3", "LOG_LEVEL": "warn", "KEY": "/a,/b",
	}
	s := parseLambda(t, env, "--lease", "7s", "-concurrency=4")
	if s.store != (storeRef{"bolt", "/tmp/x.db"}) || s.consumer != "orders" || s.source != sourceSQS || s.key.text != "/a,/b" ||
		s.retain != time.Hour || s.effectURL != "http://localhost/x" || s.logLevel.String() != "warn" {
		t.Errorf("got %+v, want what the variables say", s)
	}
	if s.lease != 7*time.Second || s.concurrency != 4 {
		t.Errorf("got lease %v and concurrency %d, want what the flags say", s.lease, s.concurrency)
	}
}

// Without flags and variables the settings are those of the contract.
func TestDefaults(t *testing.T) {
	s := parseLambda(t, nil, "--store", "memory:")
	if s.consumer != "example-worker" || s.source != "sqs" || s.replay != "dedupe" || s.key.text != "id" || s.lease != 30*time.Second ||
		s.retain != 14*24*time.Hour || s.concurrency != 10 || s.effectURL != "" || s.logLevel.String() != "info" {
		t.Errorf("got %+v", s)
	}
}

// The key is the record's id or the values in its body.
func TestKeys(t *testing.T) {
	rec := &consumer.Record{ID: "m1", Body: []byte(`{"tenant":"t","order_id":7}`)}
	other := &consumer.Record{ID: "m2", Body: rec.Body}
	for text, same := range map[string]bool{"id": false, "/order_id": true, "/tenant,/order_id": true} {
		k := mustKey(t, text)
		if a, b := keyOf(t, k.fn, rec), keyOf(t, k.fn, other); (a == b) != same {
			t.Errorf("--key %s: got %q and %q for two messages with one body, want them equal: %v", text, a, b, same)
		}
	}
	if a, b := keyOf(t, mustKey(t, "/tenant").fn, rec), keyOf(t, mustKey(t, "/order_id").fn, rec); a == b {
		t.Errorf("got %q for two different fields", a)
	}
}

func mustKey(t *testing.T, text string) key {
	t.Helper()
	k, err := parseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyOf(t *testing.T, fn dedupe.KeyFunc, rec *consumer.Record) dedupe.Key {
	t.Helper()
	k, err := dedupe.KeyOf("test", fn, rec)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
