// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/config/crd"
)

// kind is one version of a definition, ready to be asked.
type kind struct {
	namespaced bool
	structural *structuralschema.Structural
	fields     validation.SchemaValidator
	rules      *cel.Validator
}

// definition reads the file of one kind.
func definition(plural string) (*apiextensionsv1.CustomResourceDefinition, error) {
	name := "sluice.dev_" + plural + ".yaml"
	raw, err := crd.Files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the definition of %s: %w", plural, err)
	}
	var d apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &d, nil
}

// kindOf prepares one version of a definition as an API server does.
func kindOf(d *apiextensionsv1.CustomResourceDefinition, version string) (*kind, error) {
	for _, v := range d.Spec.Versions {
		if v.Name != version || v.Schema == nil {
			continue
		}
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			return nil, fmt.Errorf("convert the schema of %s: %w", d.Name, err)
		}
		structural, err := structuralschema.NewStructural(&props)
		if err != nil {
			return nil, fmt.Errorf("structure the schema of %s: %w", d.Name, err)
		}
		fields, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			return nil, fmt.Errorf("compile the schema of %s: %w", d.Name, err)
		}
		return &kind{
			namespaced: d.Spec.Scope == apiextensionsv1.NamespaceScoped,
			structural: structural, fields: fields,
			rules: cel.NewValidator(structural, true, celconfig.PerCallLimit),
		}, nil
	}
	return nil, nil
}

// plurals are our kinds and the files that define them.
var plurals = map[string]string{
	"Rollout": "rollouts", "AnalysisRun": "analysisruns",
	"AnalysisTemplate": "analysistemplates", "ClusterAnalysisTemplate": "clusteranalysistemplates",
}

// find gives the definition of a kind; nil when it is none of ours.
func find(gvk schema.GroupVersionKind) (*kind, error) {
	plural, ours := plurals[gvk.Kind]
	if !ours {
		return nil, nil
	}
	d, err := definition(plural)
	if err != nil {
		return nil, err
	}
	return kindOf(d, gvk.Version)
}
