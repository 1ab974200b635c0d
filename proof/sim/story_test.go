package sim_test

import (
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/sim"
)

// A finding comes with the story of its key: where its messages went, what
// workers said, which faults they met, and what is left.
func TestStory(t *testing.T) {
	p := sim.Plan{
		Mode: sim.Plain, Lease: 3000, Visibility: 5, Receives: 3, Calm: 1000,
		Hosts:    []sim.Host{{Slots: 1}},
		Keys:     []sim.Key{{Fails: 1 << 20, How: sim.Retries}, {}}, // no redrive helps
		Messages: []sim.Message{{Key: 0}, {Key: 1}},
		Faults:   []sim.Fault{{Side: sim.DynamoDB, Span: 1, Kind: sim.DelayResponse, Ms: 100}},
	}
	got := strings.Join(sim.Play(t, p).Broken, "\n")
	for _, want := range []string{
		"messages come back to the dead-letter queue from every redrive although nothing goes wrong",
		"key-000: is lost",
		"all of key-000",
		"queue work, for the 1. time of 3",
		"a/1 meets delay (100ms) of its ",
		`a/1 says claimed {"id":"key-000","message":0} fence `,
		"run on a/1 from ",
		`at the end: row "FAILED"; `,
		" in queue dead, received 3 times",
		"sqstest.Move of ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the finding does not say %q", want)
		}
	}
	if n := strings.Count(got, "for the 1. time of 3"); n != 9 {
		t.Errorf("the message is followed through %d lives, want its own and 8 redrives", n)
	}
	if strings.Contains(got, `"key-001"`) {
		t.Error("the story of key-000 tells of key-001")
	}
	if t.Failed() {
		t.Log(got)
	}
}
