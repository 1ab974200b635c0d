package e2e_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The template grants the actions on the table that the store and its check
// need by the package comment of dynamodedupe, and no other.
func TestTemplatePermissions(t *testing.T) {
	doc := read(t, "../dedupe/dynamodedupe/doc.go")
	_, needs, _ := strings.Cut(doc, "# Permissions")
	needs, _, found := strings.Cut(needs, "Sweep needs")
	if !found {
		t.Fatal("the package comment of dynamodedupe has no section on permissions that ends with those of Sweep")
	}
	got, want := actions(read(t, "../template.yaml")), actions(needs)
	if !slices.Equal(got, want) {
		t.Errorf("got actions %q, want %q", got, want)
	}
}

// actions returns the actions on a table that text names.
func actions(text string) []string {
	found := map[string]bool{}
	for _, action := range regexp.MustCompile(`dynamodb:[A-Z]\w+`).FindAllString(text, -1) {
		found[action] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// The numbers of the template fit together: who changes one is told of the
// others.
func TestTemplateNumbers(t *testing.T) {
	template := read(t, "../template.yaml")
	numbers := func(name string, count int) []int {
		t.Helper()
		var all []int
		for _, m := range regexp.MustCompile(`\b`+name+`: (\d+)`).FindAllStringSubmatch(template, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
		if len(all) != count {
			t.Fatalf("%s: got %v, want %d numbers", name, all, count)
		}
		return all
	}
	timeout := numbers("Timeout", 1)[0]
	visibility, receives := numbers("VisibilityTimeout", 2), numbers("maxReceiveCount", 2)
	for i := range visibility {
		if visibility[i] < 6*timeout || visibility[i] != visibility[0] {
			t.Errorf("got visibility timeout %d, want 6 times the function's, %d, and one for all", visibility[i], 6*timeout)
		}
		if receives[i] < 5 || receives[i] != receives[0] {
			t.Errorf("got maxReceiveCount %d, want at least 5, and one for all", receives[i])
		}
	}
	const day, days = 24 * 60 * 60, 14
	for _, seconds := range numbers("MessageRetentionPeriod", 5) {
		if seconds != days*day {
			t.Errorf("got a retention of %d seconds, want %d days", seconds, days)
		}
	}
	if hours := numbers("RETAIN", 1)[0]; hours != (days+days+7)*24 {
		t.Errorf("finished work is remembered for %d hours, want that of both queues and a week", hours)
	}
	if lease := numbers("LEASE", 1)[0]; lease > timeout || lease >= 60 {
		t.Errorf("got a lease of %d seconds, want one that ends with the function, before Lambda's first retry", lease)
	}
	for _, threshold := range numbers("Threshold", 5) {
		if threshold != 0 && threshold != visibility[0]*receives[0] {
			t.Errorf("got an alarm at an age of %d seconds, want what all receives take, %d", threshold, visibility[0]*receives[0])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
