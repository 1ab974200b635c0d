package sources

import "strings"

// identity makes one identity of several parts. Bars stand between them and
// are escaped in them, so that no other parts give the same text; an empty
// part counts.
func identity(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('|')
		}
		if strings.ContainsAny(p, `\|`) {
			p = strings.ReplaceAll(strings.ReplaceAll(p, `\`, `\\`), `|`, `\|`)
		}
		b.WriteString(p)
	}
	return b.String()
}
