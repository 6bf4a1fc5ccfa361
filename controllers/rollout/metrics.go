// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// metrics counts what happened. Labels are bounded: no revision, no message.
type metrics struct {
	outcomes *prometheus.CounterVec
	actions  *prometheus.CounterVec
	phases   *prometheus.CounterVec
	drifts   *prometheus.CounterVec
}

// newMetrics registers the controller's metrics.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_release_outcomes_total", Help: "Releases that ended, by cause.",
		}, []string{"namespace", "rollout", "cause"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_actions_total", Help: "Effects carried out on the cluster, by kind.",
		}, []string{"action"}),
		phases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_phase_transitions_total", Help: "Times that Rollouts entered a phase.",
		}, []string{"phase"}),
		drifts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_route_drift_total", Help: "Times that somebody else changed the split of a Rollout's routes and it was put right.",
		}, []string{"namespace", "rollout"}),
	}
	for _, c := range []prometheus.Collector{m.outcomes, m.actions, m.phases, m.drifts} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// transition counts what a stored status changed.
func (m *metrics) transition(ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus) {
	if now.Phase != ro.Status.Phase {
		m.phases.WithLabelValues(string(now.Phase)).Inc()
	}
	if o, ended := latestOutcome(ro.Status, now); ended {
		m.outcomes.WithLabelValues(ro.Namespace, ro.Name, string(o.Cause)).Inc()
	}
}

// action counts an effect.
func (m *metrics) action(ro *v1alpha1.Rollout, a plan.Action) {
	m.actions.WithLabelValues(kindOf(a)).Inc()
	if shift, ok := a.(plan.ShiftTraffic); ok && shift.Drift {
		m.drifts.WithLabelValues(ro.Namespace, ro.Name).Inc()
	}
}

// forget drops the series of a Rollout that goes.
func (m *metrics) forget(ro *v1alpha1.Rollout) {
	of := prometheus.Labels{"namespace": ro.Namespace, "rollout": ro.Name}
	m.outcomes.DeletePartialMatch(of)
	m.drifts.DeletePartialMatch(of)
}

func kindOf(a plan.Action) string {
	switch a.(type) {
	case plan.CreateRevision, plan.CreateBaseline:
		return "create_revision"
	case plan.ScaleRevision:
		return "scale_revision"
	case plan.DeleteRevision:
		return "delete_revision"
	case plan.SelectRevision:
		return "select_revision"
	case plan.ShiftTraffic, plan.WriteRoute, plan.DropRoute:
		return "shift_traffic"
	case plan.ScaleWorkload:
		return "scale_workload"
	case plan.StartRun, plan.AskRun, plan.RedirectRun, plan.StopRun, plan.DeleteRun:
		return "analysis"
	default:
		return "lifecycle"
	}
}
