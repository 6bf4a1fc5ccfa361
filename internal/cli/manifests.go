// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// manifests are what a file says about one Rollout.
type manifests struct {
	rollout     *v1alpha1.Rollout
	deployments map[string]*appsv1.Deployment
	templates   map[string]*v1alpha1.AnalysisTemplate
}

// readManifests reads a Rollout and what belongs to it. A name chooses among several.
func readManifests(path, name string) (manifests, error) {
	m := manifests{deployments: map[string]*appsv1.Deployment{}, templates: map[string]*v1alpha1.AnalysisTemplate{}}
	raw, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("read -f %s: %w", path, err)
	}
	all, err := m.takeAll(raw, name)
	switch {
	case err != nil:
		return m, fmt.Errorf("%s: %w", path, err)
	case len(all) == 0:
		return m, fmt.Errorf("%s holds no Rollout of %s; add the one to play", path, v1alpha1.GroupVersion)
	case m.rollout == nil:
		return m, fmt.Errorf("%s holds no Rollout %s, but %s", path, name, strings.Join(all, ", "))
	case len(all) > 1 && name == "":
		return m, fmt.Errorf("%s holds several Rollouts: %s; name the one to play", path, strings.Join(all, ", "))
	}
	m.resolve()
	return m, m.check()
}

// takeAll reads every document, chooses the Rollout, and gives the names of all Rollouts.
func (m *manifests) takeAll(raw []byte, name string) ([]string, error) {
	var all []string
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		ro, err := m.take(document)
		if err != nil {
			return nil, err
		}
		if ro == nil {
			continue
		}
		all = append(all, ro.Name)
		if name == "" || ro.Name == name {
			m.rollout = ro
		}
	}
}

// take reads one document; kinds that a simulation does not need are left aside.
func (m *manifests) take(document []byte) (*v1alpha1.Rollout, error) {
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, fmt.Errorf("no YAML of an object: %w", err)
	}
	read := func(into any) error {
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			return fmt.Errorf("%s %s: %w; correct the field, or remove what this version does not know", head.Kind, head.Name, err)
		}
		return nil
	}
	switch {
	case head.Kind == "Rollout" && head.APIVersion == v1alpha1.GroupVersion.String():
		ro := &v1alpha1.Rollout{}
		return ro, read(ro)
	case head.Kind == "AnalysisTemplate" && head.APIVersion == v1alpha1.GroupVersion.String():
		t := &v1alpha1.AnalysisTemplate{}
		m.templates[head.Name] = t
		return nil, read(t)
	case head.Kind == "Deployment" && head.APIVersion == appsv1.SchemeGroupVersion.String():
		d := &appsv1.Deployment{}
		m.deployments[head.Name] = d
		return nil, read(d)
	}
	return nil, nil
}

// check finds what the API server would refuse and a simulation would not survive.
func (m *manifests) check() error {
	field, remedy := mistake(m.rollout.Spec)
	if field == "" {
		return nil
	}
	return fmt.Errorf("correct Rollout %s: %s: %s", m.rollout.Name, field, remedy)
}

// mistake gives the first field that is wrong, and the remedy.
func mistake(spec v1alpha1.RolloutSpec) (field, remedy string) {
	switch {
	case (spec.Template == nil) == (spec.WorkloadRef == nil):
		return "spec", "set exactly one of template and workloadRef"
	case spec.Template != nil && (spec.Selector == nil || len(spec.Template.Spec.Containers) == 0):
		return "spec.template", "needs a container, and spec.selector beside it"
	case spec.Strategy.Canary != nil && spec.Strategy.BlueGreen != nil:
		return "spec.strategy", "set at most one of canary and blueGreen"
	case spec.Strategy.Canary != nil:
		return mistakenStep(spec.Strategy.Canary)
	}
	return "", ""
}

func mistakenStep(c *v1alpha1.CanaryStrategy) (field, remedy string) {
	for i, s := range c.Steps {
		if s.Analyze != nil && c.Analysis == nil {
			return "spec.strategy.canary.analysis", "required when a step says analyze; add metrics or templates"
		}
		if raw, err := yaml.Marshal(s); err == nil && strings.TrimSpace(string(raw)) == "{}" {
			return fmt.Sprintf("spec.strategy.canary.steps[%d]", i), "is empty; give it one of setWeight, setScale, pause, analyze, matchRoute, mirror, job, gate and approve"
		}
	}
	return "", ""
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

// resolve puts the metrics of templates in place of their names. A template
// that the file does not hold is played as one metric of its name.
func (m *manifests) resolve() {
	s := &m.rollout.Spec.Strategy
	var all []*v1alpha1.Analysis
	if s.Canary != nil && s.Canary.Analysis != nil {
		all = append(all, s.Canary.Analysis)
	}
	if b := s.BlueGreen; b != nil {
		if b.PrePromotion != nil && b.PrePromotion.Analysis != nil {
			all = append(all, b.PrePromotion.Analysis)
		}
		if b.PostPromotion != nil {
			all = append(all, &b.PostPromotion.Analysis)
		}
	}
	for _, a := range all {
		for _, ref := range a.Templates {
			if t := m.templates[ref.Name]; t != nil && len(t.Spec.Metrics) > 0 {
				a.Metrics = append(a.Metrics, t.Spec.Metrics...)
				continue
			}
			a.Metrics = append(a.Metrics, v1alpha1.Metric{Name: ref.Name})
		}
		a.Templates = nil
		if len(a.Metrics) == 0 {
			a.Metrics = []v1alpha1.Metric{{Name: "analysis"}}
		}
	}
}
