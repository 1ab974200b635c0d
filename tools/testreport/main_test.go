package main

import (
	"strings"
	"testing"
)

// A passing run shows the package's closing line, every skip with its reason, and the counts, and nothing else.
func TestPassingRun(t *testing.T) {
	got, ok := run(t,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"output","Package":"p","Output":"-test.shuffle 12\n"}`,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: no such server\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestB"}`,
		`{"Action":"output","Package":"p","Output":"PASS\n"}`,
		`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	want := "ok  \tp\t0.1s\nSKIP p TestB: b_test.go:9: no such server\n1 passed, 0 failed, 1 skipped\n"
	if got != want || !ok {
		t.Errorf("got ok=%v\n%s\nwant ok=true\n%s", ok, got, want)
	}
}

// A failing run shows everything that the failed tests printed, those that a panic kept from ending included.
func TestFailingRun(t *testing.T) {
	got, ok := run(t,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"panic: lost\n"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
		`{"Action":"fail","Package":"p"}`,
	)
	want := "--- FAIL: TestA\nFAIL\tp\t0.1s\npanic: lost\n0 passed, 1 failed, 0 skipped\n"
	if got != want || ok {
		t.Errorf("got ok=%v\n%s\nwant ok=false\n%s", ok, got, want)
	}
}

// A package that does not compile fails the run and shows the compiler's words.
func TestBrokenBuild(t *testing.T) {
	got, ok := run(t,
		`{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}`,
		`{"ImportPath":"p","Action":"build-fail"}`,
	)
	want := "p.go:1: syntax error\n"
	if got != want || ok {
		t.Errorf("got ok=%v\n%s\nwant ok=false\n%s", ok, got, want)
	}
}

func run(t *testing.T, lines ...string) (out string, ok bool) {
	t.Helper()
	var b strings.Builder
	ok, err := summarize(strings.NewReader(strings.Join(lines, "\n")), &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), ok
}
