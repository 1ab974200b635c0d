package ddbtest

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells tokens apart.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // a name or keyword
	tokQuoted           // a name in double quotes (PartiQL)
	tokText             // a string in single quotes (PartiQL)
	tokNumber           // digits
	tokAlias            // #name
	tokValue            // :name
	tokPunct            // anything else
)

type token struct {
	kind tokenKind
	text string
}

// tokens splits an expression, or a PartiQL statement.
func tokens(src string, partiql bool) []token {
	var out []token
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case partiql && (c == '"' || c == '\''):
			s, n := quoted(src[i:])
			kind := tokQuoted
			if c == '\'' {
				kind = tokText
			}
			out = append(out, token{kind, s})
			i += n
		case !partiql && (c == '#' || c == ':'):
			n := 1 + wordLen(src[i+1:])
			kind := tokAlias
			if c == ':' {
				kind = tokValue
			}
			out = append(out, token{kind, src[i : i+n]})
			i += n
		case isDigit(c):
			n := 0
			for i+n < len(src) && (isDigit(src[i+n]) || strings.IndexByte(".eE", src[i+n]) >= 0) {
				n++
			}
			out = append(out, token{tokNumber, src[i : i+n]})
			i += n
		case wordLen(src[i:]) > 0:
			n := wordLen(src[i:])
			out = append(out, token{tokWord, src[i : i+n]})
			i += n
		default:
			_, n := utf8.DecodeRuneInString(src[i:])
			if i+1 < len(src) {
				switch src[i : i+2] {
				case "<=", ">=", "<>", "!=":
					n = 2
				}
			}
			out = append(out, token{tokPunct, src[i : i+n]})
			i += n
		}
	}
	return append(out, token{})
}

// quoted reads a quoted text whose quotes are doubled inside.
func quoted(src string) (s string, n int) {
	var b strings.Builder
	for i := 1; i < len(src); i++ {
		if src[i] == src[0] {
			if i+1 == len(src) || src[i+1] != src[0] {
				return b.String(), i + 1
			}
			i++
		}
		b.WriteByte(src[i])
	}
	fail("ValidationException", "Statement wasn't well formed, can't be processed: unclosed quote")
	return "", 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func wordLen(s string) int {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
			return i
		}
	}
	return len(s)
}
