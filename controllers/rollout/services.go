// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// services reads the Services that the strategy uses and the endpoints behind them.
func (o *observation) services(ctx context.Context) error {
	at, stable, canary := strategyPath(o.bound), ".stableService", ".canaryService"
	if o.bound.Strategy == plan.StrategyBlueGreen {
		stable, canary = ".activeService", ".previewService"
	}
	for _, s := range []struct {
		into        *plan.Service
		name, field string
	}{
		{&o.s.StableService, o.bound.StableService, at + stable},
		{&o.s.CanaryService, o.bound.CanaryService, at + canary},
		{&o.s.BaselineService, o.bound.BaselineService, at + ".steps"},
		{&o.s.CallerService, o.bound.Service, at + ".service"},
	} {
		var err error
		if *s.into, err = o.service(ctx, s.name, s.field); err != nil {
			return err
		}
	}
	return readEndpoints(ctx, o, &o.s.StableService, &o.s.CanaryService, &o.s.BaselineService, &o.s.CallerService)
}

func (o *observation) service(ctx context.Context, name, field string) (plan.Service, error) {
	seen := plan.Service{Name: name, Rival: o.rival[name], Ready: map[string]int32{}}
	if name == "" {
		return seen, nil
	}
	svc := &corev1.Service{}
	err := o.from.of(plan.Services).Get(ctx, o.namespaced(name), svc)
	if apierrors.IsNotFound(err) && (name == o.bound.BaselineService || plan.Makes(o.s.Rollout, name)) {
		seen.Missing = true
		return seen, nil
	}
	if apierrors.IsNotFound(err) {
		o.absent, seen.Absent = append(o.absent, name), true
		o.unbound(field, "Service %s does not exist in namespace %s; create it with the selector and ports of the workload", name, o.s.Rollout.Namespace)
		return seen, nil
	}
	if err != nil {
		return seen, fmt.Errorf("read Service %s: %w", name, err)
	}
	if name == o.bound.BaselineService && !ours(o.s, svc) {
		o.unbound(field, "step baseline makes a Service %s, and one of that name belongs to somebody else; rename that, or remove the step", name)
	}
	seen.Unfit = !checkService(o, svc, field)
	seen.Selects, seen.Version = svc.Spec.Selector[v1alpha1.RevisionLabel], svc.ResourceVersion
	return seen, nil
}

// checkService reports whether a Service can stand for the workload's pods, and says why not.
func checkService(o *observation, svc *corev1.Service, field string) (fit bool) {
	switch {
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		o.unbound(field, "Service %s is of type ExternalName, another name of %s, so there are no pods behind it to choose from, whatever its selector; name a Service of type ClusterIP here that selects the workload's pods",
			svc.Name, svc.Spec.ExternalName)
	case len(svc.Spec.Selector) == 0:
		o.unbound(field, "Service %s has no selector, so it can't be pointed at a revision; give it the workload's labels", svc.Name)
	default:
		return checkSelector(o, svc, field)
	}
	return false
}

// checkSelector is about a Service that would never select the workload's pods.
func checkSelector(o *observation, svc *corev1.Service, field string) (fit bool) {
	if o.s.Template == nil {
		return true
	}
	for k, v := range svc.Spec.Selector {
		if s := o.s.Selector; s != nil && s.MatchLabels[k] == v {
			continue // it is the template that lacks the label, which is said
		}
		if k != v1alpha1.RevisionLabel && o.s.Template.Labels[k] != v {
			o.unbound(field, "Service %s selects %s=%s, which the pod template's labels do not carry; make them agree", svc.Name, k, v)
			return false
		}
	}
	return true
}
