// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// read is the inverse of render: the observation that the objects amount to.
func read(s state, r routers.Route) (traffic.Observed, error) {
	spec, ps, err := s.bare(r)
	if err != nil {
		return traffic.Observed{}, err
	}
	var all []traffic.Observed
	beside := readSteered(s.virtualService.Annotations)
	variants := []steered{beside}
	if !as(s, spec, ps, beside, r) {
		variants = append(variants, leftover(s.virtualService.Spec))
	}
	for _, p := range ps {
		switch {
		case p.weights.Others > 0 && p.weights.Total() < traffic.Fine:
			return traffic.Observed{}, coarse(p, r)
		case p.weights.Total() == 0:
			return traffic.Observed{}, problem(r, "", "in %s of %s stable and canary both have weight 0, so nobody is served; give %s weight 100", p, r, placesOf(r, s.rule).stable)
		}
		all = append(all, p.observe(variants))
	}
	o := traffic.Merge(all...)
	o.Lists = forms(ps)
	o.Silent, o.Edition = true, s.edition()
	if len(o.Requested) > 1 {
		o.Message = differing(ps, len(variants) > 1, r)
	}
	if s.rule != nil {
		o.Marked = revisionOf(s.rule, stableSubset) != "" || revisionOf(s.rule, canarySubset) != ""
	}
	if why := unbound(s.rule, r); why != "" {
		o.Unbound, o.Silent, o.Message = true, false, why
	}
	return o, nil
}

// observe is what one route carries: its shares, with each of the things that
// may be beside them.
func (p pair) observe(variants []steered) traffic.Observed {
	var o traffic.Observed
	for _, split := range p.weights.Splits() {
		for _, beside := range variants {
			o.Requested = append(o.Requested, beside.on(split))
		}
	}
	return o
}

// as reports whether a VirtualService carries beside its weights what its
// annotation says, in the form that we would give it now. The bare spec is not changed.
func as(s state, spec map[string]any, ps []pair, beside steered, r routers.Route) bool {
	again, twins, err := state{&VirtualService{Spec: spec}, s.rule}.bare(r)
	if err != nil || len(twins) != len(ps) {
		return false
	}
	want := beside.on(shared(twins))
	if want.Sticky != nil && want.Validate() != nil || besides(again, twins, want, placesOf(r, s.rule), r) != nil {
		return false
	}
	return reflect.DeepEqual(again, s.virtualService.Spec)
}

// shared is the share that all pairs carry; unknown when they don't, so that
// nobody can be told to be kept at it.
func shared(ps []pair) traffic.Split {
	of := ps[0].weights.Splits()
	for _, p := range ps {
		if splits := p.weights.Splits(); len(splits) != 1 || len(of) != 1 || !splits[0].Equal(of[0]) {
			return traffic.Split{}
		}
	}
	return of[0]
}

// differing says what each route carries when they don't all carry the same whole percentage.
func differing(ps []pair, altered bool, r routers.Route) string {
	if altered {
		return fmt.Sprintf("%s: the parts that annotation %s speaks of are not as they were written", r, v1alpha1.BesideAnnotation)
	}
	parts := make([]string, 0, len(ps))
	for _, p := range ps {
		parts = append(parts, fmt.Sprintf("%s gives the canary weight %d of %d", p, p.weights.Canary, p.weights.Total()))
	}
	if len(parts) > shown {
		parts = append(parts[:shown], fmt.Sprintf("and %d more", len(ps)-shown))
	}
	return fmt.Sprintf("%s: %s", r, strings.Join(slices.Compact(parts), ", "))
}

// shown is the number of routes that a message lists.
const shown = 4
