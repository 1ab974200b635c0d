package main

import (
	"strings"
	"testing"
)

// Each reader makes rows of what its part told, in an order of its own, and
// shows what was found.
func TestReaders(t *testing.T) {
	attr := func(test, json string) string { return "=== ATTR  " + test + " figures " + json + "\n" }
	for _, c := range []struct {
		name string
		read reader
		out  output
		want []string // lines of cells, and an exclamation mark for a failure
	}{
		{"model", readModel, output{held: true, log: "=== RUN   TestProperties\n" +
			attr("TestProperties/b", `{"model":"short","workers":3,"faults":2,"states":1234567,"transitions":2,"depth":3}`) +
			attr("TestProperties/a", `{"model":"at least once","workers":2,"faults":1,"states":1,"transitions":2,"depth":3,"violation":"a lease"}`) +
			attr("TestStepMutants/x", `{"mistake":"x","found":true}`) + attr("TestStepMutants/y", `{"mistake":"y","found":false}`) +
			attr("TestGuardMutants/z", `{"mistake":"z","found":true}`)},
			[]string{
				"! at least once: 2 workers, 1 fault | model in Go | 1 states | FAILED: violated: a lease; 2 transitions, depth 3",
				"short: 3 workers, 2 faults | model in Go | 1,234,567 states | holds in every state; 2 transitions, depth 3",
				"! mistakes in the protocol | model in Go | 2 | FAILED: not found: y",
				"mistakes in the guard | model in Go | 1 | all found",
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
		{"sim", readSim, output{held: true, figures: []byte(`{"schedules":2000,"messages":3,"deliveries":4,"effects":5,"repeats":1,
			"histories":6,"operations":7,"undecided":8,"faults":{"5xx":9,"something new":10,"drop before":1100}}`)},
			[]string{
				"drawn schedules, each with some of what follows | simulation | 2,000 | nothing lost, nothing recorded ran again; " +
					"3 messages, 4 deliveries, 5 effects, 1 of them repeated, each where the promise ends",
				"a request to SQS or DynamoDB lost before it was applied | simulation | 1,100 | nothing lost, nothing recorded ran again",
				"a request answered with a server error | simulation | 9 | nothing lost, nothing recorded ran again",
				"something new | simulation | 10 | nothing lost, nothing recorded ran again",
				"DynamoDB, in the simulation | porcupine | 6 histories of a key | linearizable; 7 operations; " +
					"those of 8 schedules left open, where too much stayed unknown",
			}},
		{"sim that failed", readSim, output{figures: []byte(`{"schedules":1,"faults":{"5xx":9}}`)},
			[]string{
				"! drawn schedules, each with some of what follows | simulation | 1 | FAILED: the part failed; " +
					"0 messages, 0 deliveries, 0 effects, 0 of them repeated, each where the promise ends",
				"! a request answered with a server error | simulation | 9 | FAILED: the part failed",
				"! DynamoDB, in the simulation | porcupine | 0 histories of a key | FAILED: the part failed; 0 operations; " +
					"those of 0 schedules left open, where too much stayed unknown",
			}},
		{"linearizability", readLinear, output{held: true, log: attr("TestMemory", `{"store":"memory","histories":200,"operations":4000,"unknown":9}`) +
			attr("TestDynamoDB/x", `{"store":"DynamoDB","histories":2,"operations":4,"unknown":1,"faults":{"late":3,"requests lost":1000}}`) +
			attr("TestBroken/x", `{"mistake":"stale reads","found":true}`) +
			attr("TestBolt", `{"store":"bbolt","histories":1,"operations":2,"unknown":0,"violation":"key"}`)},
			[]string{
				"DynamoDB, with faults of the network | porcupine | 2 histories of a key | linearizable; 4 operations, 1 of unknown outcome; " +
					"3 late, 1,000 requests lost",
				`! bbolt | porcupine | 1 histories of a key | FAILED: no order explains that of "key", or none was found in time; ` +
					"2 operations, 0 of unknown outcome",
				"memory | porcupine | 200 histories of a key | linearizable; 4,000 operations, 9 of unknown outcome",
				"stores with a mistake | porcupine | 1 | all found",
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
		{"damage", readDamage, output{held: true, log: attr("TestPowerFailure", `{"tried":120,"found":{"there":20,"lost":100}}`) +
			attr("TestNew", `{"tried":1,"found":null}`)},
			[]string{
				"bbolt: TestNew | damage | 1 | as its test says",
				"bbolt: the power fails in mid-transaction | damage | 120 | nothing that was answered lost, the last transaction whole or not there " +
					"(100 lost, 20 there)",
			}},
		{"mutations", readMutations, output{held: true, figures: []byte(`[{"area":"protocol","name":"a","package":"dedupe","test":"TestA"},
			{"area":"guard","name":"b"},{"area":"protocol","name":"c","package":"proof/linear","test":"TestC"},{"area":"guard","name":"d","package":"dedupe","test":"TestD"}]`)},
			[]string{
				"protocol | mutations | 2 | all caught: 1 by dedupe, 1 by proof/linear",
				"! guard | mutations | 2 | FAILED: SURVIVED: b; caught: 1 by dedupe",
			}},
		{"fuzz", readFuzz, output{held: true, figures: []byte(`[{"target":"sources.FuzzA","execs":1000,"seconds":3,"findings":0},
			{"target":"sources.FuzzB","execs":0,"seconds":3,"findings":0},{"target":"dedupe.FuzzC","execs":5,"seconds":3,"findings":1}]`)},
			[]string{
				"sources | 2 fuzz targets | 1,000 inputs | nothing found; no time was left for sources.FuzzB",
				"! dedupe | 1 fuzz target | 5 inputs | FAILED: in dedupe.FuzzC",
			}},
	} {
		rows, err := c.read(c.out)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var got []string
		for _, r := range rows {
			line := strings.Join(r.cells(), " | ")
			if r.Failed {
				line = "! " + line
			}
			got = append(got, line)
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
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
