// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	promclient "github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// gitops is a tool that puts the manifest of the route back.
type gitops func(ctx context.Context, c client.Client, manifest *unstructured.Unstructured) error

// serverSide applies with force, as Flux does, and Argo CD with ServerSideApply=true.
func serverSide(ctx context.Context, c client.Client, manifest *unstructured.Unstructured) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(manifest.DeepCopy()), client.ForceOwnership, client.FieldOwner("gitops"))
}

// clientSide merges three ways, as kubectl apply does, and Argo CD by default.
func clientSide(ctx context.Context, c client.Client, manifest *unstructured.Unstructured) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(manifest.GroupVersionKind())
	if err := c.Get(ctx, client.ObjectKeyFromObject(manifest), live); err != nil {
		return err
	}
	original := live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	plain, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	modified := manifest.DeepCopy()
	modified.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(plain)})
	wanted, err := json.Marshal(modified)
	if err != nil {
		return err
	}
	current, err := json.Marshal(live)
	if err != nil {
		return err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(original), wanted, current)
	if err != nil {
		return err
	}
	return c.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("gitops"))
}

// manifestOf is the route as Git has it: everything to stable.
func manifestOf(t *testing.T, ns string) *unstructured.Unstructured {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(route(ns))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetGroupVersionKind(schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute"))
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u
}

// TestGitOpsToolPutsTheManifestBack: at every step the tool writes what Git
// says, three times. The split is put right at once, no step is lost, and
// people see one event and a count.
func TestGitOpsToolPutsTheManifestBack(t *testing.T) {
	for name, apply := range map[string]gitops{"ServerSideApply": serverSide, "ClientSideApply": clientSide} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			env := testenv.Start(t)
			counts := promclient.NewRegistry()
			startCounting(t, env, s.ns, counts)
			manifest := manifestOf(t, s.ns)
			testers := v1alpha1.Step{MatchRoute: &v1alpha1.MatchRoute{Name: "testers", Match: header("X-Canary", "1")}}
			s.create(s.rollout(testers, pause(), weight(25), pause(), weight(50), pause()))
			first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
			s.release("shop:v2")

			var wrong []time.Duration
			for _, step := range []int32{1, 3, 5} {
				s.until("paused", func(ro *v1alpha1.Rollout) bool {
					return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CurrentStep.Index == step
				})
				want := s.rules()
				for range 3 {
					wrong = append(wrong, s.putBack(apply, manifest, want))
					s.untilTold("RouteDrift")
				}
				if got := s.get().Status.CurrentStep.Index; got != step {
					t.Fatalf("at step %d after drift, want %d", got, step)
				}
				s.promote(step)
			}
			s.healthyWith(first)
			if got := s.get().Status.History[0].Cause; got != v1alpha1.CausePromoted {
				t.Errorf("history says %s", got)
			}
			slices.Sort(wrong)
			t.Logf("%s: split wrong for %v at the median and %v at most, %d times", name, wrong[len(wrong)/2], wrong[len(wrong)-1], len(wrong))
			if got := counted(t, counts, "sluice_route_drift_total"); got != float64(len(wrong)) {
				t.Errorf("drift counted %v times, want %d", got, len(wrong))
			}
			s.oneEvent("RouteDrift")
		})
	}
}

func header(name, value string) []v1alpha1.RequestMatch {
	return []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: name, Exact: &value}}}}
}

