// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Query asks Prometheus for the one number that a query gives now. The second
// result is false when there is none, or more than one.
func (c *Cluster) Query(ctx context.Context, query string) (float64, bool, error) {
	cl, err := api.NewClient(api.Config{Address: c.Settings.PrometheusURL})
	if err != nil {
		return 0, false, fmt.Errorf("prometheus: %w", err)
	}
	value, _, _, err := prometheusv1.NewAPI(cl).Query(ctx, query, time.Now())
	if err != nil {
		return 0, false, fmt.Errorf("prometheus %s: %w", c.Settings.PrometheusURL, err)
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) != 1 {
		return 0, false, nil
	}
	return float64(vector[0].Value), true, nil
}

// WaitScraped waits until Prometheus has samples of a shop's pods, so that a story does not wait for it later.
func (s *Shop) WaitScraped(ctx context.Context) error {
	query := fmt.Sprintf(`count({__name__=~"http_requests_total|grpc_server_handled_total",namespace=%q})`, s.Namespace)
	return Poll(ctx, "Prometheus to scrape the shop", func(ctx context.Context) (bool, string, error) {
		n, found, err := s.Cluster.Query(ctx, query)
		return found && n > 0, fmt.Sprintf("%s: %g, found %v", query, n, found), err
	})
}
