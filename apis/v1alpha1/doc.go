// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the API types of sluice.dev: what users write and what
// they read back. It imports apimachinery and k8s.io/api only and contains no
// behaviour beyond defaults that the schema itself states.
//
// +kubebuilder:object:generate=true
// +groupName=sluice.dev
package v1alpha1
