// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestReloadingChangesNothing keeps one process alive and takes another one
// through JSON after every block; both must agree to the last bit.
func TestReloadingChangesNothing(t *testing.T) {
	const seed = 5
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		o := FailOptions{Phi: 1 + 3*r.Float64(), Horizon: 2 + r.Int64N(80)}
		live, kept := newFail(t, o), newFail(t, o).State()
		for range 100 {
			canary := Counts{float64(r.IntN(3)), float64(3 + r.IntN(200))}
			stable := Counts{float64(r.IntN(9)), float64(9 + r.IntN(2000))}
			update(t, live, canary, stable)
			again := newFail(t, o)
			if err := again.Load(kept); err != nil {
				t.Fatal(err)
			}
			update(t, again, canary, stable)
			if *again != *live || again.Value() != live.Value() {
				t.Fatalf("after block %d: %+v, want %+v", live.Blocks(), *again, *live)
			}
			kept = throughJSON(t, again.State())
		}
	}
}

func TestReloadingASignTestChangesNothing(t *testing.T) {
	live, err := NewSign(0.25, 10)
	if err != nil {
		t.Fatal(err)
	}
	again := *live
	for k := range 20 {
		if err := again.Load(throughJSON(t, again.State())); err != nil {
			t.Fatal(err)
		}
		for _, test := range []*SignTest{live, &again} {
			if err := test.Update(float64(100+k%3*20), 90); err != nil {
				t.Fatal(err)
			}
		}
		if again != *live || live.Blocks() != int64(k+1) {
			t.Fatalf("after block %d: %+v, want %+v", k+1, again, *live)
		}
	}
	if again.Load(newFail(t, FailOptions{}).State()) == nil {
		t.Error("a sign test took the state of another kind of process")
	}
}

// TestTheLongestHorizonIsSpentAndLoads: rounding of a million shares must
// neither leave mass nor make a good state look damaged.
func TestTheLongestHorizonIsSpentAndLoads(t *testing.T) {
	p := newFail(t, FailOptions{Horizon: maxHorizon})
	for range maxHorizon {
		update(t, p, Counts{0, 10}, Counts{1, 90})
		if p.Blocks()%99_999 == 0 {
			if err := p.Clone().Load(p.State()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left := p.mix.unspent; left > 1e-9 || p.Clone().Load(p.State()) != nil {
		t.Errorf("%v of the start mass is left, state %q", left, p.State())
	}
}

func throughJSON(t *testing.T, s State) (out State) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOtherSettingsRefuseAState: with any other setting the kept numbers would
// mean something else, and the guarantee would silently be gone.
func TestOtherSettingsRefuseAState(t *testing.T) {
	base := Settings{Limit: Limit{1.5, 0.001}, Bets: []float64{2, 4}, Cap: 20, First: 0.5, Horizon: 10, Phi: 1}
	cases := map[string]func(s *Settings){
		"Ratio":    func(s *Settings) { s.Limit.Ratio = 2 },
		"Absolute": func(s *Settings) { s.Limit.Absolute = 0.002 },
		"Bet":      func(s *Settings) { s.Bets = []float64{2, 8} },
		"MoreBets": func(s *Settings) { s.Bets = []float64{2, 4, 8} },
		"Cap":      func(s *Settings) { s.Cap = 0 },
		"First":    func(s *Settings) { s.First = 0.4 },
		"Horizon":  func(s *Settings) { s.Horizon = 360 },
		"Phi":      func(s *Settings) { s.Phi = 1.0000000001 },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			kept, err := New(base)
			if err != nil {
				t.Fatal(err)
			}
			update(t, kept, Counts{1, 100}, Counts{1, 900})
			s := base
			change(&s)
			other, err := New(s)
			if err != nil {
				t.Fatal(err)
			}
			before := *other
			if err := other.Load(kept.State()); !errors.Is(err, ErrState) || *other != before {
				t.Errorf("error %v, changed: %t", err, *other != before)
			}
		})
	}
}

func TestDamagedStatesAreRefused(t *testing.T) {
	p := newFail(t, FailOptions{})
	fresh := string(p.State())
	update(t, p, Counts{1, 100}, Counts{1, 900})
	good := strings.Split(string(p.State()), " ")
	with := func(i int, text string) string {
		fields := append([]string(nil), good...)
		fields[i] = text
		return strings.Join(fields, " ")
	}
	cases := map[string]string{
		"Empty":           "",
		"Cut":             strings.Join(good[:len(good)-1], " "),
		"Longer":          strings.Join(good, " ") + " 0",
		"OtherVersion":    with(0, "2"),
		"OtherSettings":   with(1, "0"),
		"NoBlocks":        with(2, "x"),
		"NegativeBlocks":  with(2, "-1"),
		"BlocksOfNothing": with(2, "0"),
		"OtherBlocks":     with(2, "7"),
		"UnspentTwice":    with(3, "1"),
		"UnspentNaN":      with(3, "NaN"),
		"NaN":             with(4, "NaN"),
		"Infinite":        with(4, "+Inf"),
		"MinusInfinite":   with(9, "-Inf"),
		"BeyondTheCap":    with(5, "100"),
		"FreshWithSums":   fresh + " 0 0 0 0 0 0",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			before := *p
			if err := p.Load(State(text)); !errors.Is(err, ErrState) || *p != before {
				t.Errorf("%q: error %v, changed: %t", text, err, *p != before)
			}
		})
	}
}
