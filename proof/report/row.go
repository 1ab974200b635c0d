package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// row is one line of the table: what was tried, how often, what came of it.
type row struct {
	About  subject `json:"about"`
	What   string  `json:"what"`
	By     string  `json:"by"`
	Times  int     `json:"times"`
	Unit   string  `json:"unit,omitempty"` // of times; empty where the subject says it
	Result string  `json:"result"`
	Failed bool    `json:"failed,omitempty"`

	NotTried []string `json:"not_tried,omitempty"` // of what it is about
}

// subject is what rows have in common, whatever part they come from.
type subject string

// The subjects.
const (
	faults    subject = "Faults"
	searches  subject = "Everything that can happen"
	histories subject = "Histories"
	defects   subject = "Defects that tests must notice"
	inputs    subject = "Hostile input"
)

// subjects are all of them, in the order of the table, with their column of
// things that were tried.
func subjects() [][2]string {
	return [][2]string{
		{string(faults), "what went wrong"},
		{string(searches), "what was searched"},
		{string(histories), "whose answers were judged"},
		{string(defects), "where the defects were"},
		{string(inputs), "what read it"},
	}
}

// reader makes rows of what a part left behind. No row says that all is well
// when its test, or its part where it has no test of its own, has failed.
type reader func(output) ([]row, error)

// verdict returns a result that is good unless the part failed.
func (o output) verdict(good string) (result string, bad bool) {
	if o.held {
		return good, false
	}
	return "the part failed", true
}

// of returns the row of a test: a failure unless the test has passed.
func (o output) of(test string, r row) row {
	passed := regexp.MustCompile(`(?m)^ *--- PASS: ` + regexp.QuoteMeta(test) + ` \(`)
	if !r.Failed && !passed.MatchString(o.log) {
		r.Result, r.Failed = "the test did not pass", true
	}
	return r
}

// silent returns a failure for each of these tests that told nothing, and was
// not skipped: it may have failed early, or go by another name now.
func (o output) silent(about subject, by string, tests ...string) (rows []row) {
	for _, test := range tests {
		skipped := regexp.MustCompile(`(?m)^[ \t]*(?:--- )?SKIP\b.*\b` + test + `\b`)
		if len(o.attributes(test)) == 0 && !skipped.MatchString(o.log) {
			rows = append(rows, row{About: about, What: test, By: by, Result: "it told no figures", Failed: true})
		}
	}
	return rows
}

// notTried has rows say so of which nothing was tried, and returns all that was
// not.
func notTried(rows []row) (all []string) {
	for i := range rows {
		r := &rows[i]
		if r.Times == 0 && !r.Failed {
			r.Result, r.NotTried = "not tried", []string{r.What}
		}
		for _, what := range r.NotTried {
			all = append(all, "not tried: "+what)
		}
	}
	return all
}

// attribute is what one test told.
type attribute struct {
	test string
	json []byte
}

var attributeLine = regexp.MustCompile(`(?m)^=== ATTR  (\S+) ` + figures.Key + ` (.*)$`)

// attributes returns what this test in the log and its subtests told, what all
// told when it has no name.
func (o output) attributes(test string) (all []attribute) {
	for _, m := range attributeLine.FindAllStringSubmatch(o.log, -1) {
		if test == "" || m[1] == test || strings.HasPrefix(m[1], test+"/") {
			all = append(all, attribute{m[1], []byte(m[2])})
		}
	}
	return all
}

// told decodes what tests told.
func told[T any](of []attribute) ([]T, error) {
	all := make([]T, len(of))
	for i, a := range of {
		if err := json.Unmarshal(a.json, &all[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", a.test, err)
		}
	}
	return all, nil
}

// inOrder sorts rows of tests that are run in any order.
func inOrder(rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.What, b.What) })
}

// several writes a number with its noun.
func several(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
