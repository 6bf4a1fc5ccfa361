// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// operation is one line of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// operations lists what makes the object carry want in every rule chosen. It
// returns a *routers.Problem when one of them can't.
func operations(v view, r routers.Route, want traffic.Split) ([]operation, error) {
	if err := v.kind.refuse(r, want); err != nil {
		return nil, err
	}
	ps, err := pairs(v, r)
	if err != nil {
		return nil, err
	}
	if want.Baseline > 0 && r.BaselineService == "" {
		return nil, fmt.Errorf("steer %s: there is no Service for the baseline's share", r)
	}
	for _, p := range ps {
		if !p.weights.Carries(want) {
			return nil, coarse(p, r)
		}
		if err := full(p, r); err != nil && want.Baseline > 0 {
			return nil, err
		}
		if err := crowded(p, v, r); err != nil && want.Mirror > 0 {
			return nil, err
		}
	}
	a, err := additions(v, ps, r, want)
	if err != nil {
		return nil, err
	}
	return render(v, ps, want, a), nil
}

// render lists the operations that make the object carry want, led by a test
// of the version they were computed from. None when it carries want already.
// Whatever changes the positions of rules comes last.
func render(v view, ps []pair, want traffic.Split, a added) []operation {
	var ops []operation
	for _, p := range ps {
		give := p.gives(want)
		ops = append(ops, p.set(p.stable, give.Stable)...)
		ops = append(ops, hand(p, p.stable, want.HandsOut(traffic.Stable))...)
		ops = append(ops, p.set(p.canary, give.Canary)...)
		ops = append(ops, hand(p, p.canary, want.HandsOut(traffic.Canary))...)
		ops = append(ops, addThird(p, want)...)
		ops = append(ops, p.mirror(v, want.Mirror)...)
	}
	ops = append(ops, v.surround(a)...)
	ops = append(ops, v.note(besideOf(want))...)
	if len(ops) == 0 {
		return nil
	}
	return append([]operation{{Op: "test", Path: "/metadata/resourceVersion", Value: v.version}}, ops...)
}

// surround puts rules before and behind the user's in the place of those that stand there.
func (v view) surround(a added) []operation {
	if v.carries(a) {
		return nil
	}
	var ops []operation
	for _, one := range slices.Backward(v.added) {
		ops = append(ops, operation{Op: "remove", Path: fmt.Sprintf("/spec/rules/%d", one.index)})
	}
	for i, one := range a.front {
		ops = append(ops, operation{Op: "add", Path: fmt.Sprintf("/spec/rules/%d", i), Value: one})
	}
	for _, one := range a.back {
		ops = append(ops, operation{Op: "add", Path: "/spec/rules/-", Value: one})
	}
	return ops
}

// note writes down what the object carries beside the shares, or takes the note away.
func (v view) note(b beside) []operation {
	const all, one = "/metadata/annotations", "/metadata/annotations/sluice.dev~1beside"
	old, has := v.annotations[v1alpha1.BesideAnnotation]
	text := b.String()
	switch {
	case b.none() && !has, has && old == text:
		return nil
	case b.none() && len(v.annotations) == 1:
		return []operation{{Op: "remove", Path: all}}
	case b.none():
		return []operation{{Op: "remove", Path: one}}
	case v.annotations == nil:
		return []operation{{Op: "add", Path: all, Value: map[string]any{v1alpha1.BesideAnnotation: text}}}
	}
	return []operation{{Op: "add", Path: one, Value: text}}
}

// addThird brings the third Service into the rule, as a copy of what it says of the
// stable one, or takes it out: a route that names a Service that is gone is
// accepted by nobody.
func addThird(p pair, want traffic.Split) []operation {
	path, weight, cookie := fmt.Sprintf("/spec/rules/%d/backendRefs", p.index), p.weights.Give(want).Baseline, want.HandsOut(traffic.Baseline)
	switch wanted := want.Baseline > 0; {
	case wanted && p.baseline >= 0:
		return append(p.set(p.baseline, ptr.To(int32(weight))), hand(p, p.baseline, cookie)...)
	case wanted:
		third := handing(thirdBackend(p, true), cookie)
		third["weight"] = weight
		return []operation{{Op: "add", Path: path + "/-", Value: third}}
	case p.baseline >= 0:
		return []operation{{Op: "remove", Path: fmt.Sprintf("%s/%d", path, p.baseline)}}
	}
	return nil
}

// thirdBackend is the backend of the third Service: as it stands in the rule or, where
// it is only wanted, as a copy of the stable one. Nil when it is not wanted.
func thirdBackend(p pair, wanted bool) map[string]any {
	if !wanted {
		return nil
	}
	backends, _ := p.raw["backendRefs"].([]any)
	if p.baseline >= 0 {
		third, _ := backends[p.baseline].(map[string]any)
		return third
	}
	stable, _ := backends[p.stable].(map[string]any)
	third := maps.Clone(stable)
	third["name"] = p.service
	return third
}

// set writes one weight, or takes it out, unless it is so already.
func (p pair) set(backend int, weight *int32) []operation {
	has, path := p.backends[backend].Weight, fmt.Sprintf("/spec/rules/%d/backendRefs/%d/weight", p.index, backend)
	switch {
	case ptr.Equal(has, weight):
		return nil
	case weight == nil:
		return []operation{{Op: "remove", Path: path}}
	}
	return []operation{{Op: "add", Path: path, Value: int64(*weight)}} // which also replaces
}

// refuse is the problem of a split that this kind of route can't carry, whatever the object says.
func (k kind) refuse(r routers.Route, want traffic.Split) error {
	if missing := k.features.Lacking(want); missing != "" {
		return &routers.Problem{
			Field:   r.Field + ".kind",
			Message: fmt.Sprintf("a %s can't carry %s; remove what asks for it, or steer a kind of route that can", k.name, missing),
		}
	}
	for _, m := range want.Matches {
		for _, a := range m.Match {
			if _, err := narrow(k, nil, a); err != nil {
				return &routers.Problem{Field: r.Field + ".kind", Message: fmt.Sprintf("step matchRoute %s: %v", m.Name, err)}
			}
		}
	}
	return nil
}

// coarse is the problem of a rule that doesn't carry every split.
func coarse(p pair, r routers.Route) error {
	return &routers.Problem{
		Field: r.Field,
		Message: fmt.Sprintf("in %s of %s the weights of Services %s and %s sum to %d beside other backends; give your backends weights such that these two sum to at least %d",
			p, r, r.StableService, r.CanaryService, p.weights.Total(), traffic.Fine),
	}
}

// full is the problem of a rule that has no room for a third Service.
func full(p pair, r routers.Route) error {
	const most = 16
	if p.baseline >= 0 || len(p.backends) < most {
		return nil
	}
	return &routers.Problem{
		Field:   r.Field,
		Message: fmt.Sprintf("step baseline needs a backend in %s of %s, which has %d already; remove one", p, r, most),
	}
}
