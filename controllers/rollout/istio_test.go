// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers/istio"
)

const virtualService = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - timeout: 3s
    route:
    - {destination: {host: shop, subset: stable}, weight: 100}
    - {destination: {host: shop, subset: canary}, weight: 0}
`

const destinationRule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: stable, labels: {app: shop}}
  - {name: canary}
`

// mesh is what the two objects of Istio say: weights and revisions of both subsets.
type mesh struct {
	Stable, Canary                 int64
	StableRevision, CanaryRevision string
}

// mesh reads them without the router's help.
func (s *shop) mesh() mesh {
	s.t.Helper()
	v, d := &istio.VirtualService{}, &istio.DestinationRule{}
	for _, o := range []client.Object{v, d} {
		if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, o); err != nil {
			s.t.Fatal(err)
		}
	}
	weight := func(i int) int64 {
		route := v.Spec["http"].([]any)[0].(map[string]any)["route"].([]any)
		n, _ := route[i].(map[string]any)["weight"].(int64)
		return n
	}
	revision := func(i int) string {
		labels, _ := d.Spec["subsets"].([]any)[i].(map[string]any)["labels"].(map[string]any)
		hash, _ := labels[v1alpha1.RevisionLabel].(string)
		return hash
	}
	return mesh{weight(0), weight(1), revision(0), revision(1)}
}

func (s *shop) carries(what string, want mesh) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.mesh()); diff != "" {
		s.t.Errorf("%s (-want, +got):\n%s", what, diff)
	}
}

func (s *shop) subsets(steps ...v1alpha1.Step) *v1alpha1.Rollout {
	s.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}, Ports: []corev1.ServicePort{{Port: 80}}},
	})
	for text, o := range map[string]client.Object{virtualService: &istio.VirtualService{}, destinationRule: &istio.DestinationRule{}} {
		if err := yaml.Unmarshal([]byte(text), o); err != nil {
			s.t.Fatal(err)
		}
		o.SetNamespace(s.ns)
		s.create(o)
	}
	ro := s.rollout(steps...)
	ro.Spec.Strategy.Canary.Routes = []v1alpha1.RouteRef{
		{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: "shop", DestinationRule: "shop"},
	}
	return ro
}

// TestSubsetsFollowTheRevisions walks a release over subsets: what they stand for
// follows the Services, before any weight; an edit of it is mended; and a
// deleted Rollout leaves both objects as they were.
func TestSubsetsFollowTheRevisions(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.subsets(weight(25), pause(), weight(50)))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.carries("at rest", mesh{100, 0, first, first})

	s.release("shop:v2")
	paused := s.untilPhase(v1alpha1.PhasePaused)
	second := paused.Status.CanaryRevision
	s.carries("at the pause", mesh{75, 25, first, second})
	if got := paused.Status.Traffic.ConfirmedBy; got != v1alpha1.EvidenceSettleTime {
		t.Errorf("the split counts as confirmed by %q, want %q: Istio reports nothing", got, v1alpha1.EvidenceSettleTime)
	}

	rule := &istio.DestinationRule{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"}}
	edit := client.RawPatch(types.JSONPatchType, []byte(`[{"op": "remove", "path": "/spec/subsets/1/labels"}]`))
	if err := s.client.Patch(s.ctx, rule, edit); err != nil {
		t.Fatal(err)
	}
	s.until("the edit is mended", func(*v1alpha1.Rollout) bool { return s.mesh().CanaryRevision == second })

	s.command(`{"id": "a", "verb": "promote", "revision": "` + second + `", "step": 1, "by": "jane"}`)
	s.until("v2 promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision == second && s.mesh().CanaryRevision == second
	})
	s.carries("after the promotion", mesh{100, 0, second, second})

	s.delete(s.get())
	s.carries("after the deletion", mesh{100, 0, "", ""})
}

// TestMissingDestinationRuleIsNamed: nothing is done about a rule that isn't there but to say so.
func TestMissingDestinationRuleIsNamed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.subsets(weight(25))
	ro.Spec.Strategy.Canary.Routes[0].DestinationRule = "shopp"
	s.create(ro)
	got := s.untilPhase(v1alpha1.PhasePending)
	for _, c := range got.Status.Conditions {
		if c.Type == v1alpha1.ConditionSpecValid {
			want := "spec.strategy.canary.routes[0].destinationRule: DestinationRule " + s.ns + "/shopp does not exist; create it or correct the name"
			if diff := cmp.Diff(want, c.Message); diff != "" {
				t.Errorf("SpecValid (-want, +got):\n%s", diff)
			}
		}
	}
	s.carries("all the while", mesh{100, 0, "", ""})
}
