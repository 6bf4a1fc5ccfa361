// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// A template that is none is told with the object it stands in; it must not
// keep that object, and with it all others, from being read.
func TestJobTemplate(t *testing.T) {
	tests := map[string]struct {
		reason, text string
		unreadable   bool
	}{
		"template": {"what people write", `{"metadata":{"labels":{"a":"b"}},"spec":{"backoffLimit":0,"template":{"spec":{"containers":[{"name":"smoke"}]}}}}`, false},
		"empty":    {"the API server of Jobs complains of it", `{}`, false},
		"text":     {"no spec", `{"spec":"x"}`, true},
		"number":   {"quotes around a number", `{"spec":{"backoffLimit":"0"}}`, true},
		"args":     {"and none around a text", `{"spec":{"template":{"spec":{"containers":[{"args":[1]}]}}}}`, true},
		"quantity": {"no amount", `{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"some"}}}]}}}}`, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var m v1alpha1.JobMetric
			if err := json.Unmarshal([]byte(`{"template":`+tc.text+`}`), &m); err != nil || (m.Template.Unreadable != "") != tc.unreadable {
				t.Fatalf("%s: error %v, unreadable %q; want none, and that it is unreadable: %t", tc.reason, err, m.Template.Unreadable, tc.unreadable)
			}
			written, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var again v1alpha1.JobMetric
			if err := json.Unmarshal(written, &again); err != nil || !tc.unreadable && !cmp.Equal(m, again) {
				t.Errorf("%s: what is written reads back as %v, error %v", tc.reason, again, err)
			}
		})
	}
}
