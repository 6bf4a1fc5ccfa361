// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// pair is a rule in which both Services were found.
type pair struct {
	// rule as it is without our filters on backends, whose places are in cookies.
	rule
	cookies map[int]handed
	// stable and canary are indexes into the rule's backends.
	stable, canary int
	// baseline is the same of the third Service; -1 while the rule has none.
	baseline int
	// service is the name of the third Service.
	service string
	// chosen are the places of all rules that are steered.
	chosen map[int]bool
	// weights of the Services, and of all other backends together.
	weights traffic.Weights
	// list is its name, see [traffic.ListName].
	list string
	// own is what the user wrote into it, nil when that is not known.
	own *traffic.Form
	// released: it gets that back, whatever it says.
	released bool
}

// pairs finds both Services in every rule that the route reference chooses. It
// returns at least one pair or a *routers.Problem.
func pairs(v view, r routers.Route) ([]pair, error) {
	chosen, err := choose(v, r)
	if err != nil {
		return nil, err
	}
	found, steered := make([]pair, 0, len(chosen)), map[int]bool{}
	for _, one := range chosen {
		steered[one.index] = true
	}
	for _, one := range chosen {
		p, err := match(v, one, r)
		if err != nil {
			return nil, err
		}
		p.chosen = steered
		found = append(found, p)
	}
	return listed(found, r), nil
}

// places says where the rules steered name the two Services.
func places(ps []pair, r routers.Route) []traffic.Backend {
	all := make([]traffic.Backend, 0, 2*len(ps))
	for _, p := range ps {
		at := traffic.Backend{Kind: r.Ref.Kind, Name: r.Ref.Name, Rule: int32(p.index)}
		at.Slot, at.Index = traffic.Stable, int32(p.stable)
		all = append(all, at)
		at.Slot, at.Index = traffic.Canary, int32(p.canary)
		all = append(all, at)
	}
	return all
}

// choose picks the rules named by the reference; without names, those that
// refer to the stable Service. A rule that refers to the canary's alone is a
// user's own, such as one for testers, unless there is no other.
func choose(v view, r routers.Route) ([]rule, error) {
	if len(r.Ref.Rules) > 0 {
		return chooseNamed(v, r)
	}
	var chosen, canaryOnly []rule
	for _, one := range v.rules {
		switch {
		case len(refs(one, r, r.StableService)) > 0:
			chosen = append(chosen, one)
		case len(refs(one, r, r.CanaryService)) > 0:
			canaryOnly = append(canaryOnly, one)
		}
	}
	if len(chosen) == 0 {
		chosen = canaryOnly
	}
	if len(chosen) == 0 {
		return nil, &routers.Problem{
			Field: r.Field, Unreferred: true,
			Message: fmt.Sprintf("no rule of %s sends to Service %s or %s; add a backendRef to %s with weight 100 and one to %s with weight 0",
				r, r.StableService, r.CanaryService, r.StableService, r.CanaryService) + elsewhere(v, r),
		}
	}
	return chosen, nil
}

// elsewhere tells of Services of the same names in another namespace, which are not the Rollout's.
func elsewhere(v view, r routers.Route) string {
	for _, one := range v.rules {
		for _, b := range one.backends {
			namespace := string(ptr.Deref(b.Namespace, ""))
			if namespace == "" || namespace == r.Namespace || string(b.Name) != r.StableService && string(b.Name) != r.CanaryService {
				continue
			}
			return fmt.Sprintf(" (%s refers to Service %s of namespace %s, which is another one; it also needs a ReferenceGrant there)", one, b.Name, namespace)
		}
	}
	return ""
}

func chooseNamed(v view, r routers.Route) ([]rule, error) {
	var chosen []rule
	for _, name := range r.Ref.Rules {
		at := slices.IndexFunc(v.rules, func(one rule) bool { return one.name == name })
		if at < 0 {
			return nil, &routers.Problem{
				Field:   r.Field + ".rules",
				Message: fmt.Sprintf("%s has no rule named %s; %s", r, name, nameless(v)),
			}
		}
		chosen = append(chosen, v.rules[at])
	}
	slices.SortFunc(chosen, func(a, b rule) int { return a.index - b.index })
	return slices.CompactFunc(chosen, func(a, b rule) bool { return a.index == b.index }), nil
}

// chosenLoosely reports whether the reference may have meant a rule; names that
// don't exist are no matter.
func chosenLoosely(one rule, r routers.Route) bool {
	return len(r.Ref.Rules) == 0 || slices.Contains(r.Ref.Rules, one.name)
}

// nameless is the remedy for a rule name that doesn't exist.
func nameless(v view) string {
	var names []string
	for _, one := range v.rules {
		if one.name != "" {
			names = append(names, one.name)
		}
	}
	if len(names) == 0 {
		return "none of its rules has a name: set the name of the rule meant, or leave rules out"
	}
	return "use one of " + strings.Join(names, ", ")
}

// match finds each Service exactly once in a rule.
func match(v view, one rule, r routers.Route) (pair, error) {
	stable, canary := refs(one, r, r.StableService), refs(one, r, r.CanaryService)
	if len(stable) > 1 {
		return pair{}, repeated(one, r, r.StableService)
	}
	if len(canary) > 1 {
		return pair{}, repeated(one, r, r.CanaryService)
	}
	if len(stable) == 0 {
		return pair{}, missing(one, r, r.StableService, traffic.Fine)
	}
	if len(canary) == 0 {
		return pair{}, missing(one, r, r.CanaryService, 0)
	}
	p := pair{rule: one, stable: stable[0], canary: canary[0], baseline: -1, service: r.BaselineService}
	if r.BaselineService != "" {
		switch found := refs(one, r, r.BaselineService); len(found) {
		case 0:
		case 1:
			p.baseline = found[0]
		default:
			return pair{}, repeated(one, r, r.BaselineService)
		}
	}
	for i := range one.backends {
		switch weight := p.weight(i); i {
		case p.stable:
			p.weights.Stable = weight
		case p.canary:
			p.weights.Canary = weight
		case p.baseline:
			p.weights.Baseline = weight
		default:
			p.weights.Others += weight
		}
	}
	return p.withoutCookies(v.noted.Sticky), nil
}

func missing(one rule, r routers.Route, service string, weight int) error {
	return &routers.Problem{
		Field: r.Field, Unreferred: true,
		Message: fmt.Sprintf("%s of %s does not refer to Service %s; add a backendRef to Service %s with weight %d", one, r, service, service, weight),
	}
}

func repeated(one rule, r routers.Route, service string) error {
	return &routers.Problem{
		Field:   r.Field,
		Message: fmt.Sprintf("%s of %s refers to Service %s more than once; keep one of these backendRefs", one, r, service),
	}
}

// refs lists the backends of a rule that are the named Service in the route's namespace.
func refs(one rule, r routers.Route, service string) []int {
	var at []int
	for i, b := range one.backends {
		if ptr.Deref(b.Group, "") == "" && ptr.Deref(b.Kind, "Service") == "Service" &&
			string(ptr.Deref(b.Namespace, gatewayv1.Namespace(r.Namespace))) == r.Namespace &&
			string(b.Name) == service {
			at = append(at, i)
		}
	}
	return at
}

// weight of a backend, or the Gateway API's default.
func (one rule) weight(backend int) int64 {
	return int64(ptr.Deref(one.backends[backend].Weight, absent))
}

// String names the rule as it is found in the object.
func (one rule) String() string {
	if one.name == "" {
		return fmt.Sprintf("spec.rules[%d]", one.index)
	}
	return fmt.Sprintf("spec.rules[%d] (%s)", one.index, one.name)
}
