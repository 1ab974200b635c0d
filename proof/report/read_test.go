package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/sim"
)

// Each reader makes rows of what its part told, in an order of its own, and
// shows what was found, what failed and what was not tried.
func TestReaders(t *testing.T) {
	attr := func(test, json string) string { return "=== ATTR  " + test + " figures " + json + "\n" }
	pass := func(test string) string { return "--- PASS: " + test + " (0.01s)\n" }
	both := func(test, json string) string { return attr(test, json) + "    " + pass(test) }
	sound := both("TestStepMutants", `{"mistake":"x","found":true}`) + both("TestGuardMutants", `{"mistake":"z","found":true}`)
	for _, c := range []struct {
		name string
		read reader
		out  output
		want []string // lines of cells, and an exclamation mark for a failure
	}{
		{"model", readModel, output{held: true, log: "=== RUN   TestProperties\n" +
			both("TestProperties/b", `{"model":"short","workers":3,"faults":2,"states":1234567,"transitions":2,"depth":3}`) +
			both("TestProperties/a", `{"model":"at least once","workers":2,"faults":1,"states":1,"transitions":2,"depth":3,"violation":"a lease"}`) +
			both("TestStepMutants/x", `{"mistake":"x","found":true}`) + attr("TestStepMutants/y", `{"mistake":"y","found":false}`) +
			both("TestGuardMutants/z", `{"mistake":"z","found":true}`) + pass("TestGuardMutants")},
			[]string{
				"! at least once: 2 workers, 1 fault | model in Go | 1 states | FAILED: violated: a lease; 2 transitions, depth 3",
				"short: 3 workers, 2 faults | model in Go | 1,234,567 states | holds in every state; 2 transitions, depth 3",
				"! mistakes in the protocol | model in Go | 2 | FAILED: not found: y",
				"mistakes in the guard | model in Go | 1 | all found",
			}},
		{"model without room, and mutants that failed otherwise", readModel, output{log: "    --- FAIL: TestProperties/a (0.01s)\n" +
			attr("TestProperties/a", `{"model":"short","workers":3,"faults":2,"states":1,"transitions":2,"depth":3}`) + both("TestStepMutants/x", `{"mistake":"x","found":true}`)},
			[]string{
				"! short: 3 workers, 2 faults | model in Go | 1 states | FAILED: the test did not pass",
				"! mistakes in the protocol | model in Go | 1 | FAILED: the test did not pass",
				"! TestGuardMutants | model in Go | 0 | FAILED: it told no figures",
			}},
		{"model with a search of another name", readModel, output{held: true, log: sound +
			both("TestProps/a", `{"model":"short","workers":3,"faults":2,"states":1,"transitions":2,"depth":3}`)},
			[]string{
				"mistakes in the protocol | model in Go | 1 | all found",
				"mistakes in the guard | model in Go | 1 | all found",
				"! TestProperties | model in Go | 0 | FAILED: it told no figures",
			}},
		{"spin", readSpin, output{held: true, figures: []byte(`
			{"model": "AT_MOST_ONCE", "check": "assertions", "faults": 1, "violation": "", "states": 5, "transitions": 6, "depth": 7}
			{"model": "TRANSACTION", "check": "formula", "faults": 2, "violation": "acceptance cycle", "states": 5, "transitions": 6, "depth": 7}
			{"mistake": "KEEP_FENCE", "found": true}`)},
			[]string{
				"at most once: assertions, 1 fault | Spin | 5 states | holds in every state; 6 transitions, depth 7",
				"! transaction: the record comes to an end, 2 faults | Spin | 5 states | FAILED: violated: acceptance cycle; 6 transitions, depth 7",
				"mistakes in the protocol and the guard | Spin | 1 | all found",
			}},
		{"sim", readSim, output{held: true, figures: []byte(`{"schedules":2000,"kept":90,"messages":3,"deliveries":4,"effects":5,"repeats":1,
			"histories":6,"operations":7,"undecided":8,"faults":{"5xx":9,"something new":10,"drop before":1100,"truncated answer":0}}`)},
			[]string{
				"drawn schedules, each with some of what follows | simulation | 2,000 | nothing lost, nothing recorded ran again; " +
					"with those of the next line 3 messages, 4 deliveries, 5 effects, 1 of them repeated, each where the promise ends",
				"plays of schedules that failed once | simulation | 90 | nothing lost, nothing recorded ran again",
				"a request to SQS or DynamoDB lost before it was applied | simulation | 1,100 | nothing lost, nothing recorded ran again",
				"a request answered with a server error | simulation | 9 | nothing lost, nothing recorded ran again",
				"a response cut off | simulation | 0 | not tried",
				"something new | simulation | 10 | nothing lost, nothing recorded ran again",
				"DynamoDB, in the simulation | porcupine | 6 histories of a key | linearizable; 7 operations; " +
					"those of 8 schedules left open, where too much stayed unknown",
				"not tried: a response cut off",
			}},
		{"sim that failed", readSim, output{figures: []byte(`{"schedules":1,"effects":2,"repeats":1,"faults":{"5xx":9}}`)},
			[]string{
				"! drawn schedules, each with some of what follows | simulation | 1 | FAILED: the part failed; " +
					"with those of the next line 0 messages, 0 deliveries, 2 effects, 1 of them repeated",
				"! plays of schedules that failed once | simulation | 0 | FAILED: the part failed",
				"! a request answered with a server error | simulation | 9 | FAILED: the part failed",
				"! DynamoDB, in the simulation | porcupine | 0 histories of a key | FAILED: the part failed; 0 operations; " +
					"those of 0 schedules left open, where too much stayed unknown",
			}},
		{"linearizability", readLinear, output{held: true, log: both("TestMemory", `{"store":"memory","histories":200,"operations":4000,"unknown":9}`) +
			both("TestDynamoDB/x", `{"store":"DynamoDB","histories":2,"operations":4,"unknown":1,"faults":{"late":3,"requests lost":1000}}`) +
			both("TestBroken/x", `{"mistake":"stale reads","found":true}`) + pass("TestBroken") +
			attr("TestBolt", `{"store":"bbolt","histories":1,"operations":2,"unknown":0,"violation":"key"}`) +
			"SKIP bash -c cd proof && go test -v ./linear -run TestDynamoDBEndpoint -rounds 3: ministack did not start\n"},
			[]string{
				"DynamoDB, over a network that fails | porcupine | 2 histories of a key | linearizable; 4 operations, 1 of unknown outcome; " +
					"3 late, 1,000 requests lost",
				`! bbolt | porcupine | 1 histories of a key | FAILED: no order explains that of "key", or none was found in time; ` +
					"2 operations, 0 of unknown outcome",
				"memory | porcupine | 200 histories of a key | linearizable; 4,000 operations, 9 of unknown outcome",
				"stores with a mistake | porcupine | 1 | all found",
			}},
		{"linearizability of some", readLinear, output{log: both("TestMemory", `{"store":"memory","histories":0}`) +
			attr("TestBolt", `{"store":"bbolt","histories":3}`) + "--- FAIL: TestBolt (0.01s)\n" + both("TestDynamoDB/x", `{"store":"DynamoDB","histories":2}`)},
			[]string{
				"DynamoDB | porcupine | 2 histories of a key | linearizable; 0 operations, 0 of unknown outcome",
				"! bbolt | porcupine | 3 histories of a key | FAILED: the test did not pass",
				"memory | porcupine | 0 histories of a key | not tried",
				"! TestDynamoDBEndpoint | porcupine | 0 | FAILED: it told no figures",
				"! TestBroken | porcupine | 0 | FAILED: it told no figures",
				"not tried: memory",
			}},
		{"crash", readCrash, output{held: true, figures: []byte(`{"seed":1,"beds":[
			{"worker":"poll","store":"bbolt","orders":10,"effects":12,"kills":[{"point":"at random","kills":3,"doubled":0},{"point":"after an effect","kills":1,"doubled":2}]},
			{"worker":"lambda","store":"DynamoDB","orders":1,"effects":1,"kills":[{"point":"at random","kills":1,"doubled":1}],"faults":["o1 was lost"]}]}`)},
			[]string{
				"! the example worker killed with SIGKILL | crashes | 5 | FAILED: o1 was lost; 11 orders, 13 effects",
				"killed with SIGKILL at random: poll on bbolt | crashes | 3 | nothing lost, nothing again",
				"killed with SIGKILL after an effect: poll on bbolt | crashes | 1 | nothing lost; 2 effects again that were not recorded yet",
				"! killed with SIGKILL at random: lambda on DynamoDB | crashes | 1 | FAILED: see above",
			}},
		{"crash that was given up", readCrash, output{figures: []byte(`{"seed":1,"beds":[
			{"worker":"poll","store":"bbolt","orders":10,"effects":12,"kills":[{"point":"at random","kills":3}],"error":"the queue does not get empty\nthe worker said: x"},
			{"worker":"lambda","store":"bbolt","orders":1,"effects":1,"kills":[{"point":"at random","kills":1}]}]}`)},
			[]string{
				"! the example worker killed with SIGKILL | crashes | 4 | FAILED: poll on bbolt was given up: the queue does not get empty; 11 orders, 13 effects",
				"! killed with SIGKILL at random: poll on bbolt | crashes | 3 | FAILED: see above",
				"killed with SIGKILL at random: lambda on bbolt | crashes | 1 | nothing lost, nothing again",
			}},
		{"damage", readDamage, output{log: both("TestPowerFailure", `{"tried":120,"found":{"there":20,"lost":100}}`) +
			both("TestCrash", `{"tried":10,"found":null}`) + both("TestDiskThatLies", `{"tried":120}`) + both("TestTruncatedAnywhere", `{"tried":120}`) +
			both("TestPageOfGarbage", `{"tried":52}`) + both("TestPageFromBefore", `{"tried":520}`) + both("TestTreeThatIsNone", `{"tried":28}`) +
			both("TestDamagedUnderUse", `{"tried":1}`) + both("TestFreeListDamagedUnderUse", `{"tried":1}`) +
			"--- FAIL: TestGarbageInPages (0.01s)\n" + attr("TestPagesThatPointAway", `{"tried":4}`) + "--- FAIL: TestPagesThatPointAway (0.01s)\n"},
			[]string{
				"! TestGarbageInPages | damage | 0 | FAILED: it told no figures",
				"bbolt: a page of garbage | damage | 52 | refused, or every row there",
				"bbolt: a page, or all but the head, from before | damage | 520 | refused, or every row there",
				"bbolt: a worker killed while it writes | damage | 10 | nothing that was answered lost",
				"bbolt: garbage in the file while it is open | damage | 1 | an error of that call and of all later ones",
				"! bbolt: pages that lead out of the file, before and after it is opened | damage | 4 | FAILED: the test did not pass",
				"bbolt: sound pages that form no tree | damage | 28 | refused",
				"bbolt: the file cut off anywhere | damage | 120 | refused, or every row there",
				"bbolt: the list of free pages gone while the file is open | damage | 1 | an error of that call, and the file can be closed",
				"bbolt: the power fails in mid-transaction | damage | 120 | nothing that was answered lost, the last transaction whole or not there " +
					"(100 lost, 20 there)",
				"bbolt: the power fails on a disk that lies about syncs | damage | 120 | refused, or every row there",
			}},
		{"mutations", readMutations, output{held: true, figures: []byte(`[{"area":"protocol","name":"a","package":"dedupe","test":"TestA"},
			{"area":"guard","name":"b"},{"area":"protocol","name":"c","package":"proof/linear","test":"TestC"},{"area":"guard","name":"d","package":"dedupe","test":"TestD"}]`)},
			[]string{
				"protocol | mutations | 2 | all caught: 1 by dedupe, 1 by proof/linear",
				"! guard | mutations | 2 | FAILED: SURVIVED: b; caught: 1 by dedupe",
			}},
		{"fuzz", readFuzz, output{held: true, figures: []byte(`[{"target":"sources.FuzzA","execs":1000,"seconds":3,"findings":0},
			{"target":"sources.FuzzB","execs":0,"seconds":3,"findings":0},{"target":"dedupe.FuzzC","execs":5,"seconds":3,"findings":1},
			{"target":"batch.FuzzD","execs":0,"seconds":3,"findings":0}]`)},
			[]string{
				"sources | 2 fuzz targets | 1,000 inputs | nothing found; not tried: sources.FuzzB",
				"! dedupe | 1 fuzz target | 5 inputs | FAILED: in dedupe.FuzzC",
				"batch | 1 fuzz target | 0 inputs | not tried",
				"not tried: sources.FuzzB", "not tried: batch",
			}},
	} {
		rows, err := c.read(c.out)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		idle := notTried(rows)
		var got []string
		for _, r := range rows {
			line := strings.Join(r.cells(), " | ")
			if r.Failed {
				line = "! " + line
			}
			got = append(got, line)
		}
		got = append(got, idle...)
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// The simulation and this program name the same troubles.
func TestTroubles(t *testing.T) {
	var ours []string
	for _, kind := range troubles() {
		ours = append(ours, kind[0])
	}
	slices.Sort(ours)
	if theirs := slices.Sorted(maps.Keys(sim.NewStats().Faults)); !slices.Equal(ours, theirs) {
		t.Errorf("got %q, want %q", ours, theirs)
	}
}

// What cannot be read is an error, not a part without figures.
func TestReadersRefuse(t *testing.T) {
	broken := output{held: true, figures: []byte(`{"mist`), log: "=== ATTR  TestProperties/a figures {\n=== ATTR  TestBroken/a figures {\n"}
	for _, p := range parts(settings{}) {
		if p.name == "damage" {
			broken.log = strings.ReplaceAll(broken.log, "TestProperties/a", "TestCrash")
		}
		if rows, err := p.read(broken); err == nil {
			t.Errorf("%s: got %v and no error", p.name, rows)
		}
	}
}
