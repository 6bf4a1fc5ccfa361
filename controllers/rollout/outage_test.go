// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// outage has some requests of a controller fail while it is on, as when the API
// server can't convert a kind or a webhook is down.
type outage struct {
	next http.RoundTripper
	of   func(*http.Request) bool
	on   atomic.Bool
	hits atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	if !o.on.Load() || !o.of(r) {
		return o.next.RoundTrip(r)
	}
	o.hits.Add(1)
	body := `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError", "code": 500, "message": "a webhook is down"}`
	return &http.Response{
		StatusCode: http.StatusInternalServerError, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// env is one whose controllers meet the outage.
func (o *outage) env(t *testing.T) *testenv.Env {
	t.Helper()
	config := rest.CopyConfig(testenv.Start(t).Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { o.next = next; return o })
	return &testenv.Env{Config: config}
}

// poke wakes the controller.
func (s *shop) poke() {
	s.t.Helper()
	s.patch(func(ro *v1alpha1.Rollout) {
		metav1.SetMetaDataAnnotation(&ro.ObjectMeta, "example.com/look", fmt.Sprint(time.Now().UnixNano()))
	})
}

// TestWayBackDespiteAnOutage: what only new steps hang on can't be read. Nothing
// new begins, nothing is told of what passes by itself, and an abort goes on.
func TestWayBackDespiteAnOutage(t *testing.T) {
	cases := map[string]struct {
		reason string
		// of are the requests that fail.
		of func(*http.Request) bool
		// before the release, and in the middle of it.
		prepare, meanwhile func(*shop, *v1alpha1.Rollout)
		steps              []v1alpha1.Step
	}{
		"Class": {
			reason: "nobody knows what the data plane can do",
			of: func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/gatewayclasses/")
			},
			steps: []v1alpha1.Step{weight(25), pause(), mirror(10), pause()},
		},
		"ManagedRoute": {
			reason: "nobody knows whether the API server would take the route",
			of: func(r *http.Request) bool {
				return r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/httproutes/shop") && r.URL.Query().Has("dryRun")
			},
			prepare: func(s *shop, ro *v1alpha1.Rollout) {
				s.dropRoute()
				s.managing(ro, nil)
			},
			meanwhile: func(s *shop, ro *v1alpha1.Rollout) {
				s.managing(ro, func(spec *gatewayv1.HTTPRouteSpec) { spec.Hostnames = []gatewayv1.Hostname{"shop.example.com"} })
			},
			steps: []v1alpha1.Step{weight(25), pause(), weight(50), pause()},
		},
		"Configuration": {
			reason: "nobody knows which revision is wanted",
			of: func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps/settings")
			},
			prepare: func(s *shop, ro *v1alpha1.Rollout) {
				s.create(s.settings("green"))
				ro.Spec.TrackConfig = true
				ro.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
			},
			steps: []v1alpha1.Step{weight(25), pause(), weight(50), pause()},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.gatewayOf("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
			o := &outage{of: tc.of}
			startController(t, o.env(t), s.ns)
			ro := s.rollout(tc.steps...)
			if tc.prepare != nil {
				tc.prepare(s, ro)
			}
			s.create(ro)
			s.untilPhase(v1alpha1.PhaseHealthy)
			s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Template.Spec.Containers[0].Image = "shop:v2" })
			s.atStep(1)
			s.until("at 25 %", func(ro *v1alpha1.Rollout) bool {
				_, canary := s.weights()
				return canary == 25 && ro.Status.Phase == v1alpha1.PhasePaused
			})

			o.on.Store(true)
			stop := s.always(func(context.Context) string {
				ro := s.get()
				if c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionSpecValid); c.Status != metav1.ConditionTrue {
					return c.Message
				}
				return ""
			})
			if s.poke(); tc.meanwhile != nil {
				s.patch(func(ro *v1alpha1.Rollout) { tc.meanwhile(s, ro) })
			}
			err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return o.hits.Load() > 3, nil })
			if err != nil {
				t.Fatal("nothing fails")
			}
			stop()

			s.say(v1alpha1.VerbAbort)
			back := s.aborted(v1alpha1.ReasonAbortedByCommand)
			if stable, canary := s.weights(); stable != 100 || canary != 0 {
				t.Errorf("%s: after the abort stable has %d %% and the canary %d %%", tc.reason, stable, canary)
			}
			valid := meta.FindStatusCondition(back.Status.Conditions, v1alpha1.ConditionSpecValid)
			if valid.Status != metav1.ConditionFalse || !strings.Contains(valid.Message, "a webhook is down") {
				t.Errorf("%s: SpecValid is %s: %s", tc.reason, valid.Status, valid.Message)
			}
			o.on.Store(false)
			s.until("in order", func(ro *v1alpha1.Rollout) bool {
				return meta.IsStatusConditionTrue(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
			})
			o.on.Store(true)
			if name != "Configuration" { // which is read by whoever lets go, and again a moment later
				s.delete(s.get())
			}
		})
	}
}

