// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	defaultBlock         = 10 * time.Second
	defaultWarmUp        = 30 * time.Second
	defaultNoDataTimeout = 5 * time.Minute
	defaultMaxDuration   = 15 * time.Minute
)

// desireRun gives the AnalysisRun that should be under way: from the canary's
// first traffic, or the first analyze step, to the end of the release.
func desireRun(c cursor, f facts, split traffic.Split) *v1alpha1.AnalysisRunSpec {
	a := analysisAt(c, f)
	step, ok := c.current(f)
	asked := ok && step.Analyze != nil && !c.edited
	if a == nil || nobodyToJudge(c, f) || (split.Canary == 0 && !asked && runAt(c, f) == nil) {
		return nil
	}
	templates, _ := builtOn(a, f.Templates)
	judged := judgement(a, templates)
	spec := v1alpha1.AnalysisRunSpec{
		Judgement:     judged,
		Subject:       subject(c, f),
		Prometheus:    a.Prometheus,
		Loki:          a.Loki,
		Metrics:       metrics(a, templates),
		Args:          args(c, f, templates),
		Block:         duration(a.Block, defaultBlock),
		WarmUp:        duration(a.WarmUp, defaultWarmUp),
		OnNoData:      cmp.Or(a.OnNoData, v1alpha1.OnNoDataHold),
		NoDataTimeout: duration(a.NoDataTimeout, defaultNoDataTimeout),
		DryRun:        a.DryRun,
	}
	if judged.Preset == v1alpha1.PresetEnvoyGateway {
		places(spec.Subject, f)
	}
	if s := spec.Settle; s != nil && s.Duration <= 0 {
		spec.Settle = nil // stored before the schema refused it, which it would in a run
	}
	if asked {
		spec.Question = &v1alpha1.Question{
			Step: c.step, Since: metav1.NewTime(c.since), NextWeight: nextWeight(c, f),
			MinDuration: duration(step.Analyze.MinDuration, 0),
			MaxDuration: duration(step.Analyze.MaxDuration, defaultMaxDuration),
		}
	}
	return &spec
}

// nextWeight is the share that the canary gets when the current step passes.
func nextWeight(c cursor, f facts) int32 {
	now := c.asks(f).weight
	for _, step := range f.strategy.steps[min(int(c.step)+1, len(f.strategy.steps)):] {
		if step.SetWeight != nil && *step.SetWeight > now {
			return *step.SetWeight
		}
	}
	return 100
}

// subject names what is measured, and what it is compared with. A preview is compared
// with nothing, since stable's traffic is not like its own; nor is a revision after the
// switch, since stable has no traffic then.
func subject(c cursor, f facts) *v1alpha1.Subject {
	s := &v1alpha1.Subject{
		Service: f.bound.Service,
		Canary:  v1alpha1.SubjectArm{Service: f.CanaryService.Name, Workload: f.revisions.of(c.canary).Name, Revision: c.canary},
	}
	for _, r := range f.bound.Routes {
		s.GRPC = s.GRPC || r.Kind == "GRPCRoute"
	}
	switch whereAt(c, f) {
	case prePromotion:
		return s
	case postPromotion:
		s.Canary.Service = f.StableService.Name
		return s
	}
	if c.stable != "" {
		control := controlAt(c, f)
		s.Stable = &control
	}
	return s
}

// controlAt is what the canary is compared with at the cursor: the stable pods,
// or the fresh ones of the baseline from when that is known to be in place.
func controlAt(c cursor, f facts) v1alpha1.SubjectArm {
	if stepAt(c, f).control.baseline {
		return v1alpha1.SubjectArm{Service: f.BaselineService.Name, Workload: names.ReplicaSet(f.Rollout.Name, baselineName(c)), Revision: baselineName(c)}
	}
	return v1alpha1.SubjectArm{Service: f.StableService.Name, Workload: f.revisions.of(c.stable).Name, Revision: c.stable}
}

// args resolves what fills $(name) at the cursor.
func args(c cursor, f facts, templates []Template) []v1alpha1.ResolvedArg {
	return argsOf(f.Rollout, analysisAt(c, f), templates, v1alpha1.SubjectArm{Service: f.CanaryService.Name, Revision: c.canary}, controlAt(c, f))
}

