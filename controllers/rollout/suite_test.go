// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	promclient "github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/prometheus"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/gatewayapi"
	"github.com/sluice-dev/sluice/routers/istio"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("14"); err != nil { // these tests wait far more than they work
			panic(err)
		}
	}
	log.SetLogger(funcr.New(func(prefix, args string) { fmt.Println(prefix, args) }, funcr.Options{Verbosity: -1}))
	testenv.Main(m)
}

// patience is how long anything may take on a machine that is busy with other
// things; nothing takes near as long on an idle one.
const patience = 90 * time.Second

// shop is one Rollout with everything around it, on the real API server. The
// gateway and Prometheus are the only parts played by the test: the gateway
// accepts each generation of the route, Prometheus answers what the test says.
type shop struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // the time that one test has
	client    client.WithWatch
	ns        string
	errorRate atomic.Value // string, or "down"
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, gatewayv1.Install, istio.Entry().AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

// startController runs the controllers until stop is called.
func startController(t *testing.T, env *testenv.Env, namespace string) (stop func()) {
	t.Helper()
	return startWith(t, env, namespace, func(*controllers.Parts) {})
}

// startCounting does the same and lets the test read the metrics.
func startCounting(t *testing.T, env *testenv.Env, namespace string, counts *promclient.Registry) (stop func()) {
	t.Helper()
	return startWith(t, env, namespace, func(p *controllers.Parts) { p.Metrics = counts })
}

// startWith does the same with parts that are changed first.
func startWith(t *testing.T, env *testenv.Env, namespace string, change func(*controllers.Parts)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: newScheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)}, // a manager for each test
	})
	if err != nil {
		t.Fatal(err)
	}
	memory := kube.NewMemory(clock.RealClock{}, mgr.GetScheme())
	registry, err := routers.NewRegistry(memory.Client(mgr.GetClient()), mgr.GetAPIReader(), gatewayapi.Entry(), gatewayapi.StreamEntry(), istio.Entry())
	if err != nil {
		t.Fatal(err)
	}
	providers, err := analysis.NewRegistry(prometheus.Entry(prometheus.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	parts := controllers.Parts{Routers: registry, Memory: memory, Providers: providers, Clock: clock.RealClock{}, Metrics: promclient.NewRegistry()}
	change(&parts)
	if err := controllers.SetUp(ctx, mgr, parts); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func newShop(t *testing.T) *shop {
	t.Helper()
	env := testenv.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &shop{t: t, ctx: ctx, client: env.Client(t, newScheme()), ns: env.Namespace(t)}
	s.errorRate.Store("0.001")
	for _, name := range []string{"shop-stable", "shop-canary"} {
		s.create(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}, Ports: []corev1.ServicePort{{Port: 80}}},
		})
	}
	s.create(route(s.ns))
	go s.playGateway()
	return s
}

func (s *shop) create(o client.Object) {
	s.t.Helper()
	if err := s.client.Create(s.ctx, o); err != nil {
		s.t.Fatal(err)
	}
}

func route(ns string) *gatewayv1.HTTPRoute {
	backend := func(name string, weight int32) gatewayv1.HTTPBackendRef {
		return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name), Port: ptr.To(gatewayv1.PortNumber(80))},
			Weight:                 &weight,
		}}
	}
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: ns},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "gateway"}}},
			Rules: []gatewayv1.HTTPRouteRule{{
				Name:        ptr.To(gatewayv1.SectionName("main")),
				BackendRefs: []gatewayv1.HTTPBackendRef{backend("shop-stable", 100), backend("shop-canary", 0)},
			}},
		},
	}
}

// playGateway accepts every route of the namespace.
func (s *shop) playGateway() {
	_ = wait.PollUntilContextCancel(s.ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		routes := &gatewayv1.HTTPRouteList{}
		if err := s.client.List(ctx, routes, client.InNamespace(s.ns)); err != nil {
			return false, nil //nolint:nilerr // asked again
		}
		for i := range routes.Items {
			s.accept(ctx, &routes.Items[i])
		}
		return false, nil
	})
}

func (s *shop) accept(ctx context.Context, r *gatewayv1.HTTPRoute) {
	if len(r.Status.Parents) == 1 && r.Status.Parents[0].Conditions[0].ObservedGeneration == r.Generation {
		return
	}
	parent := gatewayv1.RouteParentStatus{ParentRef: r.Spec.ParentRefs[0], ControllerName: "example.com/gateway"}
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		meta.SetStatusCondition(&parent.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: kind, ObservedGeneration: r.Generation})
	}
	r.Status.Parents = []gatewayv1.RouteParentStatus{parent}
	_ = s.client.Status().Update(ctx, r)
}

// prometheus answers every query with the shop's error rate.
func (s *shop) prometheus() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		value, _ := s.errorRate.Load().(string)
		if value == "down" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(w, `{"status":"error","errorType":"unavailable","error":"starting"}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,%q]}]}}`, value)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

func podTemplate(image string) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: image}}},
	}
}

// rollout gives a Rollout of four pods with fast settings.
func (s *shop) rollout(steps ...v1alpha1.Step) *v1alpha1.Rollout {
	return &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To(int32(4)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
			Template: podTemplate("shop:v1"),
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
				StableService: "shop-stable", CanaryService: "shop-canary",
				Routes:                     []v1alpha1.RouteRef{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "shop"}},
				ScaleDownDelaySeconds:      ptr.To(int32(1)),
				AbortScaleDownDelaySeconds: ptr.To(int32(1)),
				Convergence:                &v1alpha1.Convergence{Settle: &v1alpha1.Duration{Duration: time.Second}},
				Steps:                      steps,
			}},
		},
	}
}

