package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/emfobserver"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// All that an invocation counts is written when it answers: the function is
// frozen then.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		metrics := emfobserver.New(&out, emfobserver.Options{Consumer: "test"})
		guard := newGuard(dedupe.Options{Observer: metrics})
		function := lambdasource.SQS(guard, consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
			if string(rec.Body) == "bad" {
				return errRefused
			}
			return nil
		}), lambdasource.Options{Observer: metrics})
		for _, c := range []struct {
			bodies []string
			want   map[string]int
		}{
			{[]string{"a", "b", "bad"}, map[string]int{"claimed": 3, "completed": 2, "released": 1, "failed": 1, "done": 2}},
			{[]string{"a", "c"}, map[string]int{"claimed": 1, "completed": 1, "duplicate": 1, "done": 2}},
		} {
			if _, err := function.Invoke(t.Context(), batchOf(t, c.bodies...)); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for dec := json.NewDecoder(&out); ; {
				var line struct {
					Outcome string
					Events  int
				}
				if err := dec.Decode(&line); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				got[line.Outcome] += line.Events
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("after %v: got %v, want %v", c.bodies, got, c.want)
			}
			out.Reset()
		}
	})
}
