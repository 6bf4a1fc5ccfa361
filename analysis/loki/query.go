// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package loki

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
)

// Query evaluates a complete metric query at a time. The answer is empty when no
// line matches. Equal queries for the same time, server and access are one
// request. The error names the server, the cause and the remedy.
func (p *Provider) Query(ctx context.Context, target analysis.Target, query string, at time.Time) (analysis.Answer, error) {
	s, err := p.pool.Server(target)
	if err != nil {
		return analysis.Answer{}, err
	}
	return p.once.Ask(ctx, s, query, at, request(s, "query", url.Values{"query": {query}, "time": {nanoseconds(at)}}))
}

// span is a time, looked at step by step.
type span struct {
	from, to time.Time
	step     time.Duration
}

// over evaluates a metric query at from, from+step and so on until to. Times
// without a value are left out. Partial data and several series are errors.
func (p *Provider) over(ctx context.Context, target analysis.Target, query string, o span) ([]model.SamplePair, error) {
	s, err := p.pool.Server(target)
	if err != nil {
		return nil, err
	}
	value, err := s.Whole(ctx, request(s, "query_range", url.Values{
		"query": {query}, "start": {nanoseconds(o.from)}, "end": {nanoseconds(o.to)}, "step": {strconv.FormatFloat(o.step.Seconds(), 'f', -1, 64)},
	}))
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok || len(matrix) > 1 {
		return nil, fmt.Errorf("%s gives something else than one series over time; check the log queries of total and bad", s.Name())
	}
	if len(matrix) == 0 {
		return nil, nil
	}
	return matrix[0].Values, nil
}

// result is what a server says to a query.
type result struct {
	Kind   string          `json:"resultType"`
	Result json.RawMessage `json:"result"`
}

// value reads a result.
func (r result) value(s *endpoint.Server) (model.Value, error) {
	var value model.Value
	var err error
	switch r.Kind {
	case "vector":
		var v model.Vector
		err = json.Unmarshal(r.Result, &v)
		value = v
	case "matrix":
		var v model.Matrix
		err = json.Unmarshal(r.Result, &v)
		value = v
	case "scalar":
		v := &model.Scalar{}
		err = json.Unmarshal(r.Result, v)
		value = v
	case "streams":
		return endpoint.Lines{}, nil
	default:
		return nil, fmt.Errorf("%s answers with a result of type %q, which is none of LogQL; check the address", s.Name(), s.Quote(r.Kind))
	}
	if err != nil {
		return nil, fmt.Errorf("%s answers what can't be read (%s); check the address", s.Name(), s.Quote(err.Error()))
	}
	return value, nil
}

// request asks a server, and says in words why there is no answer, or that it may be incomplete.
func request(s *endpoint.Server, call string, parameters url.Values) endpoint.Request {
	return func(ctx context.Context) (model.Value, string, error) {
		text, err := get(ctx, s, call, parameters)
		if err != nil {
			return nil, "", err
		}
		var body struct {
			Status   string   `json:"status"`
			Warnings []string `json:"warnings"`
			Data     result   `json:"data"`
		}
		if err := json.Unmarshal(text, &body); err != nil || body.Status != "success" {
			return nil, "", fmt.Errorf("%s answers what is no answer of Loki; check the address, and the path before /loki/api", s.Name())
		}
		if len(body.Warnings) > 0 {
			return nil, s.Partial(strings.Join(body.Warnings, "; ")), nil
		}
		value, err := body.Data.value(s)
		return value, "", err
	}
}

// get gives the text that a server answers a call with.
func get(ctx context.Context, s *endpoint.Server, call string, parameters url.Values) ([]byte, error) {
	u := s.URL().JoinPath("loki", "api", "v1", call)
	u.RawQuery = parameters.Encode()
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, s.Explain(err)
	}
	asked.Header.Set("Accept", "application/json")
	answer, err := s.Client().Do(asked)
	if err != nil {
		return nil, s.Explain(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, s.Explain(err)
	}
	if answer.StatusCode/100 != 2 {
		return nil, refused(s, answer.StatusCode, string(text))
	}
	return text, nil
}

// refused says that a server has no answer for us.
func refused(s *endpoint.Server, status int, words string) error {
	text := s.Quote(words)
	switch {
	case status == http.StatusBadRequest:
		return fmt.Errorf("%s refuses the query (%s); correct the metric's LogQL", s.Name(), text)
	case status == http.StatusTooManyRequests, status == http.StatusGatewayTimeout:
		return fmt.Errorf("%s gave up on the query (%d %s: %s); make it cheaper, such as with fewer streams", s.Name(), status, http.StatusText(status), text)
	case status/100 == 4:
		return fmt.Errorf("%s refuses the request (%d %s: %s); check the address and who may ask", s.Name(), status, http.StatusText(status), text)
	}
	return fmt.Errorf("%s fails to answer (%d %s: %s)", s.Name(), status, http.StatusText(status), text)
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
