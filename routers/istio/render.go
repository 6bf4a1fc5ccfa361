// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// state is what was read of one route reference.
type state struct {
	virtualService *VirtualService
	// rule is nil without destinationRule.
	rule *DestinationRule
}

// edition is that of both objects: the DestinationRule says which pods a weight is for.
func (s state) edition() string {
	e := traffic.EditionOf(s.virtualService)
	if s.rule != nil {
		e += " " + traffic.EditionOf(s.rule)
	}
	return e
}

// render lists what makes both objects carry want: the DestinationRule first,
// so that no weight ever waits for a subset. It returns a *routers.Problem when
// a route chosen can't carry it.
func render(s state, r routers.Route, want traffic.Split) (rule, virtualService []operation, err error) {
	if want.Baseline > 0 {
		return nil, nil, problem(r, "", "%s has no place for a third destination; remove the baseline step", r)
	}
	if err := undefined(r, func(subset string) bool { return want.Reaches(traffic.Slot(subset)) }); err != nil {
		return nil, nil, err
	}
	virtualService, err = steer(s, r, want)
	if err != nil || s.rule == nil {
		return nil, virtualService, err
	}
	return bind(s.rule, r), virtualService, nil
}

// steer lists what makes the VirtualService carry want.
func steer(s state, r routers.Route, want traffic.Split) ([]operation, error) {
	spec, ps, err := s.bare(r)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		if !p.weights.Carries(want) {
			return nil, coarse(p, r)
		}
	}
	if err := besides(spec, ps, want, placesOf(r, s.rule), r); err != nil {
		return nil, err
	}
	weigh(ps, want)
	return s.patch(spec, steeredBy(want))
}

// bare is the spec without anything of ours but the weights, and the pairs in it.
func (s state) bare(r routers.Route) (map[string]any, []pair, error) {
	spec, at := runtime.DeepCopyJSON(s.virtualService.Spec), placesOf(r, s.rule)
	bare(spec, readSteered(s.virtualService.Annotations), at, r)
	ps, err := pairs(routesOf(spec), at, r)
	return spec, ps, err
}

// patch lists what turns the VirtualService's spec and annotation into these.
func (s state) patch(spec map[string]any, beside steered) ([]operation, error) {
	v := s.virtualService
	note, err := beside.text()
	if err != nil {
		return nil, fmt.Errorf("encode annotation %s: %w", v1alpha1.BesideAnnotation, err)
	}
	annotations := maps.Clone(v.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, v1alpha1.BesideAnnotation)
	if note != "" {
		annotations[v1alpha1.BesideAnnotation] = note
	}
	ops := differ("/metadata", annotated(v.Annotations), annotated(annotations))
	return guarded(v.ResourceVersion, append(ops, differ("/spec", v.Spec, spec)...)), nil
}

// annotated is the part of an object's metadata that may change.
func annotated(annotations map[string]string) map[string]any {
	if len(annotations) == 0 {
		return map[string]any{}
	}
	all := make(map[string]any, len(annotations))
	for k, v := range annotations {
		all[k] = v
	}
	return map[string]any{"annotations": all}
}

// release lists what gives stable everything and takes away what is ours, as far
// as it can still be made out: the VirtualService first, so that no subset loses
// its meaning while it has a weight.
func release(s state, r routers.Route) (virtualService, rule []operation, err error) {
	if s.rule != nil {
		rule = unbind(s.rule)
	}
	if s.virtualService == nil {
		return nil, rule, nil
	}
	spec, at := runtime.DeepCopyJSON(s.virtualService.Spec), placesOf(r, s.rule)
	bare(spec, readSteered(s.virtualService.Annotations), at, r)
	var ps []pair
	for _, o := range routesOf(spec) {
		if p, err := match(o, at, r); err == nil && chosenBy(r, o, at) && p.weights.Carries(traffic.CanaryAt(0)) {
			ps = append(ps, p)
		}
	}
	ps = listed(ps, r)
	for i := range ps {
		ps[i].released = true
	}
	weigh(ps, traffic.CanaryAt(0))
	virtualService, err = s.patch(spec, steered{})
	return virtualService, rule, err
}

// coarse is the problem of a route that doesn't carry every split.
func coarse(p pair, r routers.Route) error {
	return problem(r, "", "in %s of %s the weights of stable and canary sum to %d beside other destinations; give all its destinations weights such that these two sum to at least %d",
		p, r, p.weights.Total(), traffic.Fine)
}
