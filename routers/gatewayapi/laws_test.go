// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestLaws holds render against read on random routes.
func TestLaws(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	controlled := 0
	defer func() {
		if controlled < 1_000 {
			t.Errorf("only %d splits with a baseline were carried", controlled)
		}
	}()
	for range 20_000 {
		v, want := randomView(random), traffic.CanaryAt(random.Int32N(101))
		if random.IntN(2) == 0 {
			want.Baseline = random.Int32N(101 - want.Canary)
			want = want.At(want.Canary)
		}
		v.kind = requestKinds()[0]
		before := describe(t, v)
		ops, err := operations(v, shop(), want)
		if err != nil {
			continue // refused: TestGolden and TestRead say when
		}
		if want.Baseline > 0 {
			controlled++
		}
		after := carried(t, v, ops)
		again, err := operations(after, shop(), want)
		if err != nil || len(again) != 0 {
			t.Fatalf("%v on %s: rendering again gives %v, %v", want, before, again, err)
		}
		ps, err := pairs(after, shop())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			switch got := p.weights.Splits(); {
			case p.weights.Others > 0 && p.weights.Total() < traffic.Fine && want.Baseline == 0 && (want.Canary == 0 || want.Canary == 100):
			case len(got) != 1 || !got[0].Equal(want):
				t.Fatalf("%v on %s: reads back as %v", want, before, got)
			}
			if (p.baseline >= 0) != (want.Baseline > 0) {
				t.Fatalf("%v on %s: the third Service is at %d", want, before, p.baseline)
			}
			if p.weight(p.stable) > traffic.Heaviest || p.weight(p.canary) > traffic.Heaviest || p.weights.Baseline > traffic.Heaviest {
				t.Fatalf("%v on %s: a weight is more than %d", want, before, traffic.Heaviest)
			}
		}
		if diff := cmp.Diff(weights(v, "legacy"), weights(after, "legacy")); diff != "" {
			t.Fatalf("%v on %s: another backend's weight changed:\n%s", want, before, diff)
		}
	}
}

// TestNeverUnderstated: whoever gets anything has at least 1 percent, and no
// slot is said to get less than a whole percent below its true share.
func TestNeverUnderstated(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		v := randomView(random)
		ps, err := pairs(v, shop())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			if p.weights.Total() == 0 || p.weights.Others > 0 && p.weights.Total() < traffic.Fine {
				continue
			}
			o := traffic.Observed{Requested: p.weights.Splits(), Confirmed: p.weights.Splits()}
			for slot, weight := range map[traffic.Slot]int64{traffic.Stable: p.weight(p.stable), traffic.Canary: p.weight(p.canary), traffic.Baseline: p.weights.Baseline} {
				most := int64(o.Most(slot))
				if weight > 0 && most == 0 || p.weights.Others == 0 && most*p.weights.Total() < weight*100 {
					t.Fatalf("%s of %s: at most %d %% is said of weight %d of %d", slot, describe(t, v), most, weight, p.weights.Total())
				}
			}
		}
	}
}

func randomView(random *rand.Rand) view {
	weight := func() int32 {
		switch random.IntN(4) {
		case 0:
			return -1
		case 1:
			return random.Int32N(4)
		case 2:
			return random.Int32N(301)
		default:
			return random.Int32N(traffic.Heaviest + 1)
		}
	}
	var rules [][]gatewayv1.BackendRef
	for range 1 + random.IntN(3) {
		backends := []gatewayv1.BackendRef{backend("stable", weight()), backend("canary", weight())}
		if random.IntN(3) == 0 {
			backends = append(backends, backend("baseline", weight()))
		}
		for range random.IntN(3) {
			backends = append(backends, backend("legacy", weight()))
		}
		random.Shuffle(len(backends), func(i, j int) { backends[i], backends[j] = backends[j], backends[i] })
		rules = append(rules, backends)
	}
	return accepted(rules...)
}

// carried is the view of the object after a patch.
func carried(t *testing.T, v view, ops []operation) view {
	t.Helper()
	after := v
	after.rules = nil
	for _, one := range v.rules {
		one.backends = append([]gatewayv1.BackendRef{}, one.backends...)
		after.rules = append(after.rules, one)
	}
	for _, op := range ops {
		if op.Op == "test" {
			continue
		}
		parts := strings.Split(op.Path, "/") // "", spec, rules, i, backendRefs, j, weight
		i, err := strconv.Atoi(parts[3])
		if err != nil {
			t.Fatal(err)
		}
		if third, ok := op.Value.(map[string]any); ok && parts[5] == "-" {
			weight, _ := third["weight"].(int64)
			name, _ := third["name"].(string)
			after.rules[i].backends = append(after.rules[i].backends, backend(name, int32(weight)))
			continue
		}
		j, err := strconv.Atoi(parts[5])
		if err != nil {
			t.Fatal(err)
		}
		if op.Op == "remove" {
			if name := after.rules[i].backends[j].Name; name != "baseline" {
				t.Fatalf("operation %+v removes %s", op, name)
			}
			after.rules[i].backends = append(after.rules[i].backends[:j], after.rules[i].backends[j+1:]...)
			continue
		}
		value, ok := op.Value.(int64)
		if !ok || value < 0 {
			t.Fatalf("operation %+v writes no weight", op)
		}
		after.rules[i].backends[j].Weight = ptr.To(int32(value))
	}
	return after
}

func weights(v view, name string) []*int32 {
	var all []*int32
	for _, one := range v.rules {
		for _, b := range one.backends {
			if string(b.Name) == name {
				all = append(all, b.Weight)
			}
		}
	}
	return all
}

func describe(t *testing.T, v view) string {
	t.Helper()
	var all [][]gatewayv1.BackendRef
	for _, one := range v.rules {
		all = append(all, one.backends)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
