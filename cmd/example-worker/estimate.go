package main

import "math"

// confidence is that of the intervals.
const confidence = 0.95

// interval returns between which rates the true one lies, with 95 %
// confidence, when k of n messages were duplicated: that of Clopper and
// Pearson, which is exact however small the rate is, unlike those that take
// the count for normal. When there was none, or nothing else, all of the
// doubt is on one side, and the bound is the exact form of the rule of three,
// 3/n: a one-sided statement, as is usual.
func interval(k, n int) (lower, upper float64) {
	const doubt = 1 - confidence
	switch {
	case n == 0:
		return 0, 1
	case k == 0:
		return 0, -math.Expm1(math.Log(doubt) / float64(n))
	case k == n:
		return math.Exp(math.Log(doubt) / float64(n)), 1
	}
	seen := float64(k) / float64(n)
	lower = bisect(0, seen, func(p float64) bool { return atLeast(k, n, p) < doubt/2 })
	upper = bisect(seen, 1, func(p float64) bool { return atLeast(n-k, n, 1-p) > doubt/2 })
	return lower, upper
}

// atLeast returns the chance of k or more hits in n tries of chance p, for k
// above the expected number: there the terms fall from the first one on.
func atLeast(k, n int, p float64) float64 {
	term := math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	sum := term
	for i := k; i < n && term > sum*1e-17; i++ {
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
		sum += term
	}
	return sum
}

// logChoose returns the logarithm of the number of ways to take k out of n.
func logChoose(n, k int) float64 {
	factorial := func(i int) float64 {
		f, _ := math.Lgamma(float64(i) + 1)
		return f
	}
	return factorial(n) - factorial(k) - factorial(n-k)
}

// bisect returns where below, true at lo and false at hi, changes.
func bisect(lo, hi float64, below func(float64) bool) float64 {
	for {
		mid := lo + (hi-lo)/2
		switch {
		case mid <= lo || mid >= hi:
			return mid
		case below(mid):
			lo = mid
		default:
			hi = mid
		}
	}
}
