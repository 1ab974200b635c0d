package powertools

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxSafeInteger is the largest integer up to which JavaScript tells every
// integer from its neighbours.
const maxSafeInteger = 1<<53 - 1

// numberPython keeps every digit of an integer and writes the repr of other
// numbers.
func numberPython(dst []byte, literal string) ([]byte, error) {
	if !strings.ContainsAny(literal, ".eE") {
		if literal == "-0" {
			literal = "0"
		}
		return append(dst, literal...), nil
	}
	f, err := double(literal)
	if err != nil {
		return nil, err
	}
	if exp := exponent(f); exp < -4 || exp >= 16 {
		return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !strings.Contains(string(dst[start:]), ".") {
		dst = append(dst, ".0"...)
	}
	return dst, nil
}

// numberTypeScript writes every number as the double that it becomes
// (ECMA-262, Number::toString).
func numberTypeScript(dst []byte, literal string) ([]byte, error) {
	f, err := double(literal)
	switch {
	case err != nil:
		return nil, err
	case f == 0: // of either sign
		return append(dst, '0'), nil
	case f == math.Trunc(f) && math.Abs(f) > maxSafeInteger:
		return nil, notKept(literal)
	}
	if exp := exponent(f); exp > -7 && exp < 21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
	}
	digits, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return fmt.Appendf(dst, "%se%c%s", digits, exp[0], strings.TrimLeft(exp[1:], "0")), nil
}

// numberJava keeps every digit of an integer. How other numbers look depends
// on the class they were read into and on the version of Java.
func numberJava(dst []byte, literal string) ([]byte, error) {
	if strings.ContainsAny(literal, ".eE") || literal == "-0" {
		return nil, notKept(literal)
	}
	return append(dst, literal...), nil
}

// double is the number that both Python and JavaScript read, if it still has
// all digits of the literal: else two literals would be one key.
func double(literal string) (float64, error) {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil { // too large
		return 0, notKept(literal)
	}
	if decimalOf(literal) != decimalOf(strconv.FormatFloat(f, 'e', -1, 64)) {
		return 0, notKept(literal)
	}
	return f, nil
}

func notKept(literal string) error {
	return fmt.Errorf("%w: the number %.40s", ErrNotPortable, literal)
}

// exponent is the decimal exponent of f in scientific notation.
func exponent(f float64) int {
	_, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exp) // written by strconv itself
	return n
}

// decimal is a number without its spelling: 0.digits times ten to the power of
// exp, no zeros at either end of the digits.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

func decimalOf(literal string) decimal {
	var d decimal
	literal, d.negative = strings.CutPrefix(literal, "-")
	mantissa, exp, _ := strings.Cut(strings.ToLower(literal), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if exp != "" {
		n, err := strconv.Atoi(exp)
		if err != nil {
			n = math.MinInt32 // as good as any: no double has it
		}
		d.exp = n
	}
	d.exp += len(whole)
	d.digits = whole + fraction
	trimmed := strings.TrimLeft(d.digits, "0")
	d.exp -= len(d.digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{negative: d.negative} // zero
	}
	return d
}
