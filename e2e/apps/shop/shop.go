// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-dev/sluice/e2e/load"
)

// shop answers requests. It is safe for concurrent use.
type shop struct {
	settings settings
	requests *prometheus.CounterVec
	registry *prometheus.Registry
	draining atomic.Bool
}

func newShop(s settings) *shop {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests answered, by status code and version.",
	}, []string{"code", "version"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests)
	// A counter that exists from the start makes the first request a rise that rate() can see.
	requests.WithLabelValues("200", s.version)
	if s.errorRate > 0 {
		requests.WithLabelValues("500", s.version)
	}
	return &shop{settings: s, requests: requests, registry: registry}
}

func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.health)
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
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
	code := http.StatusOK
	if rand.Float64() < s.settings.errorRate {
		code = http.StatusInternalServerError
	}
	body, err := json.Marshal(load.Body{Service: "shop", Version: s.settings.version, OK: code == http.StatusOK})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !sleep(r.Context(), s.settings.latency) {
		return // The caller has gone; there is nobody to answer.
	}
	s.requests.WithLabelValues(strconv.Itoa(code), s.settings.version).Inc()
	h := w.Header()
	h.Set(load.VersionHeader, s.settings.version)
	if code != http.StatusOK {
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
