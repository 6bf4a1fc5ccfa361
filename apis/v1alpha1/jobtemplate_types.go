// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// JobTemplate is a batch/v1 JobTemplateSpec, which the API server takes as it is:
// its schema would be larger than all of ours. What is no such template is kept
// as a mistake to be told. It must not be an error of reading: one object that
// can't be read stops whoever lists its kind, in all namespaces.
type JobTemplate struct {
	// ObjectMeta of the Job: labels and annotations.
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec of the Job.
	Spec batchv1.JobSpec `json:"spec,omitempty"`
	// Unreadable says why this is no template of a Job. Empty when it is one.
	Unreadable string `json:"-"`
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (t *JobTemplate) UnmarshalJSON(text []byte) error {
	var read batchv1.JobTemplateSpec
	if err := json.Unmarshal(text, &read); err != nil {
		*t = JobTemplate{Unreadable: err.Error()}
		return nil //nolint:nilerr // it is kept, to be told as a mistake in one object
	}
	*t = JobTemplate{ObjectMeta: read.ObjectMeta, Spec: read.Spec}
	return nil
}
