// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AnalysisTemplate holds metrics that several Rollouts share.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=delivery,shortName=at
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AnalysisTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec holds the metrics and their arguments.
	// +required
	Spec AnalysisTemplateSpec `json:"spec"`
}

// AnalysisTemplateList is a list of AnalysisTemplates.
//
// +kubebuilder:object:root=true
type AnalysisTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AnalysisTemplate `json:"items"`
}

// ClusterAnalysisTemplate holds what the Rollouts of all namespaces share.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=delivery,shortName=cat
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterAnalysisTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec holds the metrics and their arguments.
	// +required
	Spec AnalysisTemplateSpec `json:"spec"`
}

// ClusterAnalysisTemplateList is a list of ClusterAnalysisTemplates.
//
// +kubebuilder:object:root=true
type ClusterAnalysisTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterAnalysisTemplate `json:"items"`
}

// AnalysisTemplateSpec is what a template adds to an analysis. What the
// analysis itself says, or an earlier template, goes before.
//
// +kubebuilder:validation:XValidation:rule="(has(self.metrics) && self.metrics.size() > 0) || (has(self.templates) && self.templates.size() > 0) || has(self.objectives)",message="spec: needs objectives, or at least one entry in metrics or templates"
type AnalysisTemplateSpec struct {
	// preset of the objectives. Default: the analysis' own.
	// +optional
	Preset Preset `json:"preset,omitempty"`
	// objectives of the service.
	// +optional
	Objectives *Objectives `json:"objectives,omitempty"`
	// templates that this one builds on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Templates []TemplateRef `json:"templates,omitempty"`
	// args that the metrics use; a value here is the default, one without a
	// value must be given by the analysis that uses the template.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Args []TemplateArg `json:"args,omitempty"`
	// metrics to measure.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Metrics []Metric `json:"metrics,omitempty"`
}

// TemplateArg is an argument that a template takes.
type TemplateArg struct {
	// name as in $(name).
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_-]*$`
	Name string `json:"name"`
	// value is the default.
	// +optional
	Value *string `json:"value,omitempty"`
}
