// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// shop answers calls. It is safe for concurrent use.
type shop struct {
	version  string
	calls    *prometheus.CounterVec
	registry *prometheus.Registry

	mu        sync.Mutex
	errorRate float64
	latency   time.Duration
}

func newShop(s serverSettings) *shop {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grpc_server_handled_total",
		Help: "Calls answered, by status code and version.",
	}, []string{"grpc_service", "grpc_method", "grpc_code", "version"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(calls)
	app := &shop{version: s.version, calls: calls, registry: registry, errorRate: s.errorRate, latency: s.latency}
	app.counter(codes.OK) // A counter that exists from the start makes the first call a rise that rate() can see.
	return app
}

func (s *shop) counter(code codes.Code) prometheus.Counter {
	return s.calls.WithLabelValues(serviceName, methodName, code.String(), s.version)
}

// answer implements the method.
func (s *shop) answer(ctx context.Context) (*wrapperspb.StringValue, error) {
	fault, latency := s.draw()
	if !sleep(ctx, latency) {
		return nil, status.FromContextError(ctx.Err()).Err() // The caller has gone.
	}
	if err := grpc.SetHeader(ctx, metadata.Pairs(versionKey, s.version)); err != nil {
		return nil, err
	}
	if fault {
		s.counter(codes.Internal).Inc()
		if err := grpc.SetTrailer(ctx, metadata.Pairs(faultKey, "1", versionKey, s.version)); err != nil {
			return nil, err
		}
		return nil, status.Error(codes.Internal, "failed on purpose")
	}
	s.counter(codes.OK).Inc()
	return wrapperspb.String(s.version), nil
}

// draw says what happens to one call.
func (s *shop) draw() (fault bool, latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rand.Float64() < s.errorRate, s.latency
}

// admin serves what is not the service itself.
func (s *shop) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /faults", s.change)
	return mux
}

// change takes POST /faults?error-rate=0.1&latency=80ms; what is not named stays.
func (s *shop) change(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rate, latency := s.errorRate, s.latency
	var err error
	if text := r.FormValue("error-rate"); text != "" {
		if rate, err = strconv.ParseFloat(text, 64); err == nil {
			err = checkRate(rate)
		}
	}
	if text := r.FormValue("latency"); text != "" && err == nil {
		latency, err = time.ParseDuration(text)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("faults stay as they are: %s", err), http.StatusBadRequest)
		return
	}
	s.errorRate, s.latency = rate, latency
}

// sleep waits, and reports whether the whole time has passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
