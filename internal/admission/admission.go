// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"slices"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// unchecked is what an API server adds when it asks no rule: the object's
// shape is wrong already.
const unchecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

// Review gives what an API server would say against creating an object of
// ours: a sentence for each mistake, none when it would be admitted. Defaults
// are filled in, and the status goes, as they would. An error is no answer.
func Review(ctx context.Context, o *unstructured.Unstructured) ([]string, error) {
	gvk := o.GroupVersionKind()
	k, err := find(gvk)
	if err != nil {
		return nil, err
	}
	if k == nil || gvk.Group != v1alpha1.GroupVersion.Group {
		return nil, fmt.Errorf("%s %s is of no kind that this version defines; use apiVersion %s", o.GetKind(), o.GetName(), v1alpha1.GroupVersion)
	}
	unknown, err := k.decode(o)
	if err != nil {
		return []string{err.Error()}, nil //nolint:nilerr // what is wrong with the object is the answer
	}
	if len(unknown) > 0 {
		return unknown, nil
	}
	mistakes, all := k.mistakes(ctx, o)
	var said []string
	for _, mistake := range mistakes {
		said = append(said, mistake.Error())
	}
	slices.Sort(said) // maps are asked in whatever order
	if !all {
		said = append(said, unchecked)
	}
	return said, nil
}

// Parse reads one document of YAML or JSON as an API server's client does:
// a key that is there twice is a mistake. Nothing but comments gives nil.
func Parse(document []byte) (*unstructured.Unstructured, error) {
	raw, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says where
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("no object: %w", err)
	}
	if o == nil {
		return nil, nil
	}
	return &unstructured.Unstructured{Object: o}, nil
}

// decode fills in defaults, drops the status, and names fields that nobody knows.
func (k *kind) decode(o *unstructured.Unstructured) ([]string, error) {
	defaulting.PruneNonNullableNullsWithoutDefaults(o.Object, k.structural)
	defaulting.Default(o.Object, k.structural)
	invalid, names := objectmeta.CoerceWithOptions(nil, o.Object, k.structural, true, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	if invalid != nil {
		return nil, invalid
	}
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	names = append(names, pruning.PruneWithOptions(o.Object, k.structural, true, options)...)
	unknown := make([]string, len(names))
	for i, name := range names {
		unknown[i] = fmt.Sprintf("unknown field %q", name)
	}
	delete(o.Object, "status")
	return unknown, nil
}

// mistakes are those of a decoded object, in the order in which an API server
// finds them; all is false when rules were left unasked.
func (k *kind) mistakes(ctx context.Context, o *unstructured.Unstructured) (mistakes field.ErrorList, all bool) {
	if k.namespaced && o.GetNamespace() == "" {
		o.SetNamespace("default")
	}
	meta := field.NewPath("metadata")
	mistakes = apivalidation.ValidateObjectMetaAccessor(o, k.namespaced, apivalidation.NameIsDNSSubdomain, meta)
	mistakes = append(mistakes, validation.ValidateCustomResource(nil, o.Object, k.fields)...)
	mistakes = append(mistakes, objectmeta.Validate(ctx, nil, o.Object, k.structural, false)...)
	mistakes = append(mistakes, listtype.ValidateListSetsAndMaps(nil, k.structural, o.Object)...)
	if misshapen(mistakes) {
		return mistakes, false
	}
	broken, _ := k.rules.Validate(ctx, nil, k.structural, o.Object, nil, celconfig.RuntimeCELCostBudget)
	return append(mistakes, broken...), true
}

// misshapen is true when rules would not find what they ask for.
func misshapen(all field.ErrorList) bool {
	blocking := []field.ErrorType{
		field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid,
	}
	return slices.ContainsFunc(all, func(e *field.Error) bool { return slices.Contains(blocking, e.Type) })
}
