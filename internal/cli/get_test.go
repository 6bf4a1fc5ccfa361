// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/internal/view"
)

// replicaSet creates the ReplicaSet of a revision; the cluster makes its pods.
func (b *bench) replicaSet(owner *v1alpha1.Rollout, hash string, replicas int32) *appsv1.ReplicaSet {
	b.Helper()
	labels := map[string]string{"app": owner.Name, v1alpha1.RevisionLabel: hash}
	template := *owner.Spec.Template.DeepCopy()
	template.Labels = labels
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.namespace, Name: owner.Name + "-" + hash,
			Labels:      map[string]string{v1alpha1.RolloutLabel: owner.Name, v1alpha1.RevisionLabel: hash},
			Annotations: map[string]string{v1alpha1.RevisionNumberAnnotation: "2"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Rollout", Name: owner.Name,
				UID: owner.UID, Controller: ptr(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
	b.create(rs)
	return rs
}

// behaviour is the annotation by which a pod of the API tier says what becomes of it.
const behaviour = "pump.sluice.dev/behaviour"

// cure makes the one pod of a revision ready.
func (b *bench) cure(hash string) {
	b.Helper()
	var pods corev1.PodList
	eventually(b.T, "a pod of "+hash, func() bool {
		err := b.client.List(b.Context(), &pods, client.InNamespace(b.namespace), client.MatchingLabels{v1alpha1.RevisionLabel: hash})
		return err == nil && len(pods.Items) == 1
	})
	sick := pods.Items[0].DeepCopy()
	delete(pods.Items[0].Annotations, behaviour)
	if err := b.client.Patch(b.Context(), &pods.Items[0], client.MergeFrom(sick)); err != nil {
		b.Fatal(err)
	}
}

func TestGet(t *testing.T) {
	b := newBench(t)
	owner := b.rollout("checkout", pausedAt(3))
	b.replicaSet(owner, canaryHash, 2)
	b.create(&v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "checkout-2",
			Labels: map[string]string{v1alpha1.RolloutLabel: "checkout", v1alpha1.RevisionLabel: canaryHash}},
		Spec: v1alpha1.AnalysisRunSpec{Metrics: owner.Spec.Strategy.Canary.Analysis.Metrics, Block: v1alpha1.Duration{Duration: 10 * time.Second}},
	})
	eventually(t, "a tree with two running pods", func() bool {
		r := b.run("get", "rollout", "checkout", "-o", "json")
		var tree view.Tree
		if err := json.Unmarshal([]byte(r.out.String()), &tree); err != nil {
			t.Fatalf("get -o json: %v; out %s; err %s", err, r.out.String(), r.err.String())
		}
		return len(tree.Revisions) == 1 && len(tree.Revisions[0].Pods) == 2 && tree.Revisions[0].Pods[1].Ready &&
			tree.Revisions[0].Role == v1alpha1.RoleCanary && tree.Analysis != nil && tree.Analysis.Metrics[0].Name == "error-rate"
	})
	text := b.run("get", "checkout").out.String()
	for _, want := range []string{"paused until promoted\n", "Canary  revision 2 (xz24567892)  ", "▶  4  pause 10m", "○ error-rate  Pending"} {
		if !strings.Contains(text, want) {
			t.Errorf("get: no %q in\n%s", want, text)
		}
	}
}

// TestGetWatch sees changes of the Rollout, of pods and of an AnalysisRun, on a pipe.
// States that pass by themselves may be missed, so the pod is not ready before it has been seen so.
func TestGetWatch(t *testing.T) {
	b := newBench(t)
	owner := b.rollout("checkout", pausedAt(3), func(r *v1alpha1.Rollout) {
		r.Spec.Template.Annotations = map[string]string{behaviour: "never-ready"}
	})
	r := b.start("get", "checkout", "-w")
	sees := func(text string) {
		t.Helper()
		eventually(t, "a frame with "+text, func() bool { return strings.Contains(r.out.String(), text) })
	}
	sees("--- 12:00:00\ncheckout  Paused")
	b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.Message = "a new message" })
	sees("a new message")
	b.replicaSet(owner, canaryHash, 1)
	sees("0/1 pods ready")
	b.cure(canaryHash)
	sees("Running  1/1 ready")
	b.create(&v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "checkout-2",
			Labels: map[string]string{v1alpha1.RolloutLabel: "checkout", v1alpha1.RevisionLabel: canaryHash}},
		Spec: v1alpha1.AnalysisRunSpec{Metrics: owner.Spec.Strategy.Canary.Analysis.Metrics, Block: v1alpha1.Duration{Duration: 10 * time.Second}},
	})
	sees("○ error-rate  Pending")
	r.stop()
	if r.end(t).code != ExitOK || r.err.String() != "" {
		t.Errorf("get -w after an interruption: code %d, err %q; want 0 and nothing", r.code, r.err.String())
	}
	frames := strings.Split(r.out.String(), "--- 12:00:00\n")[1:]
	for i := 1; i < len(frames); i++ {
		if frames[i] == frames[i-1] {
			t.Errorf("get -w drew the same frame twice:\n%s", frames[i])
		}
	}
}

