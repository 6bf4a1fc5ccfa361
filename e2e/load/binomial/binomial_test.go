// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package binomial

import (
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCentral(t *testing.T) {
	cases := map[string]struct {
		reason string
		n      int
		p      float64
		level  float64
		want   Interval
	}{
		"Never":  {reason: "Weight 0 allows not one request.", n: 500, p: 0, level: 0.99, want: Interval{N: 500}},
		"Always": {reason: "Weight 100 allows no exception.", n: 500, p: 1, level: 0.99, want: Interval{N: 500, Low: 500, High: 500}},
		"One":    {reason: "One draw at even odds says nothing.", n: 1, p: 0.5, level: 0.99, want: Interval{N: 1, Low: 0, High: 1}},
		// P(X <= 1) = 11/1024 and P(X = 0) = 1/1024 for ten fair coins.
		"TenCoins99": {reason: "1/1024 is below half a percent, 11/1024 above.", n: 10, p: 0.5, level: 0.99, want: Interval{N: 10, Low: 1, High: 9}},
		"TenCoins90": {reason: "11/1024 is below 5 %, 56/1024 above.", n: 10, p: 0.5, level: 0.90, want: Interval{N: 10, Low: 2, High: 8}},
		// The classic table value: 95 % of 100 fair coins give 40 to 60 heads.
		"HundredCoins": {reason: "A value from textbooks.", n: 100, p: 0.5, level: 0.95, want: Interval{N: 100, Low: 40, High: 60}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Central(tc.n, tc.p, tc.level)
			if err != nil {
				t.Fatalf("%s\nerror: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCentralRefuses(t *testing.T) {
	cases := map[string]struct {
		n     int
		p     float64
		level float64
	}{
		"NoDraws": {n: 0, p: 0.5, level: 0.99},
		"BelowP":  {n: 10, p: -0.1, level: 0.99},
		"AboveP":  {n: 10, p: 1.1, level: 0.99},
		"Certain": {n: 10, p: 0.5, level: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := Central(tc.n, tc.p, tc.level); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

// The oracle sums the same tails in exact rational arithmetic.
func TestCentralAgainstExactArithmetic(t *testing.T) {
	for _, n := range []int{1, 7, 60, 500, 733} {
		for _, percent := range []int64{1, 5, 25, 50, 75, 95, 99} {
			got, err := Central(n, float64(percent)/100, 0.99)
			if err != nil {
				t.Fatal(err)
			}
			p := big.NewRat(percent, 100)
			tail := big.NewRat(1, 200)
			if want := leastExact(n, p, tail); got.Low != want {
				t.Errorf("n %d, p %s: low %d, want %d", n, p, got.Low, want)
			}
			q := new(big.Rat).Sub(big.NewRat(1, 1), p)
			if want := n - leastExact(n, q, tail); got.High != want {
				t.Errorf("n %d, p %s: high %d, want %d", n, p, got.High, want)
			}
		}
	}
}

func leastExact(n int, p, tail *big.Rat) int {
	odds := new(big.Rat).Quo(p, new(big.Rat).Sub(big.NewRat(1, 1), p))
	mass := big.NewRat(1, 1)
	for range n {
		mass.Mul(mass, new(big.Rat).Sub(big.NewRat(1, 1), p))
	}
	sum := new(big.Rat)
	for k := range n {
		if sum.Add(sum, mass); sum.Cmp(tail) > 0 {
			return k
		}
		mass.Mul(mass, odds)
		mass.Mul(mass, big.NewRat(int64(n-k), int64(k+1)))
	}
	return n
}

func TestInterval(t *testing.T) {
	i := Interval{N: 200, Low: 2, High: 30}
	for count, want := range map[int]bool{1: false, 2: true, 30: true, 31: false} {
		if got := i.Holds(count); got != want {
			t.Errorf("Holds(%d) = %v, want %v", count, got, want)
		}
	}
	if low, high := i.Shares(); low != 0.01 || high != 0.15 {
		t.Errorf("Shares() = %g, %g, want 0.01, 0.15", low, high)
	}
}
