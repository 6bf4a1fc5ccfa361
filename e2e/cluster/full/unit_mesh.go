// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"net"
	"strconv"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// mesh is Istio's control plane, a process of the node. Its data plane are
// programs that speak xDS themselves: there is no Envoy here.
type mesh struct{ site }

func (m mesh) unit() unit {
	const name = "istiod"
	return unit{
		callers:   map[string]controlplane.User{name: {Name: name}},
		manifests: []string{"mesh.yaml"},
		parts: []part{{
			name: name, stage: afterManifests, ready: m.net.answers(IstiodDebugURL + "/ready"),
			argv: func(in inputs) []string {
				env := append([]string{"env"}, istiodEnvironment()...)
				serve := append([]string{in.tools[name], "discovery"}, m.flags(m.at.kubeconfig(name)).Args()...)
				return append(env, serve...)
			},
		}},
	}
}

// flags turn off what a mesh without sidecars has no use for: secured xDS with
// its certificates, and webhooks.
func (m mesh) flags(kubeconfig string) controlplane.Flags {
	listen := func(port int) string { return net.JoinHostPort(nodeAddress, strconv.Itoa(port)) }
	return controlplane.Flags{
		"kubeconfig":       kubeconfig,
		"grpcAddr":         listen(istiodPort),
		"httpAddr":         net.JoinHostPort("127.0.0.1", strconv.Itoa(istiodHTTPPort)), // It answers questions about itself to the node alone.
		"httpsAddr":        "",
		"secureGRPCAddr":   "",
		"monitoringAddr":   "",
		"meshConfig":       "/dev/null",
		"networksConfig":   "/dev/null",
		"ctrlz_port":       "0",
		"shutdownDuration": "1s",
	}
}

// istiodEnvironment is what istiod takes from its environment: who it is, and
// that it makes neither certificates nor gateways.
func istiodEnvironment() []string {
	return []string{
		"POD_NAME=istiod", "POD_NAMESPACE=istio-system", "CLUSTER_ID=Kubernetes",
		"ENABLE_CA_SERVER=false", "PILOT_CERT_PROVIDER=none",
		"INJECTION_WEBHOOK_CONFIG_NAME=", "VALIDATION_WEBHOOK_CONFIG_NAME=",
		"PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false", "PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER=false",
	}
}
