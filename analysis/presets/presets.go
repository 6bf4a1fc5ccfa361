// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package presets knows how the common data planes measure a service: what
// their metrics are called, what a failure is, and which labels tell stable from
// canary. It turns objectives into metrics.
//
// Label values come from the Rollout's own objects and are quoted; a user
// types none. The package is pure: it asks no server and knows no cluster.
// docs/presets.md says which preset was run against what.
package presets

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Objective is what a service promises.
type Objective struct {
	// Name of the metric, unique among the objectives, such as latency-p99.
	Name string
	// Good is the share of requests that must be good, such as 0.999.
	Good float64
	// Within makes it an objective of latency: a good request takes no longer. 0 makes it one of availability.
	Within time.Duration
}

// Arm is one of the two sides that are compared, by the names of its objects.
type Arm struct {
	// Service that has the arm's pods.
	Service string
	// Workload is the ReplicaSet, whose name begins the names of its pods.
	Workload string
	// Revision is the value of the pods' label sluice.dev/revision.
	Revision string
	// Backends are where route objects refer to the Service.
	Backends []Backend
}

// Backend is the place of a reference to a Service in a route object.
type Backend struct {
	// Kind and Name of the route, such as HTTPRoute and checkout.
	Kind, Name string
	// Rule and Index count from 0 in the order of the object.
	Rule, Index int
}

// Subject is what is measured.
type Subject struct {
	// Namespace of all objects.
	Namespace string
	// Service that callers use.
	Service string
	// Stable is the zero Arm when there is nothing to compare with.
	Canary, Stable Arm
	// OneService says that both arms have the same Service, as with subsets of a
	// DestinationRule, and are told apart by their pods.
	OneService bool
	// GRPC says that the routes are those of gRPC.
	GRPC bool
}

// Metric is one objective, with the series to judge it by.
type Metric struct {
	// Objective that is judged.
	Objective
	// Bound is Objective.Within in the unit of the histogram.
	Bound float64
	// Canary and Stable are the series of either arm. Stable is zero if the subject has none.
	Canary, Stable Series
	// Present selects series whose presence tells that a target was scraped.
	Present string
	// TargetLabels tell one scraped target from another.
	TargetLabels []string
}

// Series are selectors in PromQL.
type Series struct {
	// Total and Bad select counters: all requests, and those that failed.
	Total, Bad string
	// Histogram selects the durations of requests by the histogram's name, without _bucket or _count.
	Histogram string
}

// Names lists the presets there are.
func Names() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// Metrics returns a metric for each objective, in their order. The error names
// the preset, what is missing and where it is set.
func Metrics(name string, of Subject, objectives []Objective) ([]Metric, error) {
	all := presets()
	i := slices.IndexFunc(all, func(p preset) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("preset %q: there is none of that name; use one of %s", name, strings.Join(Names(), ", "))
	}
	p := all[i]
	if err := p.needs.check(of); err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	canary, stable := p.series(of, of.Canary), Series{}
	if of.stableExists() {
		stable = p.series(of, of.Stable)
	}
	var metrics []Metric
	for _, o := range objectives {
		m := Metric{Objective: o, Canary: canary, Stable: stable, Present: p.present(of), TargetLabels: p.targets}
		if o.Within > 0 {
			m.Bound = float64(o.Within) / float64(p.unit)
		}
		metrics = append(metrics, m)
	}
	return metrics, nil
}

// preset is what is known of one data plane.
type preset struct {
	name string
	// total is the counter of requests, or the _count of the histogram.
	total string
	// bad is what a failed request carries.
	bad func(Subject) matcher
	// histogram of durations, and the unit it is in.
	histogram string
	unit      time.Duration
	// targets are the labels that tell scraped targets apart.
	targets []string
	needs   needs
	// labels tell an arm's series from all others.
	labels func(Subject, Arm) []matcher
	// both are the labels of either arm's series.
	both func(Subject) []matcher
}

func (p preset) series(of Subject, a Arm) Series {
	labels := p.labels(of, a)
	return Series{
		Total:     selector(p.total, labels...),
		Bad:       selector(p.total, append(slices.Clone(labels), p.bad(of))...),
		Histogram: selector(p.histogram, labels...),
	}
}

func (p preset) present(of Subject) string { return selector(p.total, p.both(of)...) }

// needs is what a preset can't do without.
type needs struct {
	services, workloads, revisions, service bool
}

func (n needs) check(of Subject) error {
	for _, a := range of.arms() {
		if err := n.checkArm(of, a); err != nil {
			return err
		}
	}
	if n.service && of.Service == "" {
		return errors.New("it needs to know the Service that callers use; set canary.service")
	}
	return nil
}

func (n needs) checkArm(of Subject, a Arm) error {
	byService := n.services && !of.OneService
	byWorkload := n.workloads || n.services && of.OneService
	switch {
	case byService && a.Service == "":
		return errors.New("it tells stable and canary apart by their Services; set canary.service, or canary.stableService and canary.canaryService")
	case byWorkload && a.Workload == "", n.revisions && a.Revision == "":
		return errors.New("it tells stable and canary apart by their pods, and the revision has none yet")
	}
	return nil
}

func (of Subject) stableExists() bool {
	return of.Stable.Service != "" || of.Stable.Workload != "" || of.Stable.Revision != ""
}

// arms are those there are.
func (of Subject) arms() []Arm {
	if of.stableExists() {
		return []Arm{of.Canary, of.Stable}
	}
	return []Arm{of.Canary}
}

// matcher is one condition of a selector.
type matcher struct {
	label, operator, value string
}

func equal(label, value string) matcher     { return matcher{label, "=", value} }
func unequal(label, value string) matcher   { return matcher{label, "!=", value} }
func match(label, pattern string) matcher   { return matcher{label, "=~", pattern} }
func unmatch(label, pattern string) matcher { return matcher{label, "!~", pattern} }

// selector writes a selector. Values are data: their quotes end no string.
func selector(name string, ms ...matcher) string {
	var all []string
	for _, m := range ms {
		all = append(all, m.label+m.operator+strconv.Quote(m.value))
	}
	return name + "{" + strings.Join(all, ",") + "}"
}
