// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// collector shows where every Rollout stands, from the cache and only when
// asked: nothing has to be kept in step, and a Rollout that is gone leaves no series.
type collector struct {
	cached client.Reader
	// elected is closed when this process is the one that acts; a standby says nothing.
	elected <-chan struct{}
	phase   *prometheus.Desc
	weight  *prometheus.Desc
}

func newCollector(cached client.Reader, elected <-chan struct{}) *collector {
	return &collector{
		cached: cached, elected: elected,
		phase: prometheus.NewDesc("sluice_rollout_phase", "1 for the phase that a Rollout is in, with the reason of its condition Ready.",
			[]string{"namespace", "rollout", "phase", "reason"}, nil),
		weight: prometheus.NewDesc("sluice_rollout_canary_weight", "Share of traffic asked for the revision in flight, in percent; 0 when none is.",
			[]string{"namespace", "rollout"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.phase
	to <- c.weight
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	var list v1alpha1.RolloutList
	// A scrape carries no context; the answer comes from memory.
	if err := c.cached.List(context.Background(), &list, client.UnsafeDisableDeepCopy); err != nil { //nolint:forbidigo // see above
		to <- prometheus.NewInvalidMetric(c.phase, err)
		return
	}
	for i := range list.Items {
		c.show(&list.Items[i], to)
	}
}

func (c *collector) show(ro *v1alpha1.Rollout, to chan<- prometheus.Metric) {
	if ro.Status.Phase == "" {
		return // not looked at yet
	}
	reason := ""
	if ready := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		reason = ready.Reason
	}
	to <- prometheus.MustNewConstMetric(c.phase, prometheus.GaugeValue, 1, ro.Namespace, ro.Name, string(ro.Status.Phase), reason)
	weight := 0.0
	if t := ro.Status.Traffic; t != nil && ro.Status.CanaryRevision != "" {
		weight = float64(t.CanaryWeight)
	}
	to <- prometheus.MustNewConstMetric(c.weight, prometheus.GaugeValue, weight, ro.Namespace, ro.Name)
}
