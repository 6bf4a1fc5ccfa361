// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

// shop answers calls. It is safe for concurrent use.
type shop struct {
	version  string
	calls    *prometheus.CounterVec
	registry *prometheus.Registry
	faults   *app.Faults
}

func newShop(s serverSettings) *shop {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grpc_server_handled_total",
		Help: "Calls answered, by status code and version.",
	}, []string{"grpc_service", "grpc_method", "grpc_code", "version"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(calls)
	shop := &shop{version: s.version, calls: calls, registry: registry, faults: app.NewFaults(s.harm)}
	shop.counter(codes.OK) // A counter that exists from the start makes the first call a rise that rate() can see.
	return shop
}

func (s *shop) counter(code codes.Code) prometheus.Counter {
	return s.calls.WithLabelValues(serviceName, methodName, code.String(), s.version)
}

// answer implements the method.
func (s *shop) answer(ctx context.Context) (*wrapperspb.StringValue, error) {
	fault, latency := s.faults.Draw()
	if !app.Sleep(ctx, latency) {
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

// admin serves what is not the service itself.
func (s *shop) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.faults.Measured(promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})))
	mux.Handle("POST /faults", s.faults)
	return mux
}
