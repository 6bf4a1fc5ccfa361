// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// The golden numbers were computed by two implementations in other languages
// and by hand; they are not made from this code.
type golden struct {
	Primitives []struct {
		EC, NC, ES, NS, Rho, Delta, Kappa float64
		LogE                              float64
	} `json:"prim"`
	Sequences []struct {
		Name       string
		Blocks     [][]float64
		Rho, Delta float64
		Grid       []float64
		Cap, First float64
		Horizon    int64
		Phi        float64
		Threshold  float64
		Values     []float64
		FirstCross int
	} `json:"seqs"`
	Signs []struct {
		X, Y   []float64
		Tol    float64
		K      int64
		Values []float64
	}
	Phi []struct {
		Blocks [][2]float64
		Phi    float64
	}
	Upper []struct{ EC, NC, Alpha, Upper float64 }
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near fails the test when got is not want to 1e-9 relative.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s: got %.17g, want %.17g", what, got, want)
	}
}

func TestGoldenIsWhole(t *testing.T) {
	g := readGolden(t)
	got := []int{len(g.Primitives), len(g.Sequences), len(g.Signs), len(g.Phi), len(g.Upper)}
	if want := []int{90, 15, 2, 3, 6}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("testdata/golden.json has %v vectors, want %v", got, want)
	}
}

func TestGoldenLogE(t *testing.T) {
	for _, p := range readGolden(t).Primitives {
		got := LogE(Counts{p.EC, p.NC}, Counts{p.ES, p.NS}, p.Rho, p.Delta, p.Kappa)
		near(t, fmt.Sprintf("LogE(%+v)", p), got, p.LogE)
	}
}

func TestGoldenSequences(t *testing.T) {
	for _, s := range readGolden(t).Sequences {
		t.Run(s.Name, func(t *testing.T) {
			p, err := New(Settings{Limit{s.Rho, s.Delta}, s.Grid, s.Cap, s.First, s.Horizon, s.Phi})
			if err != nil {
				t.Fatal(err)
			}
			crossed := 0
			for i, b := range s.Blocks {
				if err := p.Update(block(b)); err != nil {
					t.Fatal(err)
				}
				near(t, fmt.Sprintf("M after block %d", i+1), p.Value(), s.Values[i])
				if crossed == 0 && p.Value() >= s.Threshold {
					crossed = i + 1
				}
			}
			if crossed != s.FirstCross || len(s.Blocks) != len(s.Values) {
				t.Errorf("crossed %v at block %d, want %d", s.Threshold, crossed, s.FirstCross)
			}
		})
	}
}

// The constructors are the golden sequences' settings, so that what is proven
// about those is true of what users get.
func TestGoldenConstructors(t *testing.T) {
	for _, s := range readGolden(t).Sequences {
		limit := Limit{s.Rho, s.Delta}
		p, err := NewPass(limit, s.Phi)
		if s.Grid[0] > 1 {
			p, err = NewFail(limit, FailOptions{Phi: s.Phi})
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range s.Blocks {
			if err := p.Update(block(b)); err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("%s: M after block %d", s.Name, i+1), p.Value(), s.Values[i])
		}
	}
}

func TestGoldenSigns(t *testing.T) {
	for i, s := range readGolden(t).Signs {
		test, err := NewSign(s.Tol, s.K)
		if err != nil {
			t.Fatal(err)
		}
		for k := range s.X {
			if err := test.Update(s.X[k], s.Y[k]); err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("sign test %d after block %d", i, k+1), test.Value(), s.Values[k])
		}
	}
}

func TestGoldenNoise(t *testing.T) {
	for i, c := range readGolden(t).Phi {
		blocks := make([]Counts, 0, len(c.Blocks))
		for _, b := range c.Blocks {
			blocks = append(blocks, Counts{b[0], b[1]})
		}
		near(t, fmt.Sprintf("phi %d", i), NoiseFactor(blocks), c.Phi)
	}
}

func TestGoldenUpper(t *testing.T) {
	for _, c := range readGolden(t).Upper {
		near(t, fmt.Sprintf("Upper(%v of %v)", c.EC, c.NC), Upper(Counts{c.EC, c.NC}, c.Alpha, 1), c.Upper)
	}
}

// block reads [ec, nc] or [ec, nc, es, ns].
func block(b []float64) (canary, stable Counts) {
	if len(b) > 2 {
		stable = Counts{b[2], b[3]}
	}
	return Counts{b[0], b[1]}, stable
}
