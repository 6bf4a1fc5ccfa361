// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// means is how a Rollout moves traffic, by the objects that carry it now.
type means int

const (
	byRoute means = iota
	bySelector
	byReplicas
)

func meansOf(ro *v1alpha1.Rollout) means {
	b := plan.Bindings(ro)
	switch {
	case len(b.Routes) > 0:
		return byRoute
	case b.Strategy == plan.StrategyBlueGreen:
		return bySelector
	}
	return byReplicas
}

// dynamic reports whether stable's pods follow its share.
func dynamic(ro *v1alpha1.Rollout) bool {
	c := ro.Spec.Strategy.Canary
	return c != nil && c.ScaleStable == v1alpha1.ScaleStableDynamic
}

// spared is the number of pods that may be missing while pods are replaced
// without routes.
func spared(ro *v1alpha1.Rollout, replicas int32) int32 {
	c := ro.Spec.Strategy.Canary
	if meansOf(ro) != byReplicas || c == nil || c.MaxUnavailable == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(c.MaxUnavailable, int(replicas), false)
	if err != nil {
		return 0
	}
	return min(int32(n), replicas)
}

// podsSplit: pods are the split now.
func podsSplit(w *World) bool { return w.live.rollout != nil && meansOf(w.live.rollout) == byReplicas }

// bound reports whether a Service carries a slot by the objects in force.
func bound(ro *v1alpha1.Rollout, name string) bool {
	b := plan.Bindings(ro)
	return name != "" && (name == b.StableService || name == b.CanaryService || name == b.BaselineService)
}