func TestGetWatchDeleted(t *testing.T) {
	b := newBench(t)
	b.rollout("checkout", pausedAt(3))
	r := b.start("get", "checkout", "-w")
	eventually(t, "first frame", func() bool { return strings.Contains(r.out.String(), "Paused") })
	if err := b.client.Delete(t.Context(), b.read("checkout")); err != nil {
		t.Fatal(err)
	}
	if r.end(t).code != ExitFailed || !strings.Contains(r.err.String(), "was deleted") {
		t.Errorf("get -w: code %d, err %q; want 1 and that it was deleted", r.code, r.err.String())
	}
}

// TestGetForbidden is run by somebody who may see Rollouts and nothing else.
func TestGetForbidden(t *testing.T) {
	b := newBench(t)
	b.rollout("checkout", pausedAt(3))
	clients, err := kubernetes.NewForConfig(testenv.Start(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "viewer"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"sluice.dev"}, Resources: []string{"rollouts"}, Verbs: []string{"get", "list", "watch"}}}}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "viewer"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "viewer"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "ada"}}}
	if _, err := clients.RbacV1().Roles(b.namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := clients.RbacV1().RoleBindings(b.namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var get *run
	eventually(t, "the role to be in force", func() bool {
		get = b.run("get", "checkout", "--as", "ada")
		return get.code == ExitOK
	})
	if !strings.Contains(get.out.String(), "paused until promoted") || !strings.Contains(get.err.String(), "warning: Pods are not shown") {
		t.Errorf("get: out %q, err %q; want the tree, and a warning about pods", get.out.String(), get.err.String())
	}
	abort := b.run("abort", "checkout", "--as", "ada")
	if abort.code != ExitFailed || !strings.Contains(abort.err.String(), `User "ada" cannot patch resource "rollouts"`) {
		t.Errorf("abort: code %d, err %q; want 1 and that ada may not", abort.code, abort.err.String())
	}
}

// TestVersion looks for the controller's Deployment.
func TestVersion(t *testing.T) {
	b := newBench(t)
	if got := b.run("version", "--client").out.String(); got != "Client:     v0.0.0-test\n" {
		t.Errorf("version --client: %q", got)
	}
	if got := b.run("version").out.String(); !strings.Contains(got, "Controller: unknown (there is no Deployment sluice-system/sluice; Sluice is not installed here, or in another namespace)\n") {
		t.Errorf("version without a controller: %q", got)
	}
	clients, err := kubernetes.NewForConfig(testenv.Start(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: controllerNamespace}}
	if _, err := clients.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := shippedController(t)
	d.Spec.Replicas = ptr(int32(0))
	b.create(d)
	if got := b.run("version").out.String(); !strings.Contains(got, "Controller: dev (0 of 0 ready)\n") {
		t.Errorf("version with the controller that is shipped: %q", got)
	}
	d.Spec.Template.Spec.Containers[0].Image = "registry.example.com:5000/sluice:v9.9.9"
	if got, want := versionOf(d), "dev, by image registry.example.com:5000/sluice:v9.9.9"; got != want {
		t.Errorf("version of a controller whose image was set: %q, want %q", got, want)
	}
	delete(d.Labels, versionLabel)
	if got, want := versionOf(d), "image registry.example.com:5000/sluice:v9.9.9"; got != want {
		t.Errorf("version of a controller without the label: %q, want %q", got, want)
	}
}

// shippedController is the Deployment of deploy/install.yaml.
func shippedController(t *testing.T) *appsv1.Deployment {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		d := &appsv1.Deployment{}
		if err := yaml.Unmarshal([]byte(document), d); err == nil && d.Kind == "Deployment" {
			return d
		}
	}
	t.Fatal("deploy/install.yaml has no Deployment")
	return nil
}

// TestList lists one namespace and all.
func TestList(t *testing.T) {
	b := newBench(t)
	if r := b.run("list"); r.code != ExitOK || !strings.Contains(r.err.String(), "No Rollouts in namespace "+b.namespace) {
		t.Errorf("list of nothing: code %d, err %q", r.code, r.err.String())
	}
	b.rollout("checkout", pausedAt(3))
	for _, args := range [][]string{{"list"}, {"list", "-A"}, {"list", "-n", b.namespace}} {
		if r := b.run(args...); !strings.Contains(r.out.String(), "checkout") || !strings.Contains(r.out.String(), "4/6") {
			t.Errorf("%v: %s%s", args, r.out.String(), r.err.String())
		}
	}
}
