// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/e2e/cluster/pump"
)

func TestMain(m *testing.M) { Main(m) }

// eventually asks until the answer is yes, and shows the last answer if it never is.
func eventually(t *testing.T, what string, ask func(context.Context) (ok bool, saw string)) {
	t.Helper()
	var saw string
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 2*time.Minute, true,
		func(ctx context.Context) (ok bool, _ error) {
			ok, saw = ask(ctx)
			return ok, nil
		})
	if err != nil {
		t.Fatalf("%s: %v; saw %s", what, err, saw)
	}
}

func deployment(namespace, name string, replicas int32, behaviour pump.Behaviour) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{pump.BehaviourKey: string(behaviour)}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
			},
		},
	}
}

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func create(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// endpoints counts the ready and unready endpoints of a Service.
func endpoints(ctx context.Context, c client.Client, namespace, name string) (ready, unready int, err error) {
	var slices discoveryv1.EndpointSliceList
	err = c.List(ctx, &slices, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: name})
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
				ready++
				continue
			}
			unready++
		}
	}
	return ready, unready, err
}

func TestDeploymentBecomesAvailable(t *testing.T) {
	env := Start(t)
	c, namespace := env.Client(t, scheme.Scheme), env.Namespace(t)
	create(t, c, deployment(namespace, "shop", 3, pump.Healthy), service(namespace, "shop"))

	eventually(t, "3 available replicas", func(ctx context.Context) (bool, string) {
		var d appsv1.Deployment
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "shop"}, &d)
		return d.Status.AvailableReplicas == 3, fmt.Sprintf("%+v, %v", d.Status, err)
	})
	eventually(t, "3 ready endpoints", func(ctx context.Context) (bool, string) {
		ready, unready, err := endpoints(ctx, c, namespace, "shop")
		return ready == 3 && unready == 0, fmt.Sprint(ready, unready, err)
	})

	if err := c.Delete(t.Context(), deployment(namespace, "shop", 3, pump.Healthy)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no pods after the deletion", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		err := c.List(ctx, &pods, client.InNamespace(namespace))
		return err == nil && len(pods.Items) == 0, fmt.Sprint(len(pods.Items), err)
	})
}

func TestNeverReady(t *testing.T) {
	env := Start(t)
	c, namespace := env.Client(t, scheme.Scheme), env.Namespace(t)
	create(t, c, deployment(namespace, "sick", 2, pump.NeverReady), service(namespace, "sick"))

	eventually(t, "2 unready endpoints", func(ctx context.Context) (bool, string) {
		ready, unready, err := endpoints(ctx, c, namespace, "sick")
		return ready == 0 && unready == 2, fmt.Sprint(ready, unready, err)
	})
	var d appsv1.Deployment
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "sick"}, &d); err != nil {
		t.Fatal(err)
	}
	if d.Status.AvailableReplicas != 0 {
		t.Errorf("Got %d available replicas, want none.", d.Status.AvailableReplicas)
	}
}

func TestPodRecovers(t *testing.T) {
	env := Start(t)
	c, namespace := env.Client(t, scheme.Scheme), env.Namespace(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "patient", Annotations: map[string]string{pump.BehaviourKey: string(pump.Crash)}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	create(t, c, pod)
	eventually(t, "a crashing container", func(ctx context.Context) (bool, string) {
		err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		statuses := pod.Status.ContainerStatuses
		return len(statuses) == 1 && statuses[0].State.Waiting != nil, fmt.Sprintf("%+v, %v", pod.Status, err)
	})

	before := pod.DeepCopy()
	delete(pod.Annotations, pump.BehaviourKey)
	if err := c.Patch(t.Context(), pod, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ready pod", func(ctx context.Context) (bool, string) {
		err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		statuses := pod.Status.ContainerStatuses
		return len(statuses) == 1 && statuses[0].Ready, fmt.Sprintf("%+v, %v", pod.Status, err)
	})
}
