package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// Every defect is in the code once, changes it, has a name of its own and a
// check; a change of the code that moves one of them must change the list.
func TestDefectsApply(t *testing.T) {
	names := map[string]bool{}
	for _, d := range defects() {
		text, err := d.apply("../..")
		if err != nil {
			t.Error(err)
		}
		if names[d.name] || d.old == d.new || len(d.checks) == 0 || d.breaks == "" || !bytes.Contains(text, []byte(d.new)) {
			t.Errorf("%s: a name that is taken, no change, no check or no sentence", d.name)
		}
		names[d.name] = true
	}
	if len(names) < 30 {
		t.Errorf("got %d defects, want 30 at least", len(names))
	}
}

// A sample has the first defect of each area before the second of any.
func TestChoose(t *testing.T) {
	all := []defect{{area: "a", name: "a1"}, {area: "a", name: "a2"}, {area: "b", name: "b1"}, {area: "b", name: "b2"}, {area: "c", name: "c1"}}
	for _, c := range []struct {
		only string
		n    int
		want string
	}{{"", 0, "a1 a2 b1 b2 c1"}, {"", 3, "a1 b1 c1"}, {"", 4, "a1 b1 c1 a2"}, {"", 9, "a1 a2 b1 b2 c1"}, {"2", 1, "a2"}, {"x", 0, ""}} {
		var got []string
		for _, d := range choose(slices.Clone(all), c.only, c.n) {
			got = append(got, d.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%d of %q: got %q, want %s", c.n, c.only, got, c.want)
		}
	}
}

// A defect that its check notices is caught by that test, one that it does not
// notice survives, and one that does not compile is an error.
func TestTry(t *testing.T) {
	b, err := newBench("../..", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer b.remove()
	bounds := []check{of("dedupe", "^TestStepBounds$")}
	d := defect{name: "d", file: stepFile, old: "if now < row.LeaseEnd {", checks: bounds}
	for _, c := range []struct{ text, by, err string }{
		{"if now <= row.LeaseEnd {", "TestStepBounds", ""},
		{"if row.LeaseEnd > now {", "", ""},
		{"if now < {", "", "build failed"},
	} {
		d.new = c.text
		r, err := b.try(context.WithoutCancel(t.Context()), &d)
		if r.by != c.by || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: caught by %q, error %v; want %q and error %q", c.text, r.by, err, c.by, c.err)
		}
	}
	d.checks = []check{of("dedupe", "^TestThereIsNone$")}
	if _, err := b.try(t.Context(), &d); err == nil {
		t.Error("a check without tests proves nothing, and is no error")
	}
}

// The figures name the package and the test that caught a defect, and no test
// where it survived.
func TestCounted(t *testing.T) {
	got := counted([]result{
		{defect: &defect{area: "guard", name: "a", file: "f.go", breaks: "b"}, by: "TestA", check: of("dedupe"), took: 1500 * time.Millisecond},
		{defect: &defect{name: "c"}, by: "TestC", check: check{dir: "proof", pkg: "./linear"}},
		{defect: &defect{name: "d"}},
	})
	want := []figures.Mutation{
		{Area: "guard", Name: "a", File: "f.go", Breaks: "b", Package: "dedupe", Test: "TestA", Seconds: 1.5},
		{Name: "c", Package: "proof/linear", Test: "TestC"}, {Name: "d"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The table names the package of a test by its folder in the repository, and
// what survived.
func TestReport(t *testing.T) {
	got := report([]result{
		{defect: &defect{name: "c", file: "f.go", breaks: "b"}, by: "TestC", check: check{dir: "proof", pkg: "./linear"}},
		{defect: &defect{name: "d"}},
	}, time.Second)
	for _, want := range []string{"1 of 2 defects", "| f.go | c | b | proof/linear TestC |", "| d |  | **nothing** |"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
}
