// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"net"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// gateway is Traefik as the Gateway API data plane.
type gateway struct{ site }

func (g gateway) unit() unit {
	user := controlplane.User{Name: "traefik"}
	return unit{
		callers:   map[string]controlplane.User{"traefik": user},
		manifests: []string{"gateway.yaml"},
		parts: []part{{
			name: "traefik", stage: afterManifests, ready: g.net.answers(traefikMetricsURL + "/ping"),
			argv: func(in inputs) []string {
				return in.tool("traefik", traefikFlags(in.settings, in.settings.Credentials.Token(user)))
			},
		}},
		checks: []check{{what: "gateway", ready: g.programmed}},
	}
}

// traefikFlags make Traefik a Gateway API data plane and nothing else. It takes
// over changes faster than by default (2 s), which keeps the stories short.
func traefikFlags(s controlplane.Settings, token string) controlplane.Flags {
	listen := func(port int) string { return net.JoinHostPort(nodeAddress, strconv.Itoa(port)) }
	return controlplane.Flags{
		"global.checknewversion":               "false",
		"global.sendanonymoususage":            "false",
		"entrypoints.web.address":              listen(gatewayPort),
		"entrypoints.tcp.address":              listen(tcpPort),
		"entrypoints.tls.address":              listen(tlsPort),
		"entrypoints.metrics.address":          listen(traefikPort),
		"ping.entrypoint":                      "metrics",
		"metrics.prometheus.entrypoint":        "metrics",
		"metrics.prometheus.addserviceslabels": "true",
		"metrics.prometheus.addrouterslabels":  "true",
		"providers.providersthrottleduration":  "200ms",
		"providers.kubernetesgateway":          "true",
		// TCPRoute and TLSRoute, which this version knows as v1alpha2 only.
		"providers.kubernetesgateway.experimentalchannel": "true",
		"providers.kubernetesgateway.endpoint":            s.Server(),
		"providers.kubernetesgateway.token":               token,
		"providers.kubernetesgateway.certauthfilepath":    s.Credentials.CA(),
		"providers.kubernetesgateway.statusaddress.ip":    nodeAddress,
		"log.level": "INFO",
	}
}

var gateways = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}

// programmed tells whether Traefik has taken over the Gateways and listens.
func (g gateway) programmed(ctx context.Context) error {
	config, err := g.api.config()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	for _, name := range []string{"gateway", "streams"} {
		object, err := client.Resource(gateways).Namespace("gateway-system").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading the gateway %s: %w", name, err)
		}
		if !isProgrammed(object) {
			return fmt.Errorf("the gateway %s is not programmed yet", name)
		}
	}
	return nil
}

func isProgrammed(object *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if ok && condition["type"] == "Programmed" && condition["status"] == "True" {
			return true
		}
	}
	return false
}