// analysed adds an analysis whose one metric is the shop's error rate.
func (s *shop) analysed(ro *v1alpha1.Rollout) *v1alpha1.Rollout {
	ro.Spec.Strategy.Canary.Analysis = &v1alpha1.Analysis{
		Prometheus: &v1alpha1.Prometheus{Address: s.prometheus()},
		Block:      &v1alpha1.Duration{Duration: time.Second}, WarmUp: &v1alpha1.Duration{},
		Metrics: []v1alpha1.Metric{{Name: "error-rate", Threshold: &v1alpha1.Threshold{Query: `errors{pod=~"$(canary)"}`, Max: ptr.To("0.05"), Consecutive: 2}}},
	}
	return ro
}

func weight(w int32) v1alpha1.Step { return v1alpha1.Step{SetWeight: &w} }

func pause() v1alpha1.Step { return v1alpha1.Step{Pause: &v1alpha1.Pause{}} }

func analyze() v1alpha1.Step {
	return v1alpha1.Step{Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: time.Minute}}}
}

func (s *shop) get() *v1alpha1.Rollout {
	s.t.Helper()
	return s.named("shop")
}

func (s *shop) named(name string) *v1alpha1.Rollout {
	s.t.Helper()
	ro := &v1alpha1.Rollout{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: name}, ro); err != nil {
		s.t.Fatal(err)
	}
	return ro
}

// until polls the Rollout until it is as wanted, and shows what it last was when it never is.
func (s *shop) until(what string, is func(*v1alpha1.Rollout) bool) *v1alpha1.Rollout {
	s.t.Helper()
	return s.within(patience, what, is)
}

func (s *shop) within(most time.Duration, what string, is func(*v1alpha1.Rollout) bool) *v1alpha1.Rollout {
	s.t.Helper()
	return s.awaits("shop", most, what, is)
}

// rolloutUntil polls a Rollout of another name than the shop's.
func (s *shop) rolloutUntil(name string, is func(*v1alpha1.Rollout) bool) *v1alpha1.Rollout {
	s.t.Helper()
	return s.awaits(name, patience, "as wanted", is)
}

func (s *shop) awaits(name string, most time.Duration, what string, is func(*v1alpha1.Rollout) bool) *v1alpha1.Rollout {
	s.t.Helper()
	var last *v1alpha1.Rollout
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, most, true, func(context.Context) (bool, error) {
		last = s.named(name)
		return is(last), nil
	})
	if err != nil {
		s.t.Fatalf("never %s; last phase %s: %s; traffic %+v", what, last.Status.Phase, last.Status.Message, last.Status.Traffic)
	}
	return last
}

// comes polls what is no matter of one Rollout.
func (s *shop) comes(what string, yes func() bool) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return yes(), nil })
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func (s *shop) untilPhase(phase v1alpha1.RolloutPhase) *v1alpha1.Rollout {
	s.t.Helper()
	return s.until(string(phase), func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == phase && ro.Status.ObservedGeneration == ro.Generation
	})
}

// release changes the image.
func (s *shop) release(image string) {
	s.t.Helper()
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Template = podTemplate(image) })
}

func (s *shop) patch(change func(*v1alpha1.Rollout)) {
	s.t.Helper()
	ro := s.get()
	s.edit(ro, func() { change(ro) })
}

// edit changes an object as another writer would: it sends only what mod
// changed, so that it never meets a conflict with the controller's own writes.
func (s *shop) edit(o client.Object, mod func()) {
	s.t.Helper()
	before, _ := o.DeepCopyObject().(client.Object)
	mod()
	if err := s.client.Patch(s.ctx, o, client.MergeFrom(before)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) command(json string) {
	s.t.Helper()
	s.patch(func(ro *v1alpha1.Rollout) {
		metav1.SetMetaDataAnnotation(&ro.ObjectMeta, v1alpha1.CommandAnnotation, json)
	})
}

// weights reads what the route carries.
func (s *shop) weights() (stable, canary int32) {
	s.t.Helper()
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		s.t.Fatal(err)
	}
	refs := r.Spec.Rules[0].BackendRefs
	return *refs[0].Weight, *refs[1].Weight
}

// replicas reads the wanted pods of a revision's ReplicaSet; -1 when there is none.
func (s *shop) replicas(hash string) int32 {
	s.t.Helper()
	var list appsv1.ReplicaSetList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{v1alpha1.RevisionLabel: hash}); err != nil {
		s.t.Fatal(err)
	}
	if len(list.Items) != 1 {
		return -1
	}
	return *list.Items[0].Spec.Replicas
}

// delete deletes a Rollout and waits until it has let go.
func (s *shop) delete(ro *v1alpha1.Rollout) {
	s.t.Helper()
	if err := s.client.Delete(s.ctx, ro); err != nil {
		s.t.Fatal(err)
	}
	s.gone(ro)
}

// gone waits until a deleted Rollout has let go.
func (s *shop) gone(ro *v1alpha1.Rollout) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return apierrors.IsNotFound(s.client.Get(ctx, client.ObjectKeyFromObject(ro), &v1alpha1.Rollout{})), nil
	})
	if err != nil {
		s.t.Fatalf("Rollout %s is not let go: %v", ro.Name, err)
	}
}
