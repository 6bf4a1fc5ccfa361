// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
)

// checkRule finds what is wrong with a DestinationRule that a reference names.
func checkRule(rule *DestinationRule, r routers.Route) error {
	const field = ".destinationRule"
	host := text(rule.Spec, "host")
	s, known := serviceOf(host, r.Namespace)
	switch {
	case s.namespace != r.Namespace:
		return problem(r, field, "%s is about host %s, which is no Service of namespace %s; name the DestinationRule of the Service that the pods of %s are behind", named(r), host, r.Namespace, r)
	case !known:
		return problem(r, field, "%s is about host %s, which Istio takes as it stands and finds no Service by; write %s or %s", named(r), host, s.name, s)
	case s.name == r.StableService || s.name == r.CanaryService:
		return problem(r, field, "%s is about Service %s, which stands for one revision only; name the DestinationRule of the Service that stands for all pods", named(r), s.name)
	}
	for _, subset := range []string{stableSubset, canarySubset} {
		if n := len(subsetsOf(rule.Spec, subset)); n != 1 {
			return problem(r, field, "%s has %d subsets called %s; write exactly one, without label %s, which is Sluice's", named(r), n, subset, v1alpha1.RevisionLabel)
		}
	}
	return nil
}

// named is the DestinationRule of a reference, as messages name it.
func named(r routers.Route) string {
	return fmt.Sprintf("DestinationRule %s/%s", r.Namespace, r.Ref.DestinationRule)
}

func subsetsOf(spec map[string]any, name string) []map[string]any {
	return slices.DeleteFunc(list(spec, "subsets"), func(s map[string]any) bool { return text(s, "name") != name })
}

// revisionOf is the revision that a subset is narrowed to; empty when it is not.
func revisionOf(rule *DestinationRule, subset string) string {
	for _, s := range subsetsOf(rule.Spec, subset) {
		return text(object(s, "labels"), v1alpha1.RevisionLabel)
	}
	return ""
}

// bind lists the operations that have both subsets stand for what the slots'
// Services stand for. A slot that stands for nothing yet leaves its subset alone.
func bind(rule *DestinationRule, r routers.Route) []operation {
	return relabel(rule, func(name string, subset map[string]any) {
		if revision := wanted(r, name); revision != "" {
			put(subset, revision, "labels", v1alpha1.RevisionLabel)
		}
	})
}

// unbind takes our label away.
func unbind(rule *DestinationRule) []operation {
	return relabel(rule, func(_ string, subset map[string]any) {
		drop(subset, "labels", v1alpha1.RevisionLabel)
	})
}

// relabel changes the two subsets that are ours.
func relabel(rule *DestinationRule, change func(name string, subset map[string]any)) []operation {
	spec := runtime.DeepCopyJSON(rule.Spec)
	for _, s := range list(spec, "subsets") {
		if name := text(s, "name"); name == stableSubset || name == canarySubset {
			change(name, s)
		}
	}
	return guarded(rule.ResourceVersion, differ("/spec", rule.Spec, spec))
}

// wanted is the revision that a subset should be narrowed to.
func wanted(r routers.Route, subset string) string {
	if subset == canarySubset {
		return r.CanaryRevision
	}
	return r.StableRevision
}

// unbound says which subset stands for something else than its slot's Service.
func unbound(rule *DestinationRule, r routers.Route) string {
	if rule == nil {
		return ""
	}
	for _, subset := range []string{stableSubset, canarySubset} {
		if want, has := wanted(r, subset), revisionOf(rule, subset); want != "" && has != want {
			return fmt.Sprintf("subset %s of %s is narrowed to revision %q, not to %s yet", subset, named(r), has, want)
		}
	}
	return ""
}

// undefined refuses a split that sends to a subset of which nobody knows what it stands for.
func undefined(r routers.Route, reaches func(subset string) bool) error {
	for _, subset := range []string{stableSubset, canarySubset} {
		if r.Ref.DestinationRule != "" && wanted(r, subset) == "" && reaches(subset) {
			return fmt.Errorf("steer %s: the %s Service stands for no revision, so that subset %s of %s can't either", r, subset, subset, named(r))
		}
	}
	return nil
}
