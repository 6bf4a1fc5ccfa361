// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestScaledMeanwhile: somebody who was faster is a lost race, as the real API server tells it.
func TestScaledMeanwhile(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t)
	c := env.Client(t, clientgoscheme.Scheme)
	labels := map[string]string{"app": "idle"}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t), Name: "idle"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "idle", Image: "idle"}}}},
		},
	}
	if err := c.Create(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	w := writer{client: c, live: c}
	if err := w.scale(t.Context(), rs.DeepCopy(), 2, 0); !apierrors.IsConflict(err) {
		t.Errorf("a ReplicaSet of 0 scaled from 2: %v, want a conflict", err)
	}
	if err := w.scale(t.Context(), rs.DeepCopy(), 0, 0); err != nil {
		t.Errorf("scaled from the 0 that it has: %v", err)
	}
}

// steering is a router whose writes end as ends says, by the routes' names. It notes
// the others.
type steering struct {
	ends  map[string]error
	wrote *[]string
}

func (steering) Observe(context.Context, client.Reader, routers.Route) (traffic.Observed, error) {
	return traffic.Observed{}, nil
}

func (r steering) Apply(_ context.Context, route routers.Route, _ traffic.Split) error {
	return note(r.wrote, route.Ref.Name, r.ends[route.Ref.Name])
}

// note adds what was written without an error.
func note(to *[]string, name string, err error) error {
	if err == nil {
		*to = append(*to, name)
	}
	return err
}

func (steering) Release(context.Context, routers.Route) error { return nil }

// TestWhatBecomesOfActions: a race that is lost ends a pass in silence, but for
// what was refused before it, and others go on without what failed.
func TestWhatBecomesOfActions(t *testing.T) {
	resource := schema.GroupResource{Resource: "things"}
	refused, lost := apierrors.NewForbidden(resource, "x", nil), apierrors.NewConflict(resource, "x", nil)
	point := func(service string) plan.Action { return plan.SelectRevision{Service: service, Revision: "v2"} }
	shift := plan.ShiftTraffic{Split: traffic.CanaryAt(25)}
	type told struct {
		Wrote    []string
		Refused  []string
		Conflict bool
		Lost     bool
	}
	cases := map[string]struct {
		reason  string
		routes  map[string]error
		actions []plan.Action
		want    told
	}{
		"Done": {reason: "there is nothing to tell", actions: []plan.Action{point("fine"), shift}, want: told{Wrote: []string{"fine", "a", "b"}}},
		"Lost": {
			reason: "whoever won has changed the world", actions: []plan.Action{shift, point("lost"), point("fine")},
			want: told{Wrote: []string{"a", "b"}, Conflict: true, Lost: true},
		},
		"Refused": {
			reason: "others go on without it", actions: []plan.Action{point("refused"), shift},
			want: told{Wrote: []string{"a", "b"}, Refused: []string{"Service refused"}},
		},
		"RefusedAndLost": {
			reason: "a policy that denies must not hide behind a race", actions: []plan.Action{point("refused"), point("lost"), shift},
			want: told{Refused: []string{"Service refused"}, Lost: true},
		},
		"RouteLost": {
			reason: "the other one was written", routes: map[string]error{"b": lost}, actions: []plan.Action{shift, point("fine")},
			want: told{Wrote: []string{"a"}, Conflict: true, Lost: true},
		},
		"RoutesRefusedAndLost": {
			reason: "one refuses what for the other comes too late", routes: map[string]error{"a": refused, "b": lost}, actions: []plan.Action{shift, point("fine")},
			want: told{Refused: []string{"Route test/a"}, Lost: true},
		},
		"RouteRefused": {
			reason: "the other one was written", routes: map[string]error{"a": refused}, actions: []plan.Action{shift},
			want: told{Wrote: []string{"b"}, Refused: []string{"Route test/a"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var wrote []string
			c := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
				Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
					return note(&wrote, o.GetName(), map[string]error{"refused": refused, "lost": lost}[o.GetName()])
				},
			})
			registry, err := routers.NewRegistry(c, c, routers.Entry{
				Name: "steering", Kinds: []schema.GroupKind{{Kind: "Route"}}, New: func(client.Client, client.Reader) routers.Router { return steering{tc.routes, &wrote} },
			})
			if err != nil {
				t.Fatal(err)
			}
			m, err := newMetrics(prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "shop"}}
			ro.Spec.Strategy.Canary = &v1alpha1.CanaryStrategy{Routes: []v1alpha1.RouteRef{{APIVersion: "v1", Kind: "Route", Name: "a"}, {APIVersion: "v1", Kind: "Route", Name: "b"}}}
			r := &Reconciler{recorder: recorder{events.NewFakeRecorder(10)}, metrics: m, writer: writer{client: c, live: c, routers: registry}}
			done := r.apply(t.Context(), plan.Snapshot{Rollout: ro}, tc.actions)

			got := told{Conflict: apierrors.IsConflict(done.err()), Lost: done.lost != nil, Wrote: wrote}
			for i, refusal := range done.failures {
				got.Refused = append(got.Refused, refusal.Error())
				if len(tc.want.Refused) > i && strings.Contains(refusal.Error(), tc.want.Refused[i]) {
					got.Refused[i] = tc.want.Refused[i]
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
			if len(tc.want.Refused) > 0 && !strings.Contains(done.err().Error(), "forbidden") {
				t.Errorf("%s: the pass ends with %v", tc.reason, done.err())
			}
		})
	}
}

// TestAFailureIsToldOnce: the same failure has the same text each time.
func TestAFailureIsToldOnce(t *testing.T) {
	const text = `call webhook: Post "https://hooks.shop.svc:443/": read tcp 10.0.0.1:53412->10.96.0.7:443: connection reset by peer`
	const want = `call webhook: Post "https://hooks.shop.svc:443/": read tcp 10.96.0.7:443: connection reset by peer`
	if got := lasting(text); got != want {
		t.Errorf("tells %q, want %q", got, want)
	}
}
