package ddbtest

import (
	"math/big"
	"strconv"
	"strings"
)

// What a number of DynamoDB has at most (Amazon DynamoDB, data types):
// significant digits, and tens before and behind its point.
const (
	mostDigits = 38
	mostTens   = 126
	leastTens  = -130
)

// longestNumber is enough for the smallest of them written without exponent.
const longestNumber = 300

func number(r *big.Rat) Value {
	s := r.RatString()
	if !r.IsInt() {
		s = strings.TrimSuffix(strings.TrimRight(r.FloatString(-leastTens), "0"), ".")
	}
	return Value{N: &s}
}

// rat is the value as a number, of those that DynamoDB has.
func (v Value) rat() (*big.Rat, bool) {
	if v.N == nil || !isDecimal(*v.N) {
		return nil, false
	}
	return new(big.Rat).SetString(*v.N)
}

// isDecimal tells whether text is a decimal number, perhaps with an exponent,
// of a size that DynamoDB has. What else big.Rat takes is none there.
func isDecimal(text string) bool {
	if len(text) > longestNumber {
		return false
	}
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	exponent := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		e, err := strconv.Atoi(text[at+1:])
		if err != nil {
			return false
		}
		text, exponent = text[:at], e
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	first := strings.TrimLeft(digits, "0") // its first digit stands for that many tens:
	tens := len(whole) - (len(digits) - len(first)) - 1 + exponent
	significant := len(strings.TrimRight(first, "0"))
	return significant == 0 || significant <= mostDigits && tens < mostTens && tens >= leastTens
}
