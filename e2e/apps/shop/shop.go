// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-dev/sluice/e2e/apps/app"
	"github.com/sluice-dev/sluice/e2e/load"
)

// shop answers requests. It is safe for concurrent use.
type shop struct {
	settings  settings
	faults    *app.Faults
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	registry  *prometheus.Registry
	draining  atomic.Bool
	// quit is closed when somebody asks the shop to end by itself.
	quit chan struct{}
	once sync.Once
}

func newShop(s settings) *shop {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests answered, by status code and version.",
	}, []string{"code", "version"})
	// What OpenTelemetry's semantic conventions call it, with the buckets that they advise.
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_server_request_duration_seconds",
		Help:    "Time taken for requests.",
		Buckets: []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},
	}, []string{"http_response_status_code", "error_type"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests, durations)
	// A counter that exists from the start makes the first request a rise that rate() can see.
	requests.WithLabelValues("200", s.version)
	if s.harm.ErrorRate > 0 {
		requests.WithLabelValues("500", s.version)
	}
	return &shop{
		settings: s, faults: app.NewFaults(s.harm),
		requests: requests, durations: durations, registry: registry, quit: make(chan struct{}),
	}
}

func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.health)
	mux.Handle("/metrics", s.faults.Measured(promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})))
	mux.Handle("POST /faults", s.faults)
	mux.HandleFunc("POST /quit", func(http.ResponseWriter, *http.Request) { s.once.Do(func() { close(s.quit) }) })
	mux.HandleFunc("/", s.answer)
	return mux
}

// health is the readiness probe. A draining shop is not ready, yet answers.
func (s *shop) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(load.VersionHeader, s.settings.version)
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (s *shop) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	fault, latency := s.faults.Draw()
	code := http.StatusOK
	if fault {
		code = http.StatusInternalServerError
	}
	body, err := json.Marshal(load.Body{Service: "shop", Version: s.settings.version, OK: !fault})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !app.Sleep(r.Context(), latency) {
		return // The caller has gone; there is nobody to answer.
	}
	s.count(code, time.Since(began))
	h := w.Header()
	h.Set(load.VersionHeader, s.settings.version)
	if fault {
		h.Set(load.FaultHeader, "1")
	}
	h.Set("Content-Type", "application/json")
	if s.draining.Load() {
		// The connection ends with this answer, by agreement: closing an idle one later could cross a request.
		h.Set("Connection", "close")
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

// count says what was answered, in the metrics of the application.
func (s *shop) count(code int, took time.Duration) {
	status, kind := strconv.Itoa(code), ""
	if code >= http.StatusInternalServerError {
		kind = status
	}
	s.requests.WithLabelValues(status, s.settings.version).Inc()
	s.durations.WithLabelValues(status, kind).Observe(took.Seconds())
}
