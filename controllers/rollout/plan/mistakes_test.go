// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// The API server takes any template of a Job, so a slip in it is told here.
func TestUnreadableTemplateOfAJob(t *testing.T) {
	steps := []v1alpha1.Step{weightStep(20), {Job: &v1alpha1.JobStep{Template: v1alpha1.JobTemplate{Unreadable: "spec is a text"}}}, {Job: &v1alpha1.JobStep{}}}
	f := facts{&said{strategy: strategyOf(v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: steps}}})}}
	found := mistakes(f)
	if len(found) != 1 || found[0].Field != "spec.strategy.canary.steps[1].job.template" || !strings.Contains(found[0].Message, "(spec is a text); correct it") {
		t.Errorf("got %v, want one problem at steps[1] with the reason", found)
	}
}
