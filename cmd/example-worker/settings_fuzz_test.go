package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// plain returns settings that can be compared.
func plain(s settings) settings {
	s.key.fn = nil
	return s
}

// Whatever a flag or its variable says, it is refused as a mistake of the
// caller, in one line that names it, or it is a setting that both ways of
// giving it have in common and with which work is done once.
func FuzzSettings(f *testing.F) {
	for _, seed := range [][2]string{
		{"key", "/order_id"}, {"key", "/tenant,/order_id"}, {"key", "/a,/a/b"}, {"key", "/~2"}, {"key", "/é\n,"}, {"store", "bolt:/tmp/x"}, {"store", "redis://x"},
		{"lease", "2562047h47m16.854775807s"}, {"lease", "-1s"}, {"lease", "5ms"}, {"lease", "10ms"}, {"retain", "1ms"}, {"retain", "2562047h"}, {"concurrency", "9999999999999999999"}, {"concurrency", "1"},
		{"effect-url", "http://[::1]:80/x?y"}, {"effect-url", "http://a\x00b"}, {"effect-url", "https://%41:99999"}, {"queue-url", "http://x/y"}, {"health-listen", "[::1]:0"},
		{"consumer", "\xff\n"}, {"consumer", ""}, {"source", "sqs+sns"}, {"replay", "reprocess"}, {"log-level", "Debug"}, {"abandon-polls", "T"}, {"no such\n", "x"}, {"messages", "1"},
	} {
		for i := range commands() {
			f.Add(uint8(i), seed[0], seed[1])
		}
	}
	f.Fuzz(func(t *testing.T, number uint8, name, text string) {
		c := commands()[int(number)%len(commands())]
		none := map[string]string{"STORE": "memory:", "QUEUE_URL": "http://x/q", runtimeAPI: "x"}
		if c.name == "demo" || c.name == "duplicates" {
			none = nil
		}
		parse := func(env map[string]string, args ...string) (settings, bool) {
			s, err := c.parse(args, func(name string) string {
				if text, ok := env[name]; ok {
					return text
				}
				return none[name]
			})
			if errors.Is(err, flag.ErrHelp) {
				return settings{}, false
			}
			if _, ok := errors.AsType[usageError](err); err != nil && (!ok || strings.ContainsAny(oneLine(err), "\r\n\t") || oneLine(err) == "") {
				t.Fatalf("%s %q: %v (%T), want a usage error", c.name, args, err, err)
			}
			return s, err == nil
		}
		s, ok := parse(nil, "--"+name+"="+text)
		if name == "" || strings.ContainsAny(name, "=") || text == "" || strings.HasPrefix(name, "-") {
			return
		}
		known := newFlagSet(c.name)
		c.flags(known, new(settings))
		if known.Lookup(name) == nil {
			if ok {
				t.Fatalf("%s took the flag %q", c.name, name)
			}
			return
		}
		other, also := parse(map[string]string{variable(name): text})
		if ok != also || ok && !reflect.DeepEqual(plain(s), plain(other)) {
			t.Fatalf("%s: --%s=%q gives %+v, %v, its variable %+v, %v", c.name, name, text, s, ok, other, also)
		}
		if ok {
			synctest.Test(t, func(t *testing.T) { wantOnce(t, s) }) // where no retention passes meanwhile
		}
	})
}

// wantOnce does some work twice with these settings.
func wantOnce(t *testing.T, s settings) {
	t.Helper()
	for _, url := range []string{s.effectURL, s.queueURL} {
		if _, err := http.NewRequest(http.MethodPost, url, nil); url != "" && err != nil { //nolint:noctx // it is not sent
			t.Fatalf("%+v: %v", s, err)
		}
	}
	if s.consumer == "" || s.key.fn == nil { // no command of a worker
		return
	}
	guard, runs := s.guard(memdedupe.New(), nil), 0
	for range 2 {
		rec := &consumer.Record{ID: "m1", Body: []byte(`{"order_id":"A-1","tenant":{"id":1}}`)}
		_, err := guard.Handle(t.Context(), rec, consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
			runs++
			return nil
		}))
		if _, noKey := errors.AsType[*dedupe.KeyError](err); noKey && runs == 0 {
			return
		}
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
	}
	if runs != 1 {
		t.Fatalf("%+v: %d runs", s, runs)
	}
}
