// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// anyName stands for what only a release gives a name to.
const anyName = "x"

// Vet says what is wrong with an analysis as it would run, without asking anybody.
type Vet func(v1alpha1.AnalysisRunSpec) error

// vetted is the mistake of an analysis, if any, that only those who carry it out
// know: an unknown variable, a query that does not parse.
func (vet Vet) vetted(r *v1alpha1.Rollout, a *v1alpha1.Analysis, templates []Template, at string) []Problem {
	err := vet(exemplary(r, a, templates))
	if err == nil {
		return nil
	}
	return []Problem{{Field: at, Message: fmt.Sprintf("%v; correct it there, or in the template that it is from", err)}}
}

// exemplary is a run of an analysis with placeholders for what only a release knows. It
// has all that queries are made from.
func exemplary(r *v1alpha1.Rollout, a *v1alpha1.Analysis, templates []Template) v1alpha1.AnalysisRunSpec {
	reached, _ := builtOn(a, templates)
	b := WantedBindings(r)
	canary := v1alpha1.SubjectArm{Service: b.CanaryService, Workload: anyName, Revision: anyName}
	stable := v1alpha1.SubjectArm{Service: b.StableService, Workload: anyName, Revision: anyName}
	subject := v1alpha1.Subject{Service: b.Service, Canary: canary}
	if c := r.Spec.Strategy.Canary; c != nil && c.Analysis == a {
		subject.Stable = &stable
	}
	if b := r.Spec.Strategy.BlueGreen; b != nil && b.PostPromotion != nil && a == &b.PostPromotion.Analysis {
		subject.Canary.Service = stable.Service // after the switch
	}
	return v1alpha1.AnalysisRunSpec{
		Judgement: judgement(a, reached), Subject: &subject, Prometheus: a.Prometheus, Loki: a.Loki, Metrics: metrics(a, reached),
		Args: argsOf(r, a, reached, canary, stable), DryRun: a.DryRun,
	}
}
