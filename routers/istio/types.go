// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// groupVersion is the one that Istio stores since 1.22.
var groupVersion = schema.GroupVersion{Group: "networking.istio.io", Version: "v1"}

// VirtualService is one as far as it is read: its spec as it stands, since
// types of some version of Istio would lose what another one added. Status is
// left out, which saves memory.
type VirtualService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec as the API server gave it.
	Spec map[string]any `json:"spec,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (v *VirtualService) DeepCopyObject() runtime.Object {
	return &VirtualService{TypeMeta: v.TypeMeta, ObjectMeta: *v.ObjectMeta.DeepCopy(), Spec: runtime.DeepCopyJSON(v.Spec)}
}

// VirtualServiceList is a list of them.
type VirtualServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items of the list.
	Items []VirtualService `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *VirtualServiceList) DeepCopyObject() runtime.Object {
	c := &VirtualServiceList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*VirtualService); ok {
			c.Items = append(c.Items, *item)
		}
	}
	return c
}

// DestinationRule is one as far as it is read; see [VirtualService].
type DestinationRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec as the API server gave it.
	Spec map[string]any `json:"spec,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (d *DestinationRule) DeepCopyObject() runtime.Object {
	return &DestinationRule{TypeMeta: d.TypeMeta, ObjectMeta: *d.ObjectMeta.DeepCopy(), Spec: runtime.DeepCopyJSON(d.Spec)}
}

// DestinationRuleList is a list of them.
type DestinationRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items of the list.
	Items []DestinationRule `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *DestinationRuleList) DeepCopyObject() runtime.Object {
	c := &DestinationRuleList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*DestinationRule); ok {
			c.Items = append(c.Items, *item)
		}
	}
	return c
}

// addToScheme registers the types of this package.
func addToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(groupVersion, &VirtualService{}, &VirtualServiceList{}, &DestinationRule{}, &DestinationRuleList{})
	metav1.AddToGroupVersion(s, groupVersion)
	return nil
}
