// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Fixture is what the suite has to know about a router and its objects.
type Fixture struct {
	// Entry of the router under test.
	Entry routers.Entry
	// Client reads straight from an API server that has the router's kinds.
	Client client.Client
	// Namespace makes a fresh namespace, and removes it when the test ends.
	Namespace func(testing.TB) string
	// Create makes a route that gives the stable slot everything, with as many
	// fields as possible that are none of the router's business.
	Create func(ctx context.Context, c client.Client, namespace string) (routers.Route, error)
	// Settle plays the data plane: it reports that it serves what the route
	// object carries now. Nil when no data plane ever reports; then the router
	// must not claim that one did.
	Settle func(ctx context.Context, c client.Client, r routers.Route) error
	// Drift plays a person who gives the canary slot some percent by hand.
	Drift func(ctx context.Context, c client.Client, r routers.Route, canary int32) error
	// Object is the route object with nothing but apiVersion, kind, namespace and name.
	Object func(r routers.Route) *unstructured.Unstructured
	// Shares reads, without the router's help, the split in each place from
	// which the route object sends to both Services.
	Shares func(r routers.Route, object *unstructured.Unstructured) ([]traffic.Split, error)
	// Strip takes out of each object the fields that the router may write.
	Strip func(r routers.Route, object *unstructured.Unstructured) error
	// Second is the second object by which the router steers, with nothing but
	// its name. Nil when the route object is the only one.
	Second func(r routers.Route) *unstructured.Unstructured
	// Defined finds, without the router's help, a place that is sent requests and
	// that the two objects together don't define as the slot's. Set with Second.
	Defined func(ctx context.Context, c client.Client, r routers.Route) error
}

// bench is a route made for one test, with the router to steer it.
type bench struct {
	Fixture
	route  routers.Route
	router routers.Router
	writer *counting
}

// bench makes a route in a namespace of its own.
func (f Fixture) bench(t *testing.T) bench {
	t.Helper()
	b := bench{Fixture: f, writer: &counting{Client: f.Client}}
	route, err := f.Create(t.Context(), f.Client, f.Namespace(t))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	b.route = route
	b.router = b.through(t, f.Client)
	return b
}

// looking reads with a reader of its own.
type looking struct {
	client.Client
	reader client.Reader
}

// Get implements client.Client.
func (l looking) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	return l.reader.Get(ctx, key, into, opts...)
}

// through makes a router that reads, the cache too, with another reader.
func (b bench) through(t *testing.T, live client.Reader) routers.Router {
	t.Helper()
	registry, err := routers.NewRegistry(looking{b.writer, live}, live, b.Entry)
	if err != nil {
		t.Fatalf("NewRegistry: %v", err)
	}
	router, err := registry.For(b.route)
	if err != nil {
		t.Fatalf("the entry does not steer what the fixture makes: %v", err)
	}
	return router
}

// object reads the route object.
func (b bench) object(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return b.read(t, b.Object(b.route))
}

func (b bench) read(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := b.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("read %s: %v", b.route, err)
	}
	return o
}

// objects reads all objects by which the router steers.
func (b bench) objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	all := []*unstructured.Unstructured{b.object(t)}
	if b.Second != nil {
		all = append(all, b.read(t, b.Second(b.route)))
	}
	return all
}

// carries checks that every place in the route object gives each Service its share.
func (b bench) carries(t *testing.T, want traffic.Split) {
	t.Helper()
	splits, err := b.Shares(b.route, b.object(t))
	if err != nil {
		t.Fatalf("Shares: %v", err)
	}
	if len(splits) == 0 || slices.ContainsFunc(splits, func(s traffic.Split) bool { return !s.Equal(want) }) {
		t.Errorf("the route object carries %v, want %v everywhere", splits, want)
	}
}

// version is the route object's, which any write changes.
func (b bench) version(t *testing.T) string {
	t.Helper()
	return b.object(t).GetResourceVersion()
}

// foreign is all that the router must not change, as JSON.
func (b bench) foreign(t *testing.T) string {
	t.Helper()
	objects := b.objects(t)
	for _, o := range objects {
		if err := b.Strip(b.route, o); err != nil {
			t.Fatalf("Strip: %v", err)
		}
		o.SetResourceVersion("")
		o.SetGeneration(0)
		o.SetManagedFields(nil)
		unstructured.RemoveNestedField(o.Object, "status")
	}
	raw, err := json.Marshal(objects)
	if err != nil {
		t.Fatalf("encode %s: %v", b.route, err)
	}
	return string(raw)
}
