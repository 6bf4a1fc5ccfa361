// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// noAddress is the obstacle of a run without a server to ask.
	noAddress = "there is no Prometheus to ask; set spec.prometheus.address, or start the controller with --prometheus-address"
	noLoki    = "there is no Loki to ask; set spec.loki.address"
)

// reach is where a metric is asked for, or why it can't be.
type reach struct {
	target analysis.Target
	// web with all of it filled in, Secrets included. Nil for other metrics.
	web *v1alpha1.Web
	// why it can't be asked for, and the remedy. Empty when it can.
	why string
}

// observeReach finds out where each metric is asked for, and reads what lets us
// in there. What is missing holds up the metrics that need it, and is looked for
// again in each pass, as new contents are; when it holds up all that decide it is
// an obstacle.
func (r *Reconciler) observeReach(ctx context.Context, s *snapshot) error {
	f := finder{
		options: r.options, spec: s.run.Spec, servers: map[string]reach{},
		read: &secrets{from: r.options.Secrets, namespace: s.run.Namespace, seen: map[string]*corev1.Secret{}},
	}
	s.reach = map[string]reach{}
	var held []string
	deciding := 0
	for _, j := range judge.List(s.run.Spec) {
		if j.Kind == judge.Job {
			continue
		}
		at, err := f.of(ctx, j)
		if err != nil {
			return fmt.Errorf("read the Secrets of AnalysisRun %s/%s: %w", s.run.Namespace, s.run.Name, err)
		}
		s.reach[j.Name] = at
		if !judge.Decides(s.run.Spec, j.Name) {
			continue
		}
		if deciding++; at.why != "" {
			held = append(held, at.why)
		}
	}
	if len(held) > 0 && len(held) == deciding {
		s.obstacle = held[0]
	}
	return nil
}

// finder finds out where the metrics of one run are asked for.
type finder struct {
	options Options
	spec    v1alpha1.AnalysisRunSpec
	read    *secrets
	// servers that were found already, by provider.
	servers map[string]reach
}

// of looks once for each server, and for each metric with a web of its own.
func (f finder) of(ctx context.Context, j judge.Judged) (at reach, err error) {
	provider := analysis.ProviderOf(j.Metric)
	if provider == analysis.Web {
		return f.web(ctx, j.Metric)
	}
	at, known := f.servers[provider]
	if known {
		return at, nil
	}
	if provider == analysis.Loki {
		at.why = noLoki
		if l := f.spec.Loki; l != nil {
			at, err = f.server(ctx, "spec.loki", l.Address, l.Access)
		}
	} else {
		at.target.Address, at.why = f.options.PrometheusAddress, ""
		if p := f.spec.Prometheus; p != nil {
			at, err = f.server(ctx, "spec.prometheus", p.Address, p.Access)
		}
		if at.target.Address == "" {
			at.why = noAddress
		}
	}
	f.servers[provider] = at
	return at, err
}

// server is an address that the run names. It must be one that may be asked.
func (f finder) server(ctx context.Context, field, address string, access v1alpha1.Access) (at reach, err error) {
	at.target = analysis.Target{Address: address, AllowedHosts: f.options.AllowedHosts}
	if at.why = f.forbidden(field, address); at.why != "" {
		return at, nil
	}
	f.read.obstacle = ""
	at.target.Access, err = f.read.access(ctx, field, access)
	at.why = f.read.obstacle
	return at, err
}

// web fills a web in, with the arguments from Secrets that it uses.
func (f finder) web(ctx context.Context, m v1alpha1.Metric) (at reach, err error) {
	f.read.obstacle = ""
	contents, err := f.read.arguments(ctx, judge.SecretArgs(m, f.spec.Args))
	if err != nil || f.read.obstacle != "" {
		at.why = f.read.obstacle
		return at, err
	}
	filled, mistake := judge.FillSecret(m, judge.Arms(f.spec)[0], f.spec.Args, contents)
	if mistake != nil { // by the content of a Secret: the rest has been checked
		at.why = mistake.Error()
		return at, nil //nolint:nilerr // it is said with the metric
	}
	at, err = f.server(ctx, "spec.metrics["+m.Name+"].web", filled.Web.URL, filled.Web.Access)
	at.web = filled.Web
	for _, content := range contents {
		at.target.Access.Hidden = append(at.target.Access.Hidden, content)
	}
	if t := filled.Web.Timeout; t != nil {
		at.target.Timeout = t.Duration
	}
	return at, err
}

// forbidden says that an address may not be asked, if so. What the controller
// was started with may; what can't be read the provider complains of.
func (f finder) forbidden(field, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	if err := analysis.Allowed(f.options.AllowedHosts, u); err != nil {
		return field + ": " + err.Error()
	}
	return ""
}
