// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// worlds is how many random worlds each law is held against.
const worlds = 4_000

// random logs its seed; put that in place of the clock to see a failure again.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// observed is what some router may report of one route: nothing, something not
// confirmed, or something confirmed. Few weights, so that routes often agree.
func observed(r *rand.Rand) traffic.Observed {
	weights := []int32{0, 1, 5, 25, 50, 99, 100}
	var o traffic.Observed
	for range r.IntN(4) {
		s := traffic.CanaryAt(weights[r.IntN(len(weights))])
		if !slices.ContainsFunc(o.Requested, s.Equal) {
			o.Requested = append(o.Requested, s)
		}
	}
	if r.IntN(3) > 0 {
		o.Confirmed = slices.Clone(o.Requested)
	}
	for i := range r.Int32N(3) {
		o.Backends = append(o.Backends, traffic.Backend{Slot: traffic.Canary, Kind: "HTTPRoute", Name: "a", Rule: r.Int32N(3), Index: i})
	}
	if len(o.Confirmed) == 0 {
		o.Message = []string{"rejected", "not observed", "missing"}[r.IntN(3)]
	}
	return o
}

// several is what one to five routes report.
func several(r *rand.Rand) []traffic.Observed {
	os := make([]traffic.Observed, 1+r.IntN(5))
	for i := range os {
		os[i] = observed(r)
	}
	return os
}

func shuffled(r *rand.Rand, os []traffic.Observed) []traffic.Observed {
	mixed := slices.Clone(os)
	r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	for i := range mixed {
		mixed[i].Requested = slices.Clone(mixed[i].Requested)
		r.Shuffle(len(mixed[i].Requested), func(a, b int) {
			mixed[i].Requested[a], mixed[i].Requested[b] = mixed[i].Requested[b], mixed[i].Requested[a]
		})
	}
	return mixed
}

func TestMergeDoesNotDependOnOrder(t *testing.T) {
	r := random(t)
	for range worlds {
		os := several(r)
		if diff := cmp.Diff(traffic.Merge(os...), traffic.Merge(shuffled(r, os)...)); diff != "" {
			t.Fatalf("Merge of %+v depends on their order:\n%s", os, diff)
		}
	}
}

func TestMergeDoesNotDependOnGrouping(t *testing.T) {
	r := random(t)
	for range worlds {
		os := several(r)
		cut := 1 + r.IntN(len(os))
		first, rest := traffic.Merge(os[:cut]...), os[cut:]
		stepwise := traffic.Merge(append([]traffic.Observed{first}, rest...)...)
		if diff := cmp.Diff(traffic.Merge(os...), stepwise); diff != "" {
			t.Fatalf("Merge of %+v depends on grouping:\n%s", os, diff)
		}
	}
}

func TestMergeLeavesItsInputAlone(t *testing.T) {
	r := random(t)
	for range worlds {
		os := several(r)
		before := make([]traffic.Observed, len(os))
		for i, o := range os {
			before[i] = traffic.Observed{Requested: slices.Clone(o.Requested), Confirmed: slices.Clone(o.Confirmed), Backends: slices.Clone(o.Backends), Message: o.Message}
		}
		traffic.Merge(os...)
		if diff := cmp.Diff(before, os); diff != "" {
			t.Fatalf("Merge changed its input:\n%s", diff)
		}
	}
}

// TestAllMeansEvery: what is said of all routes holds of each, and the other way round.
func TestAllMeansEvery(t *testing.T) {
	r := random(t)
	for range worlds {
		os, s := several(r), observed(r)
		if len(s.Requested) == 0 {
			continue
		}
		want := s.Requested[0]
		if r.IntN(2) == 0 { // worlds in which all agree are rare by chance
			for i := range os {
				os[i] = traffic.Observed{Requested: []traffic.Split{want}, Confirmed: os[i].Confirmed}
				if len(os[i].Confirmed) > 0 {
					os[i].Confirmed = os[i].Requested
				}
			}
		}
		requested, confirmed := true, true
		for _, o := range os {
			requested = requested && o.RequestedAll(want)
			confirmed = confirmed && o.ConfirmedAll(want)
		}
		merged := traffic.Merge(os...)
		if merged.RequestedAll(want) != requested {
			t.Fatalf("RequestedAll(%v) of %+v merged is %t, of each %t", want, os, !requested, requested)
		}
		if merged.ConfirmedAll(want) != confirmed {
			t.Fatalf("ConfirmedAll(%v) of %+v merged is %t, of each %t", want, os, !confirmed, confirmed)
		}
		if confirmed && !requested {
			t.Fatalf("%+v confirm what they don't request", os)
		}
	}
}