// argsOf resolves what fills $(name) when these two are compared: what every
// analysis has, then the templates' defaults, then the analysis' own values.
func argsOf(r *v1alpha1.Rollout, a *v1alpha1.Analysis, templates []Template, canary, stable v1alpha1.SubjectArm) []v1alpha1.ResolvedArg {
	values := map[string]string{
		"rollout": r.Name, "namespace": r.Namespace,
		"canary": canary.Revision, "stable": stable.Revision,
		"canaryService": canary.Service, "stableService": stable.Service,
	}
	for _, t := range slices.Backward(templates) { // the one referred to first counts
		for _, arg := range t.Spec.Args {
			if arg.Value != nil {
				values[arg.Name] = *arg.Value
			}
		}
	}
	var secret []v1alpha1.ResolvedArg
	for _, arg := range a.Args {
		if arg.ValueFrom != nil && arg.ValueFrom.SecretKeyRef != nil {
			delete(values, arg.Name)
			secret = append(secret, v1alpha1.ResolvedArg{Name: arg.Name, SecretKeyRef: arg.ValueFrom.SecretKeyRef})
			continue
		}
		values[arg.Name] = resolve(r, arg, canary.Revision, stable.Revision)
	}
	resolved := secret
	for name, value := range values {
		resolved = append(resolved, v1alpha1.ResolvedArg{Name: name, Value: value})
	}
	slices.SortFunc(resolved, func(a, b v1alpha1.ResolvedArg) int { return cmp.Compare(a.Name, b.Name) })
	return resolved
}

func resolve(r *v1alpha1.Rollout, arg v1alpha1.Arg, canary, stable string) string {
	switch {
	case arg.Value != nil:
		return *arg.Value
	case arg.ValueFrom == nil:
		return ""
	case arg.ValueFrom.Revision == v1alpha1.RoleStable:
		return stable
	case arg.ValueFrom.Revision == v1alpha1.RoleCanary:
		return canary
	case arg.ValueFrom.FieldRef != nil:
		value, _ := field(r, arg.ValueFrom.FieldRef.FieldPath)
		return value
	}
	return ""
}

// field reads metadata.name, metadata.namespace, metadata.labels['k'] and metadata.annotations['k'].
func field(r *v1alpha1.Rollout, path string) (string, bool) {
	switch path {
	case "metadata.name":
		return r.Name, true
	case "metadata.namespace":
		return r.Namespace, true
	}
	for prefix, from := range map[string]map[string]string{"metadata.labels['": r.Labels, "metadata.annotations['": r.Annotations} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			value, found := from[strings.TrimSuffix(key, "']")]
			return value, found
		}
	}
	return "", false
}

// stepAt is the step by which the release is judged now: it says which of the
// strategy's analyses has a say, and with which pods the canary is compared. That is
// the current step. When all steps are done it is the latest one whose AnalysisRun
// exists, which need not be the last: a full promotion may have skipped some, and no
// run was started for what those would compare with.
func stepAt(c cursor, f facts) Step {
	if step, ok := c.current(f); ok {
		return step
	}
	n := len(f.strategy.steps)
	if n == 0 {
		return Step{}
	}
	last := f.strategy.steps[n-1]
	for _, step := range slices.Backward(f.strategy.steps) {
		if step.where == last.where && runNamed(f, step.Run(f.Rollout.Name, c.release)) != nil {
			return step
		}
	}
	return Step{where: last.where}
}

// whereAt says which of the strategy's analyses judges now.
func whereAt(c cursor, f facts) where { return stepAt(c, f).where }

// analysisAt is the analysis that judges now; nil when there is none, or somebody skips it.
func analysisAt(c cursor, f facts) *v1alpha1.Analysis {
	if c.skipped != nil {
		return nil
	}
	return f.strategy.analyses[whereAt(c, f)]
}

// runAt finds the AnalysisRun that judges now; nil when there is none.
func runAt(c cursor, f facts) *v1alpha1.AnalysisRun {
	if len(f.Runs) == 0 {
		return nil
	}
	return runNamed(f, runName(c, f))
}

func runNamed(f facts, name string) *v1alpha1.AnalysisRun {
	for i := range f.Runs {
		if f.Runs[i].Name == name {
			return &f.Runs[i]
		}
	}
	return nil
}

// runName names the AnalysisRun that judges now.
func runName(c cursor, f facts) string {
	return stepAt(c, f).Run(f.Rollout.Name, c.release)
}
