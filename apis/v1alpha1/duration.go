// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Duration is a [metav1.Duration] that the API server checks: one that Go can't
// parse would stop every controller that lists the kind, in all namespaces.
//
// The pattern holds for what Go parses without overflow. It speaks to machines,
// and the rule to people.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:Pattern=`^(0|[0-9]{1,6}(\.[0-9]+)?h([0-9]{1,7}(\.[0-9]+)?m)?([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){0,4}|[0-9]{1,7}(\.[0-9]+)?m([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){0,4}|([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){1,4})$`
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(h|m|s|ms|us|µs|ns))+)$')",message="must be a duration in Go's form, such as 90s, 5m or 1h30m; write a day as 24h"
type Duration metav1.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Duration) UnmarshalJSON(text []byte) error { return (*metav1.Duration)(d).UnmarshalJSON(text) }

// MarshalJSON implements [json.Marshaler].
func (d Duration) MarshalJSON() ([]byte, error) { return metav1.Duration(d).MarshalJSON() }
