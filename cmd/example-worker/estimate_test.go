package main

import (
	"math"
	"testing"
)

// The intervals are those that are tabulated, and without a duplicate that of
// the rule of three.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		k, n         int
		lower, upper float64
	}{
		{1, 10, 0.00252858, 0.44501612},
		{5, 100, 0.01643188, 0.11283491},
		{3, 100_000, 0.618673e-5, 8.767006e-5},
		{50, 100, 0.39832113, 0.60167887},
		{99, 100, 0.94554061, 0.99974686},
		{0, 100, 0, 0.02951305},
		{0, 100_000, 0, 2.995688e-5},
		{100, 100, 0.97048695, 1},
		{0, 1, 0, 0.95},
		{0, 0, 0, 1},
	} {
		lower, upper := interval(c.k, c.n)
		if math.Abs(lower-c.lower) > 1e-5*c.lower || math.Abs(upper-c.upper) > 1e-5*c.upper {
			t.Errorf("%d of %d: got %.9g to %.9g, want %.9g to %.9g", c.k, c.n, lower, upper, c.lower, c.upper)
		}
	}
	if _, upper := interval(0, 1_000_000); math.Abs(upper*1_000_000-3) > 0.01 {
		t.Errorf("0 of a million: got %g, want 3 in a million", upper)
	}
}

// Whatever the true rate, the interval has it in at least 95 of 100
// experiments: summed over all that can be counted. Only where a count of zero
// is just excluded, between 3 and 3.7 expected duplicates, its one-sided bound
// costs a percent and a half.
func TestIntervalCovers(t *testing.T) {
	for _, n := range []int{50, 1000, 100_000} {
		for expected := 0.05; expected < 40; expected *= 1.07 {
			p := expected / float64(n)
			if p >= 1 {
				continue
			}
			covered := 0.0
			for k := 0; k <= min(n, 150); k++ {
				if lower, upper := interval(k, n); lower <= p && p <= upper {
					covered += math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
				}
			}
			least := confidence
			if expected > 2.9 && expected < 3.75 {
				least = 0.935
			}
			if covered < least || covered > 1+1e-9 {
				t.Errorf("rate %g, %d messages: covered in %.4f of all experiments, want at least %g", p, n, covered, least)
			}
		}
	}
}

// Large experiments are no harder: the interval narrows around the rate as the
// normal one does.
func TestIntervalLarge(t *testing.T) {
	const k, n = 100_000, 10_000_000
	lower, upper := interval(k, n)
	half := 1.959964 * math.Sqrt(0.01*0.99/n)
	if math.Abs(lower-(0.01-half)) > half/50 || math.Abs(upper-(0.01+half)) > half/50 {
		t.Errorf("got %.8f to %.8f, want 0.01 give or take %.8f", lower, upper, half)
	}
}
