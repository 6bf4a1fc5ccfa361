// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"net"
	"strconv"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// monitoring is Prometheus, a process of the node, with a Service before it.
type monitoring struct{ site }

func (m monitoring) unit() unit {
	return unit{
		callers:   map[string]controlplane.User{"prometheus": {Name: "prometheus"}},
		configs:   map[string]string{"prometheus.yml": m.at.path("prometheus.yml")},
		manifests: []string{"monitoring.yaml"},
		parts: []part{{
			name: "prometheus", stage: afterFirst, ready: m.net.answers(PrometheusURL + "/-/ready"),
			argv: func(in inputs) []string { return in.tool("prometheus", m.flags()) },
		}},
	}
}

func (m monitoring) flags() controlplane.Flags {
	return controlplane.Flags{
		"config.file":                 m.at.path("prometheus.yml"),
		"storage.tsdb.path":           m.at.path("prometheus"),
		"storage.tsdb.retention.time": "6h",
		"web.listen-address":          net.JoinHostPort(nodeAddress, strconv.Itoa(prometheusPort)),
		"log.level":                   "warn",
	}
}
