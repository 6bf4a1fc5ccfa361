// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// target is an object that only one Rollout may steer.
type target struct {
	// index finds the Rollouts that refer to it by key.
	index, key string
	// field of the Rollout that names it, and what it is to people.
	field, what string
}

// targets are what a spec asks to steer. A route is none of them: several
// Rollouts may share one, as each changes nothing but the weights of its own Services.
func targets(ro *v1alpha1.Rollout) []target {
	var all []target
	for _, name := range workloadOf(ro) {
		all = append(all, target{byWorkload, name, "spec.workloadRef.name", "Deployment " + name})
	}
	for _, name := range steered(plan.WantedBindings(ro)) {
		all = append(all, target{byService, name, "spec.strategy", "Service " + name})
	}
	return all
}

// concerned are the targets of a Rollout, and those that it has not let go yet.
func concerned(ro *v1alpha1.Rollout) []target {
	all := targets(ro)
	if held := ro.Status.Bindings; held != nil {
		for _, name := range steered(*held) {
			all = append(all, target{index: byService, key: name, what: "Service " + name})
		}
	}
	return all
}

// steered are the Services whose selectors are ours to change.
func steered(b v1alpha1.Bindings) []string {
	return unique([]string{b.StableService, b.CanaryService, b.BaselineService})
}

// steers reports whether a Rollout has a target in its hands already.
func steers(ro *v1alpha1.Rollout, t target) bool {
	if ro.Status.Bindings == nil || ro.Status.StableRevision == "" {
		return false
	}
	return t.index == byWorkload || slices.Contains(steered(*ro.Status.Bindings), t.key)
}

// claims reports whether a Rollout that refers to a target means to steer it.
func claims(ro *v1alpha1.Rollout, t target) bool {
	return steers(ro, t) || slices.ContainsFunc(targets(ro), func(own target) bool { return own.index == t.index && own.key == t.key })
}

// before reports whether a has the better claim to a target than b: it steers
// it already, or it is older.
func before(a, b *v1alpha1.Rollout, t target) bool {
	if x, y := steers(a, t), steers(b, t); x != y {
		return x
	}
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID)) < 0
}

// rivals finds other Rollouts that steer what this one asks for. Two that took
// turns at one Service would undo each other's work for ever; so the one with the
// lesser claim does nothing and says to whom the object belongs.
func (o *observation) rivals(ctx context.Context) error {
	ro := o.s.Rollout
	for _, t := range targets(ro) {
		others, err := sharing(ctx, o.indexed, ro, t)
		if err != nil {
			return err
		}
		for i := range others {
			if claims(&others[i], t) && before(&others[i], ro, t) {
				if t.index == byService {
					o.rival[t.key] = others[i].Name
				}
				o.found = append(o.found, plan.Problem{Field: t.field, Steers: true, Message: fmt.Sprintf(
					"%s is steered by Rollout %s already; name another object, or delete one of the two Rollouts", t.what, others[i].Name)})
				break
			}
		}
	}
	return nil
}

// sharing lists the other Rollouts that refer to a target. Those on their way
// out count: they still hand it back. They are to be read only.
func sharing(ctx context.Context, c client.Reader, ro *v1alpha1.Rollout, t target) ([]v1alpha1.Rollout, error) {
	var list v1alpha1.RolloutList
	if err := c.List(ctx, &list, client.InNamespace(ro.Namespace), client.MatchingFields{t.index: t.key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("find the Rollouts that refer to %s: %w", t.what, err)
	}
	return slices.DeleteFunc(list.Items, func(other v1alpha1.Rollout) bool { return other.UID == ro.UID }), nil
}

// lettingGo lets those updates through by which a Rollout may let go of a
// target: of its spec, and of what it has in its hands.
func lettingGo() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Rollout)
		now, too := e.ObjectNew.(*v1alpha1.Rollout)
		return ok && too && !equality.Semantic.DeepEqual(before.Status.Bindings, now.Status.Bindings)
	}})
}

// enqueueRivals wakes the Rollouts that share a target with one that has
// changed: it may have become theirs.
func enqueueRivals(c client.Reader) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		ro, ok := obj.(*v1alpha1.Rollout)
		if !ok {
			return nil
		}
		var requests []reconcile.Request
		for _, t := range concerned(ro) {
			others, err := sharing(ctx, c, ro, t)
			if err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "Could not find the Rollouts that share a target")
				return nil
			}
			for i := range others {
				requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: others[i].Namespace, Name: others[i].Name}})
			}
		}
		return requests
	})
}
