// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/load"
)

// Shop is a namespace with a service to release: two Services and a route with
// a host of its own. What it runs, a Rollout or a Deployment, is added later.
type Shop struct {
	// Witness sees what happens to the shop.
	Witness
	// Trouble makes its pods do what nobody wants.
	Trouble Trouble
	// Namespace of everything.
	Namespace string
	// Cluster it is on.
	Cluster *Cluster
}

// NewShop creates the namespace, the Services and the route, whose weights are 100 and 0.
func (c *Cluster) NewShop(ctx context.Context, namespace string) (*Shop, error) {
	s := c.OpenShop(namespace)
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"e2e.sluice.dev/story": "true"}}},
		service(namespace, StableService),
		service(namespace, CanaryService),
		s.route(),
	}
	for _, o := range objects {
		if err := c.Client.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("set up the shop: %w", err)
		}
	}
	return s, nil
}

// OpenShop gives a shop that exists already.
func (c *Cluster) OpenShop(namespace string) *Shop {
	w := Witness{namespace: namespace, cluster: c}
	return &Shop{Witness: w, Trouble: Trouble{w}, Namespace: namespace, Cluster: c}
}

// Host is the host name that the shop's route answers to.
func (s *Shop) Host() string { return s.Namespace + ".example" }

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": Name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(port)}},
		},
	}
}

func (s *Shop) route() *gatewayv1.HTTPRoute {
	backend := func(service string, weight int32) gatewayv1.HTTPBackendRef {
		return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{
				Name: gatewayv1.ObjectName(service), Port: ptr.To[gatewayv1.PortNumber](80),
			},
			Weight: &weight,
		}}
	}
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: Name},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{
				Namespace: ptr.To(gatewayv1.Namespace(s.Cluster.Settings.GatewayNamespace)),
				Name:      gatewayv1.ObjectName(s.Cluster.Settings.GatewayName),
			}}},
			Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(s.Host())},
			Rules: []gatewayv1.HTTPRouteRule{{
				BackendRefs: []gatewayv1.HTTPBackendRef{backend(StableService, 100), backend(CanaryService, 0)},
			}},
		},
	}
}

// Delete removes the namespace and all in it. It does not wait.
func (s *Shop) Delete(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	return client.IgnoreNotFound(s.Cluster.Client.Delete(ctx, ns))
}

// New gives a Rollout of this shop, not created yet.
func (s *Shop) New(mods ...Modifier) *v1alpha1.Rollout {
	return Rollout(s.Namespace, s.Cluster.Image("shop:dev"), mods...)
}

// Create creates a Rollout of this shop.
func (s *Shop) Create(ctx context.Context, mods ...Modifier) error {
	return s.Cluster.Client.Create(ctx, s.New(mods...))
}

// Change edits the Rollout as a person would, once, and gives its new generation.
func (s *Shop) Change(ctx context.Context, mods ...Modifier) (int64, error) {
	old, err := s.Rollout(ctx)
	if err != nil {
		return 0, err
	}
	changed := old.DeepCopy()
	for _, m := range mods {
		m(changed)
	}
	if err := s.Cluster.Client.Patch(ctx, changed, client.MergeFrom(old)); err != nil {
		return 0, fmt.Errorf("change the Rollout: %w", err)
	}
	return changed.Generation, nil
}

// Answers waits until the shop answers through the gateway with a version.
func (s *Shop) Answers(ctx context.Context, version string) error {
	return Poll(ctx, "the gateway to answer with version "+version, func(ctx context.Context) (bool, string, error) {
		r, err := load.Probe(ctx, s.target())
		if err != nil {
			return false, "", err
		}
		return r.Outcome != load.Failed && r.Version == version, fmt.Sprintf("version %q, status %d, %s %s", r.Version, r.Status, r.Outcome, r.Reason), nil
	})
}

// Load gives a generator of requests to the shop through the gateway, at a rate per second and for a time at most.
func (s *Shop) Load(rate int, atMost time.Duration) (*load.Generator, error) {
	o := s.target()
	o.Rate, o.Duration = rate, atMost
	return load.New(o)
}

// Direct generates load as [Shop.Load] does, but on a Service's own address
// and with a connection for each request: who decides is kube-proxy.
func (s *Shop) Direct(ctx context.Context, service string, rate int, atMost time.Duration) (*load.Generator, error) {
	o, err := s.direct(ctx, service)
	if err != nil {
		return nil, err
	}
	o.Rate, o.Duration = rate, atMost
	return load.New(o)
}

// AnswersAt gives the version that answers behind a Service's own address.
func (s *Shop) AnswersAt(ctx context.Context, service string) (string, error) {
	o, err := s.direct(ctx, service)
	if err != nil {
		return "", err
	}
	r, err := load.Probe(ctx, o)
	if err == nil && r.Outcome == load.Failed {
		err = fmt.Errorf("ask Service %s: %s", service, r.Reason)
	}
	return r.Version, err
}

func (s *Shop) direct(ctx context.Context, service string) (load.Options, error) {
	var svc corev1.Service
	if err := s.get(ctx, service, &svc); err != nil {
		return load.Options{}, err
	}
	return load.Options{URL: "http://" + svc.Spec.ClusterIP, Fresh: true, Allow: s.Cluster.Settings.AllowTarget}, nil
}

func (s *Shop) target() load.Options {
	set := s.Cluster.Settings
	return load.Options{URL: set.GatewayURL, Host: s.Host(), Allow: set.AllowTarget}
}
