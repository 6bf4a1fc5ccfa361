// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// world is a client and a namespace of the test's own.
func world(t *testing.T) (client.Client, string) {
	t.Helper()
	env := testenv.Start(t)
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	return env.Client(t, known), env.Namespace(t)
}

// service makes a Service as a person would, with a selector of their own.
func service(t *testing.T, c client.Client, namespace string) *corev1.Service {
	t.Helper()
	made := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"},
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeLoadBalancer, // others may not have a status
			Selector: map[string]string{"app": "shop"},
			Ports:    []corev1.ServicePort{{Port: 80}},
		},
	}
	if err := c.Create(t.Context(), made, client.FieldOwner("person")); err != nil {
		t.Fatal(err)
	}
	return made
}

func narrowed(namespace, revision string) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service("shop", namespace).WithSpec(corev1ac.ServiceSpec().
		WithSelector(map[string]string{"app": "shop", v1alpha1.RevisionLabel: revision}))
}

func TestApplyTakesOnlyWhatItSets(t *testing.T) {
	c, namespace := world(t)
	before := service(t, c, namespace)
	if err := kube.Apply(t.Context(), c, narrowed(namespace, "5c9")); err != nil {
		t.Fatal(err)
	}
	after := &corev1.Service{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil {
		t.Fatal(err)
	}
	want := before.DeepCopy()
	want.Spec.Selector = map[string]string{"app": "shop", v1alpha1.RevisionLabel: "5c9"}
	if diff := cmp.Diff(want.Spec, after.Spec); diff != "" {
		t.Errorf("spec after Apply (-want, +got):\n%s", diff)
	}
	for _, owner := range after.ManagedFields {
		if owner.Manager == v1alpha1.FieldOwner && owner.Operation == metav1.ManagedFieldsOperationApply {
			return
		}
	}
	t.Errorf("no field is owned by %q: %v", v1alpha1.FieldOwner, after.ManagedFields)
}

func TestApplyTwiceWritesOnce(t *testing.T) {
	c, namespace := world(t)
	service(t, c, namespace)
	versions := make([]string, 2)
	for i := range versions {
		answer := narrowed(namespace, "5c9")
		if err := kube.Apply(t.Context(), c, answer); err != nil {
			t.Fatal(err)
		}
		versions[i] = *answer.ResourceVersion
	}
	if versions[0] != versions[1] {
		t.Errorf("the same Apply twice made versions %v", versions)
	}
}

func TestApplyCreates(t *testing.T) {
	c, namespace := world(t)
	wanted := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": namespace, "name": "fresh"},
		"data":     map[string]any{"a": "b"},
	}}
	if err := kube.Apply(t.Context(), c, client.ApplyConfigurationFromUnstructured(wanted)); err != nil {
		t.Fatal(err)
	}
	got := &corev1.ConfigMap{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fresh"}, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "b"}, got.Data); diff != "" {
		t.Errorf("data (-want, +got):\n%s", diff)
	}
}

func TestApplyNamesTheObject(t *testing.T) {
	c, namespace := world(t)
	wrong := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"namespace": namespace, "name": "shop"},
		"spec":     map[string]any{"ports": []any{map[string]any{"port": int64(700000)}}},
	}}
	cases := map[string]runtime.ApplyConfiguration{
		"Typed":        corev1ac.Service("shop", namespace).WithSpec(corev1ac.ServiceSpec().WithPorts(corev1ac.ServicePort().WithPort(700000))),
		"Unstructured": client.ApplyConfigurationFromUnstructured(wrong),
	}
	for name, obj := range cases {
		t.Run(name, func(t *testing.T) {
			err := kube.Apply(t.Context(), c, obj)
			if !apierrors.IsInvalid(err) || !strings.HasPrefix(err.Error(), "apply Service "+namespace+"/shop: ") {
				t.Errorf("error %v, want the server's refusal with the object's name", err)
			}
		})
	}
}

// phased is old with another status.
func phased(old *corev1.Service, ip string) *corev1.Service {
	updated := old.DeepCopy()
	updated.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	return updated
}

func TestPatchStatusLocked(t *testing.T) {
	c, namespace := world(t)
	old := service(t, c, namespace)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), old); err != nil {
		t.Fatal(err)
	}

	first := phased(old, "192.0.2.1")
	if err := kube.PatchStatusLocked(t.Context(), c, old, first); err != nil {
		t.Fatalf("first patch: %v", err)
	}
	if first.ResourceVersion == old.ResourceVersion {
		t.Fatal("the first patch did not write, or updated is not the object as stored")
	}

	// Equal statuses: no request, hence no version to be outdated either.
	if err := kube.PatchStatusLocked(t.Context(), c, old, old.DeepCopy()); err != nil {
		t.Errorf("patch without a difference: %v", err)
	}

	// old is outdated now.
	err := kube.PatchStatusLocked(t.Context(), c, old, phased(old, "192.0.2.2"))
	if !apierrors.IsConflict(err) {
		t.Errorf("patch from an outdated version: error %v, want a conflict", err)
	}
	now := &corev1.Service{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Status, now.Status); diff != "" {
		t.Errorf("status after a conflict (-want, +got):\n%s", diff)
	}
	if now.ResourceVersion != first.ResourceVersion {
		t.Errorf("version %s, want %s: nothing but the first patch may write", now.ResourceVersion, first.ResourceVersion)
	}

	// A field may also be emptied.
	cleared := first.DeepCopy()
	cleared.Status = corev1.ServiceStatus{}
	if err := kube.PatchStatusLocked(t.Context(), c, first, cleared); err != nil {
		t.Errorf("patch that empties the status: %v", err)
	}

	unread := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"}}
	if err := kube.PatchStatusLocked(t.Context(), c, unread, phased(unread, "192.0.2.3")); err == nil {
		t.Error("a patch from an object that was never read was written without a lock")
	}
}