// TestMostIsAnUpperBound: never less than any route says, 100 when any is
// unknown, and exactly the share when all is known and agreed.
func TestMostIsAnUpperBound(t *testing.T) {
	r := random(t)
	for range worlds {
		os := several(r)
		merged := traffic.Merge(os...)
		for _, slot := range []traffic.Slot{traffic.Stable, traffic.Canary} {
			var want int32
			for _, o := range os {
				want = max(want, o.Most(slot))
			}
			if got := merged.Most(slot); got != want {
				t.Fatalf("Most(%s) of %+v merged is %d, of each at most %d", slot, os, got, want)
			}
		}
		if merged.Most(traffic.Stable)+merged.Most(traffic.Canary) < 100 {
			t.Fatalf("%+v: both slots together get less than everything", os)
		}
		for _, o := range os {
			for _, s := range o.Requested {
				if merged.ConfirmedAll(s) && (merged.Most(traffic.Canary) != s.Canary || merged.Most(traffic.Stable) != s.Stable) {
					t.Fatalf("%+v serve exactly %v, Most says otherwise", os, s)
				}
			}
		}
	}
}

func TestCanaryAt(t *testing.T) {
	r := random(t)
	for range worlds {
		weight := r.Int32N(400) - 150
		s := traffic.CanaryAt(weight)
		if err := s.Validate(); err != nil || !s.Known() {
			t.Fatalf("CanaryAt(%d) = %v: %v", weight, s, err)
		}
		if weight >= 0 && weight <= 100 && s.Of(traffic.Canary) != weight {
			t.Fatalf("CanaryAt(%d) gives the canary %d", weight, s.Of(traffic.Canary))
		}
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		split  traffic.Split
		valid  bool
	}{
		"Whole":    {reason: "shares sum to 100", split: traffic.Split{Stable: 60, Canary: 40}, valid: true},
		"Zero":     {reason: "the zero split is unknown, not nothing", split: traffic.Split{}},
		"Short":    {reason: "something is left over", split: traffic.Split{Stable: 60, Canary: 30}},
		"Long":     {reason: "more than everything", split: traffic.Split{Stable: 60, Canary: 60}},
		"Negative": {reason: "a share is not a debt", split: traffic.Split{Stable: 110, Canary: -10}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := tc.split.Validate(); (err == nil) != tc.valid {
				t.Errorf("%s: Validate(%v) = %v", tc.reason, tc.split, err)
			}
		})
	}
}

func TestString(t *testing.T) {
	cases := map[string]struct {
		split traffic.Split
		want  string
	}{
		"Known":   {split: traffic.CanaryAt(5), want: "stable 95 %, canary 5 %"},
		"Unknown": {split: traffic.Split{}, want: "unknown"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.split.String(); got != tc.want {
				t.Errorf("String() = %q, want %q", got, tc.want)
			}
		})
	}
}

// TestWeightsCarryWhatTheyAreGiven: what a list of destinations is given reads back
// as that, beside whatever else it has, and changes nothing of the rest's part.
func TestWeightsCarryWhatTheyAreGiven(t *testing.T) {
	r := random(t)
	controlled := 0
	for range worlds {
		w := traffic.Weights{Stable: r.Int64N(400), Canary: r.Int64N(400)}
		if r.IntN(2) == 0 {
			w.Others = r.Int64N(2_000_000)
		}
		s := traffic.CanaryAt(r.Int32N(101))
		if r.IntN(2) == 0 {
			w.Baseline = r.Int64N(400)
			s = traffic.Split{Baseline: r.Int32N(101 - s.Canary)}.At(s.Canary)
		}
		if !w.Carries(s) {
			continue
		}
		got := w.Give(s)
		if got.Others != w.Others || got.Others > 0 && got.Total() != w.Total() || got.Others == 0 && got.Total() != traffic.Fine {
			t.Fatalf("%v is given %v and becomes %v: of another whole", w, s, got)
		}
		if got.Total() < traffic.Fine { // all or nothing
			if slot := map[bool]int64{true: got.Canary, false: got.Stable}[s.Canary == 100]; slot != got.Total() {
				t.Fatalf("%v is given %v and becomes %v", w, s, got)
			}
			continue
		}
		if back := got.Splits(); len(back) != 1 || !back[0].Equal(s) {
			t.Fatalf("%v is given %v, becomes %v and reads back as %v", w, s, got, back)
		}
		for _, slot := range []struct {
			share  int32
			weight int64
		}{{s.Stable, got.Stable}, {s.Canary, got.Canary}, {s.Baseline, got.Baseline}} {
			if slot.weight < 0 || slot.share == 0 && slot.weight > 0 {
				t.Fatalf("%v is given %v and becomes %v: who has no share gets something", w, s, got)
			}
		}
		if s.Baseline > 0 {
			controlled++
		}
	}
	if controlled < worlds/10 {
		t.Errorf("only %d splits had a baseline", controlled)
	}
}
