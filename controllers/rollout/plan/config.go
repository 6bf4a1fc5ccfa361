// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The kinds of configuration that a pod template can refer to.
const (
	KindConfigMap = "ConfigMap"
	KindSecret    = "Secret"
)

// configPause is how often tracked configuration is looked at. It is not
// watched, so that nobody's Secrets have to be listed.
const configPause = 30 * time.Second

// ConfigRef names a ConfigMap or Secret that a pod template refers to.
type ConfigRef struct {
	// Kind is KindConfigMap or KindSecret.
	Kind string
	// Name of the object.
	Name string
}

// String names it as people do.
func (r ConfigRef) String() string { return r.Kind + " " + r.Name }

// ConfigCopy is a revision's own copy of tracked configuration.
type ConfigCopy struct {
	// From is what was copied.
	From ConfigRef
	// Name of the copy, which tells the content.
	Name string
}

// ConfigRefs lists what a pod template refers to, in a stable order: whether it
// may be missing is the value.
func ConfigRefs(t *corev1.PodTemplateSpec) map[ConfigRef]bool {
	found := map[ConfigRef]bool{}
	eachConfig(&t.Spec, func(kind string, name *string, optional *bool) {
		ref, may := ConfigRef{kind, *name}, optional != nil && *optional
		if before, seen := found[ref]; seen {
			may = may && before
		}
		found[ref] = may
	})
	return found
}

// WithCopies returns the template with each reference to a copied object
// leading to the copy.
func WithCopies(t *corev1.PodTemplateSpec, copies []ConfigCopy) *corev1.PodTemplateSpec {
	t = t.DeepCopy()
	eachConfig(&t.Spec, func(kind string, name *string, _ *bool) {
		i := slices.IndexFunc(copies, func(c ConfigCopy) bool { return c.From == ConfigRef{kind, *name} })
		if i >= 0 {
			*name = copies[i].Name
		}
	})
	return t
}

// HashConfig identifies the content of a ConfigMap or Secret: its data, binary
// data and type, and nothing of its metadata.
func HashConfig(content ...any) (string, error) {
	raw, err := json.Marshal(content) // map keys are sorted
	if err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	return digest(raw), nil
}

// eachConfig visits every reference of a pod to a ConfigMap or Secret by name.
func eachConfig(spec *corev1.PodSpec, visit func(kind string, name *string, optional *bool)) {
	for i := range spec.Volumes {
		eachInVolume(&spec.Volumes[i], visit)
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			eachInContainer(&containers[i], visit)
		}
	}
}

func eachInVolume(v *corev1.Volume, visit func(kind string, name *string, optional *bool)) {
	switch {
	case v.ConfigMap != nil:
		visit(KindConfigMap, &v.ConfigMap.Name, v.ConfigMap.Optional)
	case v.Secret != nil:
		visit(KindSecret, &v.Secret.SecretName, v.Secret.Optional)
	case v.Projected != nil:
		for i := range v.Projected.Sources {
			switch s := &v.Projected.Sources[i]; {
			case s.ConfigMap != nil:
				visit(KindConfigMap, &s.ConfigMap.Name, s.ConfigMap.Optional)
			case s.Secret != nil:
				visit(KindSecret, &s.Secret.Name, s.Secret.Optional)
			}
		}
	}
}

func eachInContainer(c *corev1.Container, visit func(kind string, name *string, optional *bool)) {
	for i := range c.EnvFrom {
		switch from := &c.EnvFrom[i]; {
		case from.ConfigMapRef != nil:
			visit(KindConfigMap, &from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			visit(KindSecret, &from.SecretRef.Name, from.SecretRef.Optional)
		}
	}
	for i := range c.Env {
		switch from := c.Env[i].ValueFrom; {
		case from == nil:
		case from.ConfigMapKeyRef != nil:
			visit(KindConfigMap, &from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Optional)
		case from.SecretKeyRef != nil:
			visit(KindSecret, &from.SecretKeyRef.Name, from.SecretKeyRef.Optional)
		}
	}
}

// unused lists the copies that only revisions about to be deleted use.
func unused(f facts, leaving Revision, gone map[string]bool) []ConfigRef {
	var all []ConfigRef
	for _, ref := range leaving.Config {
		elsewhere := slices.ContainsFunc(f.Revisions, func(r Revision) bool {
			return r.Hash != leaving.Hash && !gone[r.Hash] && slices.Contains(r.Config, ref)
		})
		wanted := slices.ContainsFunc(f.Config, func(c ConfigCopy) bool { return ref == ConfigRef{c.From.Kind, c.Name} })
		if !elsewhere && !wanted {
			all = append(all, ref)
		}
	}
	return all
}
