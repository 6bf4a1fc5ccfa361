// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/internal/kube"
)

// shelf holds at most one Service, as a cache or an API server of them would.
type shelf struct {
	client.Client
	service *corev1.Service
	// version of its lists.
	version string
}

func (s shelf) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	into, ok := obj.(*corev1.Service)
	if !ok || s.service == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, key.Name)
	}
	s.service.DeepCopyInto(into)
	return nil
}

func (s shelf) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if into, ok := list.(*corev1.ServiceList); ok {
		into.Items = nil
		if s.service != nil {
			into.Items = []corev1.Service{*s.service}
		}
	}
	list.SetResourceVersion(s.version)
	return nil
}

// Patch stores what it is given, as version 7.
func (s shelf) Patch(_ context.Context, obj client.Object, _ client.Patch, _ ...client.PatchOption) error {
	obj.SetResourceVersion("7")
	return nil
}

func at(version string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "test", Name: "shop", ResourceVersion: version, Labels: map[string]string{"app": "shop"},
	}}
}

func TestMemoryTrustsACacheThatHasSeenOurWrites(t *testing.T) {
	cases := map[string]struct {
		reason      string
		cache, live *corev1.Service
		after       time.Duration
		// want is the version read; empty for an error.
		want    string
		behind  bool
		missing bool
	}{
		"Seen":      {reason: "A cache with our write is read.", cache: at("7"), live: at("9"), want: "7"},
		"Newer":     {reason: "So is one with what came after it.", cache: at("8"), live: at("9"), want: "8"},
		"Behind":    {reason: "One without it will tell when it has it.", cache: at("6"), live: at("7"), behind: true},
		"Unheard":   {reason: "That holds for what we created, too.", live: at("7"), behind: true},
		"StaysBack": {reason: "One that stays behind is not waited for.", cache: at("6"), live: at("7"), after: time.Minute, want: "7"},
		"Gone":      {reason: "What somebody deleted is gone, not behind.", after: time.Minute, missing: true},
		"Longer":    {reason: "Versions are compared as numbers.", cache: at("10"), live: at("11"), want: "10"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
			m := kube.NewMemory(clk, scheme.Scheme)
			if err := m.Client(shelf{}).Patch(t.Context(), at("6"), client.RawPatch("", nil)); err != nil {
				t.Fatal(err)
			}
			clk.SetTime(clk.Now().Add(tc.after))
			r := m.Reader(shelf{service: tc.cache}, shelf{service: tc.live})

			var list corev1.ServiceList
			err := r.List(t.Context(), &list, client.InNamespace("test"), client.MatchingLabels{"app": "shop"})
			if errors.Is(err, kube.ErrBehind) != tc.behind || !tc.behind && err != nil {
				t.Errorf("%s List: %v", tc.reason, err)
			}
			var listed string
			if len(list.Items) > 0 && err == nil {
				listed = list.Items[0].ResourceVersion
			}
			got := &corev1.Service{}
			err = r.Get(t.Context(), client.ObjectKeyFromObject(at("")), got)
			if errors.Is(err, kube.ErrBehind) != tc.behind || apierrors.IsNotFound(err) != tc.missing {
				t.Errorf("%s Get: %v", tc.reason, err)
			}
			if diff := cmp.Diff([]string{tc.want, tc.want}, []string{listed, got.ResourceVersion}); diff != "" && !tc.behind && !tc.missing {
				t.Errorf("%s Listed and got (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMemoryKeepsTimeFromGoingBack: what a live list has shown is not unsaid by a cache.
func TestMemoryKeepsTimeFromGoingBack(t *testing.T) {
	for name, tc := range map[string]struct {
		reason      string
		cache, live *corev1.Service
		behind      bool
	}{
		"Older":   {reason: "The cache has not heard of it.", cache: at("6"), live: at("7"), behind: true},
		"Unheard": {reason: "Nor of what is new.", live: at("7"), behind: true},
		"Same":    {reason: "It has heard of all there is.", cache: at("7"), live: at("7")},
	} {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
			m := kube.NewMemory(clk, scheme.Scheme)
			cache, api := &shelf{service: tc.cache}, shelf{service: tc.live}
			opts := []client.ListOption{client.InNamespace("test"), client.MatchingLabels{"app": "shop"}}
			read := func(from client.Reader) error { return from.List(t.Context(), &corev1.ServiceList{}, opts...) }
			for range 2 { // a second look does not have the first one's wait begin anew
				if err := read(m.Live(cache, api)); err != nil {
					t.Fatal(err)
				}
				if err := read(m.Reader(cache, api)); errors.Is(err, kube.ErrBehind) != tc.behind || !tc.behind && err != nil {
					t.Errorf("%s List: %v", tc.reason, err)
				}
				clk.SetTime(clk.Now().Add(600 * time.Millisecond))
			}
			var list corev1.ServiceList
			if err := m.Reader(cache, api).List(t.Context(), &list, opts...); err != nil || list.Items[0].ResourceVersion != "7" {
				t.Errorf("%s After more than a second: %v, %v", tc.reason, list.Items, err)
			}
			cache.service = at("8")
			if err := read(m.Reader(cache, api)); err != nil {
				t.Errorf("%s Once it has caught up: %v", tc.reason, err)
			}
		})
	}
}

// TestMemoryKeepsTheGoneGone: what a live list has shown no more does not come back by a cache.
func TestMemoryKeepsTheGoneGone(t *testing.T) {
	opts := []client.ListOption{client.InNamespace("test"), client.MatchingLabels{"app": "shop"}}
	for name, tc := range map[string]struct {
		reason string
		// before is what the cache held when the live list, as of 7, had nothing; after that what it has heard since.
		before, after *corev1.Service
		// afresh is what the API server has by now.
		afresh *corev1.Service
		behind bool
	}{
		"Unheard":  {reason: "The cache has not heard of the deletion.", before: at("5"), after: at("5"), behind: true},
		"Edited":   {reason: "What was done before it is no news.", before: at("5"), after: at("6"), behind: true},
		"Heard":    {reason: "It has heard of it.", before: at("5")},
		"Again":    {reason: "Another one of the name is there by now.", before: at("5"), after: at("9"), afresh: at("9")},
		"Later":    {reason: "One that came after the list was none when it was made.", before: at("8"), after: at("8"), afresh: at("8")},
		"Relisted": {reason: "The cache knew nothing of it anyway."},
	} {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
			m := kube.NewMemory(clk, scheme.Scheme)
			cache, api := &shelf{service: tc.before}, &shelf{version: "7"}
			for range 2 { // a second look does not have the first one's wait begin anew
				if err := m.Live(cache, api).List(t.Context(), &corev1.ServiceList{}, opts...); err != nil {
					t.Fatal(err)
				}
				clk.SetTime(clk.Now().Add(300 * time.Millisecond))
			}
			cache.service, api.service = tc.after, tc.afresh
			r := m.Reader(cache, api)
			if err := r.List(t.Context(), &corev1.ServiceList{}, opts...); errors.Is(err, kube.ErrBehind) != tc.behind || !tc.behind && err != nil {
				t.Errorf("%s List: %v", tc.reason, err)
			}
			clk.SetTime(clk.Now().Add(600 * time.Millisecond))
			for range 2 { // the API server has told, and the cache not yet: nothing is forgotten
				var list corev1.ServiceList
				if err := r.List(t.Context(), &list, opts...); err != nil || (len(list.Items) > 0) != (tc.afresh != nil) {
					t.Errorf("%s After more than a second: %d, %v", tc.reason, len(list.Items), err)
				}
				if err := r.Get(t.Context(), client.ObjectKeyFromObject(at("")), &corev1.Service{}); apierrors.IsNotFound(err) != (tc.afresh == nil) {
					t.Errorf("%s Get after more than a second: %v", tc.reason, err)
				}
			}
			cache.service = tc.afresh
			if err := r.List(t.Context(), &corev1.ServiceList{}, opts...); err != nil {
				t.Errorf("%s Once it has caught up: %v", tc.reason, err)
			}
		})
	}
}

// TestMemoryForgetsTheGoneThatIsThere: an object that left a list by its labels exists.
func TestMemoryForgetsTheGoneThatIsThere(t *testing.T) {
	clk := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	m := kube.NewMemory(clk, scheme.Scheme)
	cache := &shelf{service: at("5")}
	if err := m.Live(cache, &shelf{version: "7"}).List(t.Context(), &corev1.ServiceList{}); err != nil {
		t.Fatal(err)
	}
	cache.service = at("6")
	r, key := m.Reader(cache, &shelf{service: at("6")}), client.ObjectKeyFromObject(at(""))
	if err := r.Get(t.Context(), key, &corev1.Service{}); !errors.Is(err, kube.ErrBehind) {
		t.Errorf("at first: %v, want %v", err, kube.ErrBehind)
	}
	clk.SetTime(clk.Now().Add(time.Minute))
	if err := r.Get(t.Context(), key, &corev1.Service{}); err != nil {
		t.Errorf("after a minute: %v", err)
	}
	// Without the memory the cache is asked again.
	if err := m.Reader(cache, &shelf{}).Get(t.Context(), key, &corev1.Service{}); err != nil {
		t.Errorf("once it was found: %v", err)
	}
}

// TestMemoryDoesNotRaiseWhatWasDeletedSince: an object that we wrote, and that is gone
// when the API server is asked, does not come back by a cache that has not heard of either.
func TestMemoryDoesNotRaiseWhatWasDeletedSince(t *testing.T) {
	for name, read := range map[string]func(client.Reader) error{
		"Get": func(r client.Reader) error {
			err := r.Get(t.Context(), client.ObjectKeyFromObject(at("")), &corev1.Service{})
			if err == nil {
				return errors.New("it is there")
			}
			return client.IgnoreNotFound(err)
		},
		"List": func(r client.Reader) error {
			var list corev1.ServiceList
			if err := r.List(t.Context(), &list); err != nil || len(list.Items) == 0 {
				return err
			}
			return errors.New("it is there")
		},
	} {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
			m := kube.NewMemory(clk, scheme.Scheme)
			if err := m.Client(shelf{}).Patch(t.Context(), at("6"), client.RawPatch("", nil)); err != nil {
				t.Fatal(err)
			}
			clk.SetTime(clk.Now().Add(time.Minute))
			r := m.Reader(shelf{service: at("5")}, shelf{version: "9"})
			for range 2 {
				if err := read(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestMemoryWaitsForNothingElse(t *testing.T) {
	m := kube.NewMemory(clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)), scheme.Scheme)
	if err := m.Client(shelf{}).Patch(t.Context(), at("6"), client.RawPatch("", nil)); err != nil {
		t.Fatal(err)
	}
	r := m.Reader(shelf{}, shelf{})
	var list corev1.ServiceList
	for name, opts := range map[string][]client.ListOption{
		"another's labels":    {client.InNamespace("test"), client.MatchingLabels{"app": "bakery"}},
		"another's namespace": {client.InNamespace("prod")},
	} {
		if err := r.List(t.Context(), &list, opts...); err != nil {
			t.Errorf("a list by %s: %v", name, err)
		}
	}
	var pods corev1.PodList
	if err := r.List(t.Context(), &pods, client.InNamespace("test")); err != nil {
		t.Errorf("a list of another kind: %v", err)
	}
}

// TestMemoryKeepsNothingOfWhatIsReadLive: nothing would ever have it forgotten.
func TestMemoryKeepsNothingOfWhatIsReadLive(t *testing.T) {
	m := kube.NewMemory(clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)), scheme.Scheme)
	c := m.Client(shelf{}, &corev1.Pod{})
	kept := func() bool {
		return errors.Is(m.Reader(shelf{}, shelf{}).List(t.Context(), &corev1.PodList{}), kube.ErrBehind)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "shop-1"}}
	if err := c.Patch(t.Context(), pod.DeepCopy(), client.RawPatch("", nil)); err != nil || kept() {
		t.Errorf("error %v, remembered %v; want a write that is not remembered", err, kept())
	}
	if err := m.Client(shelf{}).Patch(t.Context(), pod, client.RawPatch("", nil)); err != nil || !kept() {
		t.Errorf("error %v, remembered %v; want one by an ordinary client to be", err, kept())
	}
}
