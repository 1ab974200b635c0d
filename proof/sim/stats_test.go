package sim_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/sim"
)

// The names in the JSON of the statistics are what other tools read, and every
// kind of trouble is there, be it none.
func TestStatsNames(t *testing.T) {
	line, err := json.Marshal(sim.NewStats())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Faults map[string]int `json:"faults"`
	}
	var all map[string]any
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &all); err != nil {
		t.Fatal(err)
	}
	want := "completions deliveries effects faults histories kept kills messages operations repeats requests runs schedules undecided"
	if names := strings.Join(slices.Sorted(maps.Keys(all)), " "); names != want {
		t.Errorf("the statistics have %q, want %q", names, want)
	}
	want = "5xx, applied after it was lost, bad checksum, clock offset, cut off from the store, deadline, delay, " +
		"delay past the lease, drop after apply, drop before, duplicate delivery, duplicate invocation, kill, " +
		"lost invocation response, partial batch failure, throttle, transaction holds its item, truncated answer"
	if names := strings.Join(slices.Sorted(maps.Keys(got.Faults)), ", "); names != want {
		t.Errorf("the faults are %q, want %q", names, want)
	}
}

// A play counts what it does: a delivery that the queue doubles, a clock that
// is ahead, a deadline that a handler meets, a process that is killed, and a
// fault only when it concerns the request.
func TestStats(t *testing.T) {
	got := sim.Play(t, sim.Plan{
		Mode: sim.Plain, Lease: 3000, Visibility: 20, Receives: 10, Calm: 10000, Duplicate: 100,
		Hosts:    []sim.Host{{Lambda: true, Slots: 1, Batch: 1, Workers: 1, Timeout: 3000, Offset: 100}},
		Keys:     []sim.Key{{Takes: 9000, Slow: 1}, {}},
		Messages: []sim.Message{{Key: 0}, {Key: 1, At: 5000}},
		Kills:    []sim.Kill{{At: sim.BeforeEffect}},
		Faults: []sim.Fault{
			{Side: sim.SQS, Op: "ReceiveMessage", Span: 1, Kind: sim.Entries, Mask: 255},
			{Side: sim.DynamoDB, Span: 1, Kind: sim.Throttle},
		},
	})
	if len(got.Broken) > 0 {
		t.Fatal(strings.Join(got.Broken, "\n"))
	}
	f := got.Stats.Faults
	if f[sim.DeliveredTwice] == 0 || f[sim.AnotherClock] == 0 || f[sim.PassedDeadlines] == 0 {
		t.Errorf("%v, want duplicate deliveries, clock offsets and deadlines", f)
	}
	if f[sim.Killed] != 1 || got.Stats.Kills != 1 || f[sim.Throttled] != 1 || f[sim.PartlyFailed] != 0 {
		t.Errorf("%v, want one kill, one throttled request, and no batch that failed in part", f)
	}
}

// A deadline is one of an invocation, however many handlers run meanwhile.
func TestStatsDeadline(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		p := sim.Plan{
			Mode: sim.Plain, Lease: 3000, Visibility: 20, Receives: 10, Calm: 10000,
			Hosts:    []sim.Host{{Lambda: true, Slots: 10, Batch: 10, Workers: 1, Timeout: 3000}},
			Keys:     []sim.Key{{Takes: 1000, Slow: 1}}, // all others come while it runs
			Messages: []sim.Message{{}},
		}
		for key := range 5 {
			p.Keys = append(p.Keys, sim.Key{Takes: 20000, Slow: 1, Ignores: ignores})
			p.Messages = append(p.Messages, sim.Message{Key: key + 1, At: 500})
		}
		got := sim.Play(t, p)
		if len(got.Broken) > 0 {
			t.Fatal(strings.Join(got.Broken, "\n"))
		}
		if n := got.Stats.Faults[sim.PassedDeadlines]; n != 1 {
			t.Errorf("handlers that ignore it %v: %d deadlines, want that of the one invocation", ignores, n)
		}
	}
}
