// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prometheus takes measurements from servers that speak the HTTP API
// of Prometheus, such as Thanos, Mimir and VictoriaMetrics do too.
//
// A query is evaluated at an explicit time, so asking again gives the same
// answer. Only one finite number is a value. Whatever a server may have left
// out, it says in warnings: an answer with warnings has no value.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// defaultTimeout bounds one request.
	defaultTimeout = 10 * time.Second
	// maxAnswer bounds the answer to one request in bytes; one number needs a few hundred.
	maxAnswer = 1 << 20
	// maxConnections bounds the connections to one server.
	maxConnections = 16
)

// Options for New.
type Options struct {
	// Timeout of one request. Default 10s.
	Timeout time.Duration
}

// Provider asks Prometheus servers. Use [New].
type Provider struct {
	client  *http.Client
	timeout time.Duration
}

var _ analysis.Provider = (*Provider)(nil)

// New returns a provider for any number of servers. It keeps a bounded number
// of connections to each and closes idle ones.
func New(o Options) *Provider {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       maxConnections,
		MaxIdleConns:          4 * maxConnections,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   o.Timeout,
		ExpectContinueTimeout: time.Second,
	}
	return &Provider{client: &http.Client{Transport: bounded{transport}}, timeout: o.Timeout}
}

// Entry makes a new provider known as [analysis.Prometheus].
func Entry(o Options) analysis.Entry {
	return analysis.Entry{Name: analysis.Prometheus, Provider: New(o)}
}

// Measure implements [analysis.Provider] for threshold metrics.
func (p *Provider) Measure(ctx context.Context, target analysis.Target, m v1alpha1.Metric, at time.Time) (v1alpha1.Measurement, error) {
	if m.Threshold == nil {
		return v1alpha1.Measurement{}, fmt.Errorf("metric %q: has no query for Prometheus; set threshold", m.Name)
	}
	s, err := serverAt(target)
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	client, err := api.NewClient(api.Config{Address: target.Address, Client: p.client})
	if err != nil {
		return v1alpha1.Measurement{}, errAddress
	}
	asked, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	result, warnings, _, err := promv1.NewAPI(client).Query(asked, m.Threshold.Query, at, promv1.WithTimeout(p.timeout))
	if err != nil {
		if ctx.Err() != nil {
			return v1alpha1.Measurement{}, fmt.Errorf("%s was not waited for: %w", s.name, ctx.Err())
		}
		return v1alpha1.Measurement{}, s.explain(err, p.timeout)
	}
	x := v1alpha1.Measurement{At: metav1.NewTime(at)}
	x.Value, x.Message = read(result)
	if len(warnings) > 0 {
		x.Value = ""
		x.Message = fmt.Sprintf("%s warns that its answer may be incomplete (%s); mend the server or the query until it no longer warns",
			s.name, s.quote(strings.Join(warnings, "; ")))
	}
	return x, nil
}

// read gives the one finite number of a result, or says why there is none and what to do.
func read(result model.Value) (value, message string) {
	var v model.SampleValue
	switch r := result.(type) {
	case *model.Scalar:
		v = r.Value
	case model.Vector:
		switch {
		case len(r) == 0:
			return "", "the query gives nothing: no series matches; check its selectors, and whether the canary is scraped and has traffic"
		case len(r) > 1:
			return "", fmt.Sprintf("the query gives %d values where one is needed; aggregate them, such as with sum(...)", len(r))
		case r[0].Histogram != nil:
			return "", "the query gives a histogram where a number is needed; use histogram_quantile or histogram_fraction"
		}
		v = r[0].Value
	default:
		return "", "the query gives no number; write one that gives a single value, such as sum(rate(...[1m]))"
	}
	f := float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", fmt.Sprintf("the query gives %s, as a division by zero does; write it so that it gives a number without traffic too, or nothing", v)
	}
	return strconv.FormatFloat(f, 'g', -1, 64), ""
}

// bounded limits the size of answers.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	return answer, nil
}

var errAddress = errors.New("the address of Prometheus is not an http or https URL; write it such as http://prometheus.monitoring:9090")

// serverAt reads the address of a target. The error does not repeat it, for it may hold a password.
func serverAt(target analysis.Target) (server, error) {
	u, err := url.Parse(target.Address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return server{}, errAddress
	}
	s := server{secrets: secretsOf(u.User)}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	s.name = "Prometheus at " + u.String()
	return s, nil
}
