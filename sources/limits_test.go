package sources_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources"
)

// nested returns arrays within arrays.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// An event of the largest size is read, and one that is nested too deep is an
// error: neither takes the stack or the time away.
func TestEventBridgeLimits(t *testing.T) {
	const size = 1 << 20
	for name, detail := range map[string]string{
		"long string":  `{"a":"` + strings.Repeat("x", size) + `"}`,
		"escapes":      `{"a":"` + strings.Repeat(`\u00e9`, size/6) + `"}`,
		"many members": `{"a":[` + strings.Repeat(`{"k":1},`, size/8) + `{}]}`,
		"deep":         `{"a":` + nested(9_000) + `}`,
	} {
		rec := delivery([]byte(`{"id":"i","source":"s","detail-type":"t","detail":` + detail + `}`))
		if err := sources.EventBridge(rec); err != nil || !bytes.Equal(rec.Body, []byte(detail)) {
			t.Errorf("%s: %v, body of %d bytes, want %d", name, err, len(rec.Body), len(detail))
		}
	}
	for _, body := range []string{
		`{"id":"i","source":"s","detail-type":"t","detail":{"a":` + nested(1_000_000/2) + `}}`,
		`{"x":` + nested(20_000) + `,"id":"i","source":"s","detail-type":"t","detail":{}}`,
		strings.Repeat("[", size), strings.Repeat(`{"a":`, size/5),
	} {
		rec := delivery([]byte(body))
		if err := sources.EventBridge(rec); !errors.Is(err, sources.ErrNotEnvelope) || !same(rec, delivery([]byte(body))) {
			t.Errorf("%.40s...: %v, want ErrNotEnvelope and an unchanged record", body, err)
		}
	}
}
