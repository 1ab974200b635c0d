package powertools_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe/powertools"
)

// What the libraries do to a value before they hash it, one JSON value a line.
const (
	dumps = `import json, sys
for line in sys.stdin:
    print(json.dumps(json.loads(line), sort_keys=True))`
	stringify = `
const sort = (o) => Object.keys(o).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
	.reduce((acc, k) => { acc[k] = deep(o[k]); return acc; }, {});
const deep = (v) => Array.isArray(v) ? v.map(deep) : v !== null && typeof v === 'object' ? sort(v) : v;
const lines = require('fs').readFileSync(0, 'utf8').split('\n').slice(0, -1);
process.stdout.write(lines.map((l) => JSON.stringify(deep(JSON.parse(l))) + '\n').join(''));`
)

// Values of all kinds are written as Python and Node themselves write them.
func TestDifferential(t *testing.T) {
	if os.Getenv("ONLYONCE_DIFFERENTIAL") == "" {
		t.Skip("ONLYONCE_DIFFERENTIAL is not set: make powertools sets it")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, c := range []struct {
		library powertools.Library
		command []string
	}{
		{powertools.Python, []string{"python3", "-c", dumps}},
		{powertools.TypeScript, []string{"node", "-e", stringify}},
	} {
		t.Run(c.command[0], func(t *testing.T) {
			if _, err := exec.LookPath(c.command[0]); err != nil {
				t.Skip(err)
			}
			r := rand.New(rand.NewPCG(seed, 0))
			var values, want []string
			refused := 0
			for range 50_000 {
				value := randomValue(r, 3)
				text, err := c.library.Text([]byte(value))
				if errors.Is(err, powertools.ErrNotPortable) {
					refused++
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", value, err)
				}
				values, want = append(values, value), append(want, string(text))
			}
			cmd := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...)
			cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
			cmd.Stdin = strings.NewReader(strings.Join(values, "\n") + "\n")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d values, %d more refused", len(values), refused)
			got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			if len(got) != len(values) {
				t.Fatalf("%d lines for %d values", len(got), len(values))
			}
			for i, g := range got {
				if g != want[i] {
					t.Errorf("%s: it writes %s, we %s", values[i], g, want[i])
				}
			}
		})
	}
}

func randomValue(r *rand.Rand, depth int) string {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch r.IntN(kinds) {
	case 0, 1:
		return randomString(r)
	case 2, 3, 4:
		return randomNumber(r)
	case 5:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 6:
		var elems []string
		for range r.IntN(4) {
			elems = append(elems, randomValue(r, depth-1))
		}
		return "[" + strings.Join(elems, ", ") + "]"
	default:
		var members []string
		seen := map[string]bool{}
		for range r.IntN(5) {
			name := strconv.Quote(string("abcABC_-z Z.0"[r.IntN(13)]) + string("xX1~"[r.IntN(4)]))
			if r.IntN(20) == 0 {
				name = `"ü` + strconv.Itoa(r.IntN(1000)) + `\ud83c\udf89"`
			}
			if !seen[name] {
				seen[name] = true
				members = append(members, name+" : "+randomValue(r, depth-1))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
}

func randomString(r *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('"')
	for range r.IntN(8) {
		c := rune(r.IntN(0x80))
		switch r.IntN(4) {
		case 0:
			c = rune(r.IntN(0x10000))
		case 1:
			c = rune(r.IntN(0x110000))
		}
		switch {
		case c >= 0xd800 && c < 0xe000:
		case c < ' ', c < 0x10000 && r.IntN(5) == 0:
			fmt.Fprintf(&b, `\u%04x`, c)
		case c == '"', c == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func randomNumber(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return strconv.FormatInt(int64(r.Uint64())>>r.IntN(64), 10)
	case 1:
		return strconv.FormatFloat(float64(r.IntN(100_000))/100, 'f', r.IntN(4), 64)
	case 2: // any double, spelled in one of four ways
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "0.0"
		}
		return strconv.FormatFloat(f, "eEfg"[r.IntN(4)], -1, 64)
	case 3:
		return fmt.Sprintf("%de%d", r.IntN(1000)-500, r.IntN(60)-30)
	case 4:
		return fmt.Sprintf("%d.%de%+d", r.IntN(1000), r.IntN(100_000), r.IntN(60)-30)
	default:
		return fmt.Sprintf("-%d.%d0", r.IntN(10), r.IntN(1000))
	}
}
