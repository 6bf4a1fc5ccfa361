// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
)

const (
	// maxAnswers is how many answers are remembered.
	maxAnswers = 4096
	// maxElements is how many elements an answer may have to be remembered.
	maxElements = 64
)

// oracle asks each question once: those who ask the same while the answer is on
// its way share it, and complete answers are remembered. That is sound because a
// question names its time: the answer does not change.
type oracle struct {
	pool    *endpoint.Pool
	flights singleflight.Group
	answers *lru.Cache
}

// question is what tells answers apart.
type question struct {
	server, query string
	at            int64
}

// answer is what a server says.
type answer struct {
	result model.Value
	// partial says, in words for the user, that the server may have left something out.
	partial string
}

func newOracle(pool *endpoint.Pool) *oracle {
	return &oracle{pool: pool, answers: lru.New(maxAnswers)}
}

// ask evaluates a query at a time. It returns promptly when ctx ends; a request
// that others may wait for goes on.
func (o *oracle) ask(ctx context.Context, target analysis.Target, query string, at time.Time) (answer, error) {
	s, err := o.pool.Server(target)
	if err != nil {
		return answer{}, err
	}
	if ctx.Err() != nil {
		return answer{}, s.Interrupted(ctx.Err())
	}
	q := question{server: s.Key(), query: query, at: at.UnixMilli()}
	flight := o.flights.DoChan(fmt.Sprintf("%s %d %s", q.server, q.at, q.query), func() (any, error) {
		if known, ok := o.answers.Get(q); ok {
			return known, nil
		}
		got, err := o.request(context.WithoutCancel(ctx), s, query, at)
		if err == nil && got.partial == "" && small(got.result) {
			o.answers.Add(q, got)
		}
		return got, err
	})
	select {
	case <-ctx.Done():
		return answer{}, s.Interrupted(ctx.Err())
	case landed := <-flight:
		got, _ := landed.Val.(answer)
		return got, landed.Err
	}
}

func (o *oracle) request(ctx context.Context, s *endpoint.Server, query string, at time.Time) (answer, error) {
	asked, cancel := context.WithTimeout(ctx, o.pool.Timeout())
	defer cancel()
	client, err := api.NewClient(api.Config{Address: s.URL().String(), Client: s.Client()})
	if err != nil {
		return answer{}, s.Explain(err)
	}
	result, warnings, _, err := promv1.NewAPI(client).Query(asked, query, at, promv1.WithTimeout(o.pool.Timeout()))
	if err != nil {
		return answer{}, explain(s, err)
	}
	got := answer{result: result}
	if len(warnings) > 0 {
		got.partial = fmt.Sprintf("%s warns that its answer may be incomplete (%s); mend the server or the query until it no longer warns",
			s.Name(), s.Quote(strings.Join(warnings, "; ")))
	}
	return got, nil
}

// small tells what is worth remembering.
func small(result model.Value) bool {
	vector, many := result.(model.Vector)
	return result.Type() == model.ValScalar || many && len(vector) <= maxElements
}
