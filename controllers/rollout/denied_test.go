// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const denial = "small is beautiful"

// deny has a ValidatingAdmissionPolicy refuse what does not satisfy an expression, with
// the answer that is the default, until it is lifted. It takes effect once the API server
// refuses the probe.
func (s *shop) deny(rule admissionv1.Rule, expression string, probe func(context.Context) error) (lift func()) {
	s.t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: s.ns},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update}, Rule: rule,
			}}}},
			Validations: []admissionv1.Validation{{Expression: expression, Message: denial}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.ns},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: s.ns, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.ns}}},
		},
	}
	s.create(policy)
	s.create(binding)
	lift = func() {
		for _, o := range []client.Object{binding, policy} {
			if err := client.IgnoreNotFound(s.client.Delete(context.WithoutCancel(s.ctx), o)); err != nil {
				s.t.Error(err)
			}
		}
	}
	s.t.Cleanup(lift)
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return apierrors.IsInvalid(probe(ctx)), nil
	})
	if err != nil {
		s.t.Fatalf("the policy never took effect: %v", err)
	}
	return lift
}

// bound denies a ReplicaSet of the shop's more replicas than a number.
func (s *shop) bound(rs *appsv1.ReplicaSet, most int32) (lift func()) {
	s.t.Helper()
	probe := client.RawPatch(types.MergePatchType, []byte(fmt.Sprintf(`{"spec":{"replicas":%d}}`, most+1)))
	return s.deny(
		admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"replicasets"}},
		fmt.Sprintf("object.metadata.name != %q || object.spec.replicas <= %d", rs.Name, most),
		func(ctx context.Context) error { return s.client.Patch(ctx, rs.DeepCopy(), probe, client.DryRunAll) },
	)
}

// TestDeniedScaleIsTold: a policy that denies more pods is no lost race. It is
// told, whatever does not need those pods goes on, and so does the release once
// the policy is lifted.
func TestDeniedScaleIsTold(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), pause(), weight(50))
	s.release("shop:v2")
	canary := s.replicaSet(s.atStep(1).Status.CanaryRevision)
	lift := s.bound(canary, 1)

	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.CanaryMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "canary"}}
		metav1.SetMetaDataAnnotation(&ro.ObjectMeta, v1alpha1.CommandAnnotation, `{"id": "1", "verb": "promote", "by": "jane"}`)
	})
	s.until("told", func(ro *v1alpha1.Rollout) bool {
		c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionApplied)
		return c != nil && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, "scale "+canary.Name+" from 1 to 2") && strings.Contains(c.Message, denial)
	})
	s.until("marked all the same", func(*v1alpha1.Rollout) bool {
		pods := s.pods(canary.Labels[v1alpha1.RevisionLabel])
		return len(pods) == 1 && pods[0].Labels["role"] == "canary"
	})
	if _, weight := s.weights(); weight != 25 {
		t.Errorf("the canary's one pod gets %d %%, want 25", weight)
	}
	lift()
	s.healthyWith(first)
	if c := meta.FindStatusCondition(s.get().Status.Conditions, v1alpha1.ConditionApplied); c != nil {
		t.Errorf("still told: %s", c.Message)
	}
}