// TestAbortWhilePodsCantBeListed: what keeps the pods is for people to know only.
func TestAbortWhilePodsCantBeListed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := &outage{of: func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods")
	}}
	o.on.Store(true)
	startController(t, o.env(t), s.ns)
	s.create(s.rollout(weight(50)))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template = podTemplate("shop:v2")
		ro.Spec.Template.Annotations = map[string]string{"pump.sluice.dev/behaviour": "crash"}
	})
	s.until("said", func(ro *v1alpha1.Rollout) bool {
		return strings.Contains(ro.Status.Message, "waiting for pods: 0 of 2 available; its pods can't be listed (") && strings.Contains(ro.Status.Message, "a webhook is down")
	})
	s.say(v1alpha1.VerbAbort)
	s.aborted(v1alpha1.ReasonAbortedByCommand)
}

// TestDeadlineDespiteAnOutage: while nobody knows which revision is wanted, a release
// goes on waiting since when it did, shows the image that it is about, and is taken
// back at its deadline. Stable grows meanwhile, which has statuses written.
func TestDeadlineDespiteAnOutage(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := &outage{of: func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps/settings")
	}}
	startController(t, o.env(t), s.ns)
	s.create(s.settings("green"))
	ro := s.rollout(weight(25), pause())
	ro.Spec.TrackConfig, ro.Spec.ProgressDeadlineSeconds = true, ptr.To(int32(30)) // the time to see it held
	ro.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template.Spec.Containers[0].Image = "shop:v2"
		ro.Spec.Template.Annotations = neverReady("").Annotations
	})
	since := s.until("waiting for pods", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.WaitingSince != nil
	}).Status.CurrentStep.WaitingSince

	o.on.Store(true)
	stop := s.always(func(context.Context) string {
		now := s.get().Status
		if now.Image != "shop:v2" {
			return fmt.Sprintf("image %q is shown, want shop:v2", now.Image)
		}
		if now.Abort == nil && !now.CurrentStep.WaitingSince.Equal(since) {
			return fmt.Sprintf("waits for pods since %s, want %s as before", now.CurrentStep.WaitingSince, since)
		}
		return ""
	})
	s.scale(6)
	s.until("held, with stable grown", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHolding && s.replicas(first) == 6
	})
	at := s.aborted(v1alpha1.ReasonDeadlineExceeded).Status.Abort.At
	stop()
	if late := at.Sub(since.Time); late < 30*time.Second || late > 38*time.Second {
		t.Errorf("aborted after %s, want the deadline of 30s", late)
	}
	if o.hits.Load() == 0 {
		t.Error("nothing failed")
	}
}

// TestLeavingAGatewayThatCantBeRead: the spec names a route of another Gateway in
// mid-release. The one that is left is given back though nobody can tell any more what its
// data plane can do, and the release starts again under the new one.
func TestLeavingAGatewayThatCantBeRead(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.gatewayOf("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	gateway := &gatewayv1.Gateway{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "gateway"}, gateway); err != nil {
		t.Fatal(err)
	}
	s.create(&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "newer"}, Spec: gateway.Spec})
	two := another(s)
	two.Spec.ParentRefs[0].Name = "newer"
	s.create(two)
	o := &outage{of: func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/gateways/gateway")
	}}
	startController(t, o.env(t), s.ns)
	s.create(s.rollout(weight(25), pause(), mirror(10), pause()))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.atStep(1)

	o.on.Store(true)
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Routes[0].Name = two.Name })
	s.until("bound to the other route, and at its step again", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Bindings.Routes[0].Name == two.Name && ro.Status.Phase == v1alpha1.PhasePaused
	})
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("the route that is left has %d and %d, want the 100 and 0 that it had", stable, canary)
	}
}
