package dedupe_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A body that is nested 100,000 levels deep, closed or not, is an error of its
// record, and takes neither the stack nor much memory or time; a key that
// does not look into the body is made.
func TestDeepBodies(t *testing.T) {
	const depth = 100_000
	arrays := strings.Repeat("[", depth)
	objects := strings.Repeat(`{"a":`, depth)
	for name, body := range map[string]string{
		"arrays":            arrays + strings.Repeat("]", depth),
		"objects":           objects + "1" + strings.Repeat("}", depth),
		"arrays, open":      arrays,
		"objects, open":     objects,
		"in a member":       `{"id":"x","b":` + arrays + strings.Repeat("]", depth) + `}`,
		"in the key":        `{"id":` + arrays + strings.Repeat("]", depth) + `}`,
		"before the key":    `{"b":` + objects + "1" + strings.Repeat("}", depth) + `,"id":"x"}`,
		"both, in turns":    strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat("}]", depth/2),
		"where it looks":    `{"id":` + strings.Repeat(`{"id":`, depth) + "1" + strings.Repeat("}", depth+1),
		"closed too often":  strings.Repeat("]", depth),
		"in an empty name":  strings.Repeat(`{"":`, depth) + "1" + strings.Repeat("}", depth),
		"with white space":  strings.Repeat("[ \n", depth) + strings.Repeat("]\t", depth),
		"numbers in a line": strings.Repeat("[1,", depth) + "1" + strings.Repeat("]", depth),
	} {
		rec := &consumer.Record{ID: "m1", Body: []byte(body)}
		began := time.Now()
		bytes := allocated(func() {
			for _, pointers := range [][]string{{"/id"}, {"/id/id", "/b", "/a/0"}, {""}} {
				key, err := dedupe.KeyOf("orders", dedupe.Field(pointers...), rec)
				if key != "" {
					t.Errorf("%s: key %s", name, key)
				}
				wantKeyError(t, err, "body", dedupe.ErrNotJSON)
			}
		})
		if most := uint64(4*len(body) + 16<<20); bytes > most {
			t.Errorf("%s: %d bytes of memory for %d of body, want at most %d", name, bytes, len(body), most)
		}
		for _, fn := range []dedupe.KeyFunc{dedupe.ID, dedupe.BodyHash} {
			if _, err := dedupe.KeyOf("orders", fn, rec); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(began); took > 10*time.Second { // it takes a few milliseconds
			t.Errorf("%s: took %v", name, took)
		}
	}
}
