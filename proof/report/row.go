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
		{string(histories), "what was heard of"},
		{string(defects), "where the defects were"},
		{string(inputs), "what read it"},
	}
}

// reader makes rows of what a part left behind. When the part failed, no row
// says that all is well.
type reader func(output) ([]row, error)

// verdict returns a result that is good unless the part failed.
func (o output) verdict(good string) (result string, bad bool) {
	if o.held {
		return good, false
	}
	return "the part failed", true
}

// attribute is what one test told.
type attribute struct {
	test string
	json []byte
}

var attributeLine = regexp.MustCompile(`(?m)^=== ATTR  (\S+) ` + figures.Key + ` (.*)$`)

// attributes returns what the tests in the log told, those whose name begins
// so.
func (o output) attributes(begins string) (all []attribute) {
	for _, m := range attributeLine.FindAllStringSubmatch(o.log, -1) {
		if strings.HasPrefix(m[1], begins) {
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