func (s *shop) promote(step int32) {
	s.t.Helper()
	command, err := json.Marshal(map[string]any{"id": time.Now().String(), "verb": "promote", "step": step, "by": "jane"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.command(string(command))
}

// rules is what the route carries.
func (s *shop) rules() string {
	s.t.Helper()
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		s.t.Fatal(err)
	}
	return encoded(s.t, r)
}

func encoded(t *testing.T, r *gatewayv1.HTTPRoute) string {
	t.Helper()
	raw, err := json.Marshal(r.Spec.Rules)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// putBack lets the tool write and gives the time until the route carries again
// what it did, as a watch sees it.
func (s *shop) putBack(apply gitops, manifest *unstructured.Unstructured, want string) time.Duration {
	s.t.Helper()
	w, err := s.client.Watch(s.ctx, &gatewayv1.HTTPRouteList{}, client.InNamespace(s.ns))
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Stop()
	var at time.Time
	go func() {
		if err := apply(s.ctx, s.client, manifest); err != nil {
			s.t.Error(err)
		}
	}()
	for event := range w.ResultChan() {
		r, ok := event.Object.(*gatewayv1.HTTPRoute)
		if !ok {
			continue
		}
		switch got := encoded(s.t, r); {
		case at.IsZero() && got != want:
			at = time.Now()
		case !at.IsZero() && got == want:
			wrong := time.Since(at)
			s.until("settled again", func(ro *v1alpha1.Rollout) bool {
				return ro.Status.Traffic.Message == "" && len(ro.Status.Traffic.Confirmed) > 0
			})
			return wrong
		}
	}
	s.t.Fatal("the route was never put right")
	return 0
}

func counted(t *testing.T, counts *promclient.Registry, name string) float64 {
	t.Helper()
	families, err := counts.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// untilTold waits for the event of what is done already. The client's library
// sends each in a goroutine of its own: a repeat that overtakes the first would
// not be counted.
func (s *shop) untilTold(reason string) {
	s.t.Helper()
	s.until("told by "+reason, func(*v1alpha1.Rollout) bool { return len(s.told(reason)) > 0 })
}

// oneEvent: the API server holds one event of a reason, however often it came.
// Its count arrives after what it tells of.
func (s *shop) oneEvent(reason string) {
	s.t.Helper()
	var found []eventsv1.Event
	s.until("an event "+reason+" with a count", func(*v1alpha1.Rollout) bool {
		var list eventsv1.EventList
		if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns)); err != nil {
			s.t.Fatal(err)
		}
		found = slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool { return e.Reason != reason })
		return slices.ContainsFunc(found, func(e eventsv1.Event) bool { return e.Series != nil })
	})
	if len(found) != 1 || found[0].Type != corev1.EventTypeWarning {
		s.t.Errorf("%d events %s, want one warning", len(found), reason)
	}
}

// TestMirrorStepComesAndGoes: a mirror and a match are there while a step asks for them, and leave no trace.
func TestMirrorStepComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.gatewayOf("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	s.create(s.rollout(mirror(10), pause(), mirror(0), v1alpha1.Step{MatchRoute: &v1alpha1.MatchRoute{Name: "testers", Match: header("X-Canary", "1")}}, pause()))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	atRest := s.rules()
	s.release("shop:v2")
	is := func(step int32, mirrored bool, rules int) {
		t.Helper()
		s.until("paused", func(ro *v1alpha1.Rollout) bool {
			return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CurrentStep.Index == step
		})
		r := &gatewayv1.HTTPRoute{}
		if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
			t.Fatal(err)
		}
		last := r.Spec.Rules[len(r.Spec.Rules)-1]
		if len(r.Spec.Rules) != rules || (len(last.Filters) == 1) != mirrored {
			t.Errorf("at step %d the route has rules %s", step, encoded(t, r))
		}
	}
	is(1, true, 1)
	s.promote(1)
	is(4, false, 2)
	s.command(`{"id": "abort", "verb": "abort", "by": "jane"}`)
	s.untilPhase(v1alpha1.PhaseDegraded)
	if got := s.rules(); got != atRest {
		t.Errorf("after the abort the route has %s, want %s", got, atRest)
	}
	s.delete(s.get())
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, r); got != atRest || metav1.HasAnnotation(r.ObjectMeta, v1alpha1.BesideAnnotation) {
		t.Errorf("after the deletion of the Rollout with %s stable the route has %s and annotations %v", first, got, r.Annotations)
	}
}
