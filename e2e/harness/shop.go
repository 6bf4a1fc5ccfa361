// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

	dialect  Dialect
	identity *identity // of a shop that speaks TLS; nil without
	// mesh is how a shop in a mesh is reached; nil for one behind the gateway.
	mesh *Mesh
	// caller is the URL of who calls the shop in place of the load; empty without.
	caller string
}

// NewShop creates the namespace, the Services and the route, an HTTPRoute whose weights are 100 and 0.
func (c *Cluster) NewShop(ctx context.Context, namespace string) (*Shop, error) {
	return HTTP().NewShop(ctx, c, namespace)
}

// NewShop creates the same for a shop that speaks so.
func (d Dialect) NewShop(ctx context.Context, c *Cluster, namespace string) (*Shop, error) {
	s := d.open(c, namespace)
	if d.Kind == "TLSRoute" {
		var err error
		if s.identity, err = newIdentity(s.Host()); err != nil {
			return nil, err
		}
	}
	objects := []client.Object{
		storyNamespace(namespace),
		service(namespace, StableService, d.port()),
		service(namespace, CanaryService, d.port()),
		d.route(c.Settings, namespace, s.Host()),
	}
	for _, o := range objects {
		if err := c.Client.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("set up the shop: %w", err)
		}
	}
	return s, nil
}

// OpenShop gives a shop that exists already and has an HTTPRoute.
func (c *Cluster) OpenShop(namespace string) *Shop {
	return HTTP().open(c, namespace)
}

func (d Dialect) open(c *Cluster, namespace string) *Shop {
	w := Witness{namespace: namespace, cluster: c, route: d.gvk()}
	return &Shop{Witness: w, Trouble: Trouble{w}, Namespace: namespace, Cluster: c, dialect: d}
}

// Host is the host name that the shop's route answers to.
func (s *Shop) Host() string { return s.Namespace + ".example" }

func storyNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"e2e.sluice.dev/story": "true"}}}
}

func service(namespace, name string, port corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": Name},
			Ports:    []corev1.ServicePort{port},
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
	if s.mesh != nil {
		return Rollout(s.Namespace, s.Cluster.Image(grpcImage), slices.Concat([]Modifier{s.mesh.rollout(s.Cluster.Image(grpcImage))}, mods)...)
	}
	first := []Modifier{s.dialect.adapt}
	if s.identity != nil {
		first = append(first, s.identity.show)
	}
	return Rollout(s.Namespace, s.Cluster.Image(s.dialect.image), slices.Concat(first, mods)...)
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
	return Poll(ctx, "the shop to answer with version "+version, func(ctx context.Context) (bool, string, error) {
		r, err := load.Probe(ctx, s.target())
		if err != nil {
			return false, "", err
		}
		return r.Outcome != load.Failed && r.Version == version, fmt.Sprintf("version %q, status %d, %s %s", r.Version, r.Status, r.Outcome, r.Reason), nil
	})
}

// Load gives a generator of requests to the shop through the gateway, at a rate per second and for a time at most.
func (s *Shop) Load(rate int, atMost time.Duration) (*load.Generator, error) {
	return s.LoadWith(nil, rate, atMost)
}

// LoadWith generates load as [Shop.Load] does, with headers in each request.
func (s *Shop) LoadWith(header http.Header, rate int, atMost time.Duration) (*load.Generator, error) {
	o := s.target()
	o.Header = header
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
	o := load.Options{URL: set.GatewayURL, Host: s.Host(), Allow: set.AllowTarget}
	switch {
	case s.caller != "":
		o.URL, o.Host = s.caller, ""
	case s.identity != nil:
		o.URL, o.Roots, o.Fresh = "https://"+set.Streams.TLSAddress, s.identity.roots, true
	case s.dialect.section != "":
		o.URL, o.Fresh = "http://"+set.Streams.TCPAddress, true
	}
	return o
}
