// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/sluice-dev/sluice/analysis/prometheus"
)

// none is what a query without an answer gives.
const none = "none"

// history is a real engine over samples.
type history struct {
	engine  *promql.Engine
	storage *teststorage.TestStorage
}

// load fills a history with samples, written as promqltest does: "load 15s" and one series a line.
func load(t *testing.T, samples string) history {
	t.Helper()
	return history{
		engine:  promqltest.NewTestEngine(t, false, 0, 1_000_000),
		storage: promqltest.LoadedStorage(t, samples),
	}
}

// ask evaluates a query at a time since the start of the history. The answer is
// one number, none, or a list of numbers.
func (h history) ask(t *testing.T, query string, at time.Duration) string {
	t.Helper()
	var values []string
	for _, sample := range h.vector(t, query, at) {
		values = append(values, strconv.FormatFloat(sample.F, 'g', 10, 64))
	}
	if len(values) == 0 {
		return none
	}
	return strings.Join(values, " ")
}

// labels evaluates a query and gives the values of a label of its answer, sorted.
func (h history) labels(t *testing.T, query, name string, at time.Duration) string {
	t.Helper()
	var values []string
	for _, sample := range h.vector(t, query, at) {
		values = append(values, sample.Metric.Get(name))
	}
	slices.Sort(values)
	return strings.Join(values, " ")
}

func (h history) vector(t *testing.T, query string, at time.Duration) promql.Vector {
	t.Helper()
	q, err := h.engine.NewInstantQuery(t.Context(), h.storage, nil, query, time.Unix(0, 0).Add(at))
	if err != nil {
		t.Fatalf("query %s: %v", query, err)
	}
	defer q.Close()
	result := q.Exec(t.Context())
	if result.Err != nil {
		t.Fatalf("query %s: %v", query, result.Err)
	}
	if len(result.Warnings.AsErrors()) > 0 {
		t.Errorf("query %s: warns: %v", query, result.Warnings.AsErrors())
	}
	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("query %s: %v", query, err)
	}
	return slices.Clone(vector)
}

// blocks asks the same of consecutive blocks, the first of which ends at a time.
func (h history) blocks(t *testing.T, query string, first, block time.Duration, n int) string {
	t.Helper()
	var got []string
	for k := range n {
		got = append(got, h.ask(t, query, first+time.Duration(k)*block))
	}
	return strings.Join(got, ", ")
}

func selector(t *testing.T, text string) prometheus.Selector {
	t.Helper()
	s, err := prometheus.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// add appends samples at every 15s to one series whose labels promqltest's notation can't hold.
func (h history) add(t *testing.T, name string, of map[string]string, values ...float64) {
	t.Helper()
	of["__name__"] = name
	appender := h.storage.Appender(t.Context())
	for i, v := range values {
		if _, err := appender.Append(0, labels.FromMap(of), int64(i)*15_000, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
}
