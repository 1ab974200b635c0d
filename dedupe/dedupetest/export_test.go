package dedupetest

import "testing"

// Failures runs every case of the suite on stores of h and returns what the
// broken rules said, by the name of the case.
func Failures(t *testing.T, h Harness) map[string]error {
	failed := make(map[string]error)
	for _, c := range cases() {
		if c.synctest && !h.Synctest {
			continue
		}
		if err := c.check(t, h); err != nil {
			failed[c.name] = err
		}
	}
	return failed
}
