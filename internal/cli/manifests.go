// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// manifests are what files say about one Rollout.
type manifests struct {
	rollout     *v1alpha1.Rollout
	deployments map[string]*appsv1.Deployment
	templates   []plan.Template
}

// readManifests chooses a Rollout and what belongs to it. A name chooses among
// several; kinds that a simulation does not need are left aside.
func readManifests(all []document, name string) (manifests, error) {
	m := manifests{deployments: map[string]*appsv1.Deployment{}}
	var rollouts []string
	for _, d := range all {
		if d.is("Rollout") {
			rollouts = append(rollouts, d.GetName())
		}
		if err := m.take(d, name); err != nil {
			return m, err
		}
	}
	switch {
	case len(rollouts) == 0:
		return m, errNoRollout(all)
	case m.rollout == nil:
		return m, fmt.Errorf("there is no Rollout %s in the files of -f, but %s", name, strings.Join(rollouts, ", "))
	case len(rollouts) > 1 && name == "":
		return m, fmt.Errorf("there are several Rollouts in the files of -f: %s; name the one to play: kubectl sluice simulate %s -f FILE",
			strings.Join(rollouts, ", "), rollouts[0])
	}
	m.resolve()
	return m, nil
}

// take keeps an object that a simulation needs.
func (m *manifests) take(d document, name string) error {
	switch {
	case d.is("Rollout") && (name == "" || d.GetName() == name):
		m.rollout = &v1alpha1.Rollout{}
		return d.into(m.rollout)
	case d.isTemplate():
		t, err := d.template()
		m.templates = append(m.templates, t)
		return err
	case d.GetKind() == "Deployment" && d.GetAPIVersion() == appsv1.SchemeGroupVersion.String():
		w := &appsv1.Deployment{}
		m.deployments[d.GetName()] = w
		return d.into(w)
	}
	return nil
}

// errNoRollout says what the files hold instead.
func errNoRollout(all []document) error {
	for _, d := range all {
		if d.GetKind() == "Rollout" {
			return fmt.Errorf("%s holds a Rollout of %s, and this plays those of %s; docs/guide/from-argo-rollouts.md tells how to carry one over",
				d.file, d.GetAPIVersion(), v1alpha1.GroupVersion)
		}
	}
	return fmt.Errorf("there is no Rollout of %s in the files of -f; add the one to play", v1alpha1.GroupVersion)
}

// pods gives the template of the new version. A Deployment that the file does
// not hold is played as one of a single container.
func (m *manifests) pods() (*corev1.PodTemplateSpec, *metav1.LabelSelector) {
	if ref := m.rollout.Spec.WorkloadRef; ref != nil {
		if d := m.deployments[ref.Name]; d != nil && d.Spec.Selector != nil && len(d.Spec.Template.Spec.Containers) > 0 {
			return &d.Spec.Template, d.Spec.Selector
		}
		labels := map[string]string{"app": ref.Name}
		return &corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: ref.Name, Image: ref.Name}}},
		}, &metav1.LabelSelector{MatchLabels: labels}
	}
	return m.rollout.Spec.Template, m.rollout.Spec.Selector
}

// minReady is minReadySeconds of the Deployment that the Rollout refers to; 0
// where the files do not hold it.
func (m *manifests) minReady() int32 {
	if ref := m.rollout.Spec.WorkloadRef; ref != nil && m.deployments[ref.Name] != nil {
		return m.deployments[ref.Name].Spec.MinReadySeconds
	}
	return 0
}

// resolve puts the metrics of templates in place of their names. A template
// that the files do not hold is played as one metric of its name.
func (m *manifests) resolve() {
	for _, a := range plan.Analyses(m.rollout.Spec) {
		whole, missing := plan.Compose(a, m.templates)
		a.Templates, a.Metrics = nil, whole.Metrics
		for _, ref := range missing {
			a.Metrics = append(a.Metrics, v1alpha1.Metric{Name: ref.Name})
		}
		if len(a.Metrics) == 0 {
			a.Metrics = []v1alpha1.Metric{{Name: "analysis"}}
		}
	}
}
