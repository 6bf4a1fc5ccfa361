// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestWithoutTheRightToLook: a controller that may not read the class says whom to
// bind to what, and takes traffic back all the same.
func TestWithoutTheRightToLook(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.gatewayOf("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	role := s.grant("role.yaml")
	startController(t, s.granted(), s.ns)
	s.create(s.rollout(weight(25), pause(), mirror(10), pause()))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.atStep(1)

	s.edit(role, func() {
		for i := range role.Rules {
			rule := &role.Rules[i]
			if len(rule.Resources) > 0 && rule.Resources[0] == "gatewayclasses" {
				rule.Resources = rule.Resources[1:]
			}
		}
	})
	// The API server hears of rights a moment later. A status is locked to the version
	// that was read, so that a pass needs the time between two pokes for itself.
	err := wait.PollUntilContextTimeout(s.ctx, 5*time.Second, patience, true, func(context.Context) (bool, error) {
		s.poke()
		c := meta.FindStatusCondition(s.get().Status.Conditions, v1alpha1.ConditionSpecValid)
		return strings.Contains(c.Message, "service account should be bound to ClusterRole sluice, may not read GatewayClass "+s.ns), nil
	})
	if err != nil {
		t.Fatalf("never told: %+v", s.get().Status.Conditions)
	}
	s.say(v1alpha1.VerbAbort)
	s.aborted(v1alpha1.ReasonAbortedByCommand)
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("after the abort stable has %d %% and the canary %d %%", stable, canary)
	}
	s.delete(s.get())
}

// TestShippedRightsSufficeToTakeOver: what a Rollout left behind is taken over with
// no more rights than the controller is shipped with.
func TestShippedRightsSufficeToTakeOver(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.grant("role.yaml")
	s.grant("config_role.yaml")
	startController(t, s.granted(), s.ns)
	s.create(s.settings("green"))
	made := func() *v1alpha1.Rollout {
		ro := s.rollout(weight(50), pause())
		ro.Spec.TrackConfig = true
		ro.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
		return ro
	}
	s.create(made())
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.collected()
	s.deleteBy(s.get(), metav1.DeletePropagationOrphan)
	if n := s.copies(); n != 1 {
		t.Fatalf("%d copies of the configuration are left behind, want 1", n)
	}
	s.create(made())
	again := s.untilPhase(v1alpha1.PhaseHealthy)
	var list corev1.ConfigMapList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{v1alpha1.RolloutLabel: "shop"}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || !metav1.IsControlledBy(&list.Items[0], again) || again.Status.StableRevision != first {
		t.Errorf("%d copies, stable is %s, want the one of %s", len(list.Items), again.Status.StableRevision, first)
	}
}

// granted is where a user acts who is called as the namespace is.
func (s *shop) granted() *testenv.Env {
	config := rest.CopyConfig(testenv.Start(s.t).Config)
	config.Impersonate.UserName = s.ns
	return &testenv.Env{Config: config}
}

// grant gives that user the rights of a role that is shipped.
func (s *shop) grant(file string) *rbacv1.ClusterRole {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", file))
	if err != nil {
		s.t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(raw, role); err != nil {
		s.t.Fatal(err)
	}
	role.Name = s.ns + "-" + role.Name
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: s.ns}},
	}
	s.create(role)
	s.create(binding)
	s.t.Cleanup(func() {
		_ = s.client.Delete(context.WithoutCancel(s.ctx), binding)
		_ = s.client.Delete(context.WithoutCancel(s.ctx), role)
	})
	return role
}
