// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/sluice-dev/sluice/analysis"
)

// maxAnswers is how many answers are remembered.
const maxAnswers = 4096

// Request asks a server once. Partial says, in words, that the result may lack something.
type Request func(context.Context) (result model.Value, partial string, err error)

// Once asks each question once: those who ask the same while the answer is on
// its way share it, and answers are remembered. That is sound because a question
// names its time, so that its answer does not change. Use [NewOnce].
type Once struct {
	flights singleflight.Group
	answers *lru.Cache
}

// question is what tells answers apart.
type question struct {
	server, query string
	at            int64
}

// NewOnce returns a memory of a bounded number of answers.
func NewOnce() *Once { return &Once{answers: lru.New(maxAnswers)} }

// Ask returns the number that request gives for a query to a server at a time. An
// answer with a message, or an error, is not remembered: the question is asked anew.
// It returns promptly when ctx ends; a request that others may wait for goes on.
func (o *Once) Ask(ctx context.Context, s *Server, query string, at time.Time, request Request) (analysis.Answer, error) {
	if ctx.Err() != nil {
		return analysis.Answer{}, s.Interrupted(ctx.Err())
	}
	q := question{server: s.Key(), query: query, at: at.UnixMilli()}
	flight := o.flights.DoChan(fmt.Sprintf("%s %d %s", q.server, q.at, q.query), func() (any, error) {
		if known, ok := o.answers.Get(q); ok {
			return known, nil
		}
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		result, partial, err := request(asking)
		switch {
		case err != nil:
			return analysis.Answer{}, err
		case partial != "":
			return analysis.Answer{Message: partial, Partial: true}, nil
		}
		got := Number(result)
		if got.Message == "" {
			o.answers.Add(q, got)
		}
		return got, nil
	})
	select {
	case <-ctx.Done():
		return analysis.Answer{}, s.Interrupted(ctx.Err())
	case landed := <-flight:
		got, _ := landed.Val.(analysis.Answer)
		return got, landed.Err
	}
}

// Whole asks a server once, for no longer than a request may take. What may lack
// something is an error, and so is an end of ctx.
func (s *Server) Whole(ctx context.Context, request Request) (model.Value, error) {
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, partial, err := request(asking)
	switch {
	case ctx.Err() != nil:
		return nil, s.Interrupted(ctx.Err())
	case err != nil:
		return nil, err
	case partial != "":
		return nil, errors.New(partial)
	}
	return result, nil
}
