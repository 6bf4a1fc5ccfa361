// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
)

// Query evaluates a complete query at a time. The answer is empty when no
// series matches. Equal queries for the same time, server and access are one
// request. The error names the server, the cause and the remedy.
func (p *Provider) Query(ctx context.Context, target analysis.Target, query string, at time.Time) (analysis.Answer, error) {
	s, err := p.pool.Server(target)
	if err != nil {
		return analysis.Answer{}, err
	}
	return p.once.Ask(ctx, s, query, at, instant(s, query, at))
}

// Range evaluates a query at from, from+step and so on until to. Times without
// a value are left out. The server refuses more than 11,000 steps. Partial data,
// more than one series and errors are errors, which name the server, the cause
// and the remedy.
func (p *Provider) Range(ctx context.Context, target analysis.Target, query string, r promv1.Range) ([]model.SamplePair, error) {
	s, err := p.pool.Server(target)
	if err != nil {
		return nil, err
	}
	result, err := s.Whole(ctx, request(s, func(ctx context.Context, api promv1.API) (model.Value, promv1.Warnings, error) {
		result, warnings, _, err := api.QueryRange(ctx, query, r, promv1.WithTimeout(s.Timeout()))
		return result, warnings, err
	}))
	if err != nil {
		return nil, err
	}
	return single(result)
}

// EdgesQuery asks which edges the buckets of a classic histogram have: one
// element for each, in its label le.
func EdgesQuery(histogram Selector) string {
	return fmt.Sprintf("count by (le) (%s)", histogram.suffixed("_bucket"))
}

// Edges returns the edges of a classic histogram's buckets in ascending order,
// +Inf among them; none when there is no such histogram. The error names the
// server, the cause and the remedy.
func (p *Provider) Edges(ctx context.Context, target analysis.Target, histogram Selector, at time.Time) ([]float64, error) {
	s, err := p.pool.Server(target)
	if err != nil {
		return nil, err
	}
	result, err := s.Whole(ctx, instant(s, EdgesQuery(histogram), at))
	if err != nil {
		return nil, err
	}
	vector, _ := result.(model.Vector)
	edges := make([]float64, 0, len(vector))
	for _, sample := range vector {
		edge, err := strconv.ParseFloat(string(sample.Metric[model.BucketLabel]), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s_bucket has le=%q, which is no number; select a histogram", s.Name(), histogram.name, s.Quote(string(sample.Metric[model.BucketLabel])))
		}
		edges = append(edges, edge)
	}
	slices.Sort(edges)
	return slices.Compact(edges), nil
}

// instant evaluates a query at a time.
func instant(s *endpoint.Server, query string, at time.Time) endpoint.Request {
	return request(s, func(ctx context.Context, api promv1.API) (model.Value, promv1.Warnings, error) {
		result, warnings, _, err := api.Query(ctx, query, at, promv1.WithTimeout(s.Timeout()))
		return result, warnings, err
	})
}

// request asks a server, and says in words why there is no answer, or that it may be incomplete.
func request(s *endpoint.Server, ask func(context.Context, promv1.API) (model.Value, promv1.Warnings, error)) endpoint.Request {
	return func(ctx context.Context) (model.Value, string, error) {
		client, err := api.NewClient(api.Config{Address: s.URL().String(), Client: s.Client()})
		if err != nil {
			return nil, "", s.Explain(err)
		}
		result, warnings, err := ask(ctx, promv1.NewAPI(client))
		if err != nil {
			return nil, "", explain(s, err)
		}
		if len(warnings) > 0 {
			return nil, s.Partial(strings.Join(warnings, "; ")), nil
		}
		return result, "", nil
	}
}

// single gives the values of the one series of a result, or none.
func single(result model.Value) ([]model.SamplePair, error) {
	matrix, ok := result.(model.Matrix)
	switch {
	case !ok:
		return nil, analysis.Useless("the query gives no numbers over time; write one that gives a single value at each").Err()
	case len(matrix) > 1:
		return nil, analysis.Useless("the query gives %d series where one is needed; aggregate them, such as with sum(...)", len(matrix)).Err()
	case len(matrix) == 0:
		return nil, nil
	}
	return matrix[0].Values, nil
}
