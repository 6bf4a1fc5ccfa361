// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package web takes measurements from any API that answers over HTTP in JSON:
// one request, one number at a path within the answer.
//
// Such an API knows no time, so an answer is what it says now. Nothing is
// remembered and nothing followed to another address.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Options for New.
type Options struct {
	// Timeout of one request that sets none. Default 10s.
	Timeout time.Duration
}

// Provider asks APIs over HTTP. Use [New].
type Provider struct {
	pool *endpoint.Pool
}

var (
	_ analysis.Provider = (*Provider)(nil)
	_ analysis.Checker  = (*Provider)(nil)
)

// New returns a provider for any number of APIs. It keeps a bounded number of
// connections to each and closes idle ones.
func New(o Options) *Provider {
	kind := endpoint.Kind{
		Title: "API", Field: "web", Example: "https://quality.example.com/v1/score",
		Smaller: "ask for less, such as with a parameter of web.url",
	}
	return &Provider{pool: endpoint.NewPool(kind, endpoint.Options{Timeout: o.Timeout})}
}

// Entry makes a new provider known as [analysis.Web].
func Entry(o Options) analysis.Entry {
	return analysis.Entry{Name: analysis.Web, Provider: New(o)}
}

// CheckMetric implements [analysis.Checker].
func (p *Provider) CheckMetric(m v1alpha1.Metric) error {
	if m.Web == nil {
		return errors.New("has no web; set web.url and web.jsonPath")
	}
	_, err := parse(m.Web.JSONPath)
	return err
}

// Measure implements [analysis.Provider] for metrics with web. The address of
// the target is the whole URL.
func (p *Provider) Measure(ctx context.Context, target analysis.Target, m v1alpha1.Metric, at time.Time) (v1alpha1.Measurement, error) {
	if err := p.CheckMetric(m); err != nil {
		return v1alpha1.Measurement{}, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	got, err := p.Ask(ctx, target, *m.Web)
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	return got.Measurement(at, fmt.Sprintf("the answer has nothing at %s; correct web.jsonPath, or have the API give a number there", m.Web.JSONPath)), nil
}

// Ask sends one request. The answer is empty when there is nothing at the path.
// The error names the API, the cause and the remedy.
func (p *Provider) Ask(ctx context.Context, target analysis.Target, w v1alpha1.Web) (analysis.Answer, error) {
	path, err := parse(w.JSONPath)
	if err != nil {
		return analysis.Answer{}, err
	}
	s, err := p.pool.Server(target)
	if err != nil {
		return analysis.Answer{}, err
	}
	asking, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	body, err := send(asking, s, w)
	switch {
	case ctx.Err() != nil:
		return analysis.Answer{}, s.Interrupted(ctx.Err())
	case err != nil:
		return analysis.Answer{}, err
	}
	var answer any
	if err := json.Unmarshal(body, &answer); err != nil {
		return analysis.Answer{}, fmt.Errorf("%s answers what is no JSON (%s); check web.url", s.Name(), s.Quote(err.Error()))
	}
	found, err := path.FindResults(answer)
	if err != nil {
		return analysis.Useless("web.jsonPath %s can't be followed in the answer (%s); correct it", w.JSONPath, s.Quote(err.Error())), nil
	}
	return number(s, found), nil
}

// send gives the body of a successful answer.
func send(ctx context.Context, s *endpoint.Server, w v1alpha1.Web) ([]byte, error) {
	method := http.MethodGet
	if w.Method != "" {
		method = string(w.Method)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.URL().String(), strings.NewReader(w.Body))
	if err != nil {
		return nil, s.Explain(err)
	}
	r.Header.Set("Accept", "application/json")
	if w.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		return nil, s.Explain(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, s.Explain(err)
	}
	if answer.StatusCode/100 != 2 {
		return nil, refused(s, answer.StatusCode, string(body))
	}
	return body, nil
}

// refused says that an API has no answer for us.
func refused(s *endpoint.Server, status int, words string) error {
	why := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if words = s.Quote(words); words != "" {
		why += ": " + words
	}
	if status == http.StatusTooManyRequests {
		return fmt.Errorf("%s is asked too often (%s); allow more there, or ask less often with a longer block", s.Name(), why)
	}
	if status/100 == 4 {
		return fmt.Errorf("%s refuses the request (%s); correct web.url, web.method, web.headers or web.body", s.Name(), why)
	}
	return fmt.Errorf("%s fails to answer (%s)", s.Name(), why)
}

// number gives the one number of what was found at a path.
func number(s *endpoint.Server, found [][]reflect.Value) analysis.Answer {
	var values []reflect.Value
	for _, some := range found {
		values = append(values, some...)
	}
	if len(values) == 1 && values[0].IsValid() && values[0].CanInterface() {
		if list, ok := values[0].Interface().([]any); ok {
			return ofList(s, list)
		}
		return ofValue(s, values[0].Interface())
	}
	if len(values) > 1 {
		return several(len(values))
	}
	return analysis.Answer{}
}

func ofList(s *endpoint.Server, list []any) analysis.Answer {
	switch len(list) {
	case 0:
		return analysis.Answer{}
	case 1:
		return ofValue(s, list[0])
	}
	return several(len(list))
}

func several(n int) analysis.Answer {
	return analysis.Useless("web.jsonPath finds %d values where one is needed; write one that finds one, such as {.items[0].score}", n)
}

// ofValue reads a number, one written as a string, or a boolean.
func ofValue(s *endpoint.Server, v any) analysis.Answer {
	switch v := v.(type) {
	case nil:
		return analysis.Answer{}
	case float64:
		return analysis.Number(v)
	case bool:
		if v {
			return analysis.Number(1)
		}
		return analysis.Number(0)
	case string:
		if f, ok := decimal(v); ok {
			return analysis.Number(f)
		}
		return analysis.Useless("web.jsonPath finds %q where a number is needed; correct it", s.Quote(v))
	}
	return analysis.Useless("web.jsonPath finds an object where a number is needed; write the path on to the number, such as {.data.score}")
}
