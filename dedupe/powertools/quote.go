package powertools

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// quotePython escapes all that is not printable ASCII.
func quotePython(dst []byte, s string) []byte {
	return quote(dst, s, func(dst []byte, r rune) []byte {
		if r >= ' ' && r <= '~' {
			return append(dst, byte(r))
		}
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			return fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		}
		return fmt.Appendf(dst, `\u%04x`, r)
	})
}

// quoteTypeScript escapes control characters.
func quoteTypeScript(dst []byte, s string) []byte {
	return quote(dst, s, func(dst []byte, r rune) []byte {
		if r < ' ' {
			return fmt.Appendf(dst, `\u%04x`, r)
		}
		return utf8.AppendRune(dst, r)
	})
}

// quoteJava escapes control characters, with capitals.
func quoteJava(dst []byte, s string) []byte {
	return quote(dst, s, func(dst []byte, r rune) []byte {
		if r < ' ' {
			return fmt.Appendf(dst, `\u%04X`, r)
		}
		return utf8.AppendRune(dst, r)
	})
}

// quote appends s as a JSON string; other writes what has no short escape.
func quote(dst []byte, s string, other func([]byte, rune) []byte) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', byte(r))
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = other(dst, r)
		}
	}
	return append(dst, '"')
}
