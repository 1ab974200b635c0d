package main

import (
	"errors"
	"strings"
	"testing"
)

// A part that failed shows as FAILED, in the document and in print, beside
// those that held.
func TestTable(t *testing.T) {
	r := report{
		Measured: measurement{How: "make proof", Seconds: 61, Go: "go1.26.8", OS: "linux/amd64", Cores: 2, Commit: "commit abc", Date: "2026-11-21"},
		Parts: []result{
			{Title: "crashes: 2 kills", State: held, Seconds: 1.4, Rows: []row{{About: faults, What: "a | b", By: "crashes", Times: 1200, Result: "nothing lost"}}},
			{Title: "fuzz", State: failed, Reason: "exit status 2", Seconds: 59, Rows: []row{{About: inputs, What: "dedupe", Times: 3, Unit: "inputs", Result: "in FuzzA", Failed: true}}},
			{Title: "spin", State: notRun, Reason: "missing: spin"},
			{Title: "histories", State: heldInPart, LeftOut: []string{"no ministack"}},
		},
	}
	want := "Measured by `make proof` in 1m1s with go1.26.8 on linux/amd64, 2 cores, at commit abc on 2026-11-21.\n" + `
| part | result | s |
|---|---|---|
| crashes: 2 kills | held | 1 |
| fuzz | **FAILED**; exit status 2 | 59 |
| spin | **NOT RUN**; missing: spin | 0 |
| histories | held in part; no ministack | 0 |

### Faults

| what went wrong | tried by | how often | what came of it |
|---|---|---|---|
| a \| b | crashes | 1,200 | nothing lost |

### Hostile input

| what read it | tried by | how often | what came of it |
|---|---|---|---|
| dedupe |  | 3 inputs | **FAILED**: in FuzzA |
`
	if got := r.markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, want := range []string{"fuzz              FAILED; exit status 2       59\n", "a | b            crashes   1,200      nothing lost\n", "FAILED: in FuzzA\n"} {
		if got := r.text(); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
	if r.held() {
		t.Error("held, though a part failed")
	}
	r.Parts = r.Parts[:1]
	if !r.held() {
		t.Error("did not hold, though every part did")
	}
}

// Figures replace what stands between the marks, and nothing else; a text
// without them, each once and in order, is refused.
func TestReplace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a\n" + beginMark + "old\n" + endMark + "b\n", "a\n" + beginMark + "new\n" + endMark + "b\n"},
		{beginMark + endMark, beginMark + "new\n" + endMark},
		{"a\n", ""},
		{beginMark + "a\n", ""},
		{"a\n" + endMark, ""},
		{endMark + beginMark, ""},
		{beginMark + beginMark + endMark, ""},
		{beginMark + endMark + endMark, ""},
	} {
		got, err := replace(c.text, "new\n")
		if got != c.want || (c.want == "") != errors.Is(err, errMarks) {
			t.Errorf("%q: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
}

// Numbers have their thousands apart.
func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
