// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// tlsPort is where the shop's containers speak TLS, adminPort where those that speak gRPC show their metrics.
const (
	adminPort = 8081
	tlsPort   = 8443
)

// Dialect is what shops differ in: how callers speak to them, and by which kind of route.
type Dialect struct {
	// Kind of the route.
	Kind string
	// ErrorShare is the query for the share of a canary's answers that are errors.
	ErrorShare string

	image       string
	appProtocol *string // of the Services' port
	target      int32   // port of the containers
	section     string  // listener of the Gateway for connections; empty for the one for requests
	hostless    bool    // the route has no host names
}

// HTTP is spoken through an HTTPRoute.
func HTTP() Dialect {
	return Dialect{Kind: "HTTPRoute", ErrorShare: ErrorShare, image: "shop:dev", target: port}
}

// GRPC is spoken through a GRPCRoute, without TLS.
func GRPC() Dialect {
	return Dialect{
		Kind: "GRPCRoute", ErrorShare: errorShare("grpc_server_handled_total", `grpc_code!="OK"`),
		image: "grpcshop:dev", appProtocol: ptr.To("kubernetes.io/h2c"), target: port,
	}
}

// TCP is HTTP through a TCPRoute: the gateway decides for each connection.
func TCP() Dialect {
	d := HTTP()
	d.Kind, d.section, d.hostless = "TCPRoute", "tcp", true
	return d
}

// TLS is HTTPS through a TLSRoute: the gateway sees nothing but the name that a connection asks for.
func TLS() Dialect {
	d := HTTP()
	d.Kind, d.section, d.target = "TLSRoute", "tls", tlsPort
	return d
}

// errorShare is the query for the share of a counter that has a label of errors. None counts as 0, no traffic as nothing.
func errorShare(counter, label string) string {
	const of = `{namespace="$(namespace)",revision="$(canary)"`
	return fmt.Sprintf(`(sum(rate(%s%s,%s}[10s])) or vector(0)) / sum(rate(%s%s}[10s]))`, counter, of, label, counter, of)
}

// port of the Services of a shop.
func (d Dialect) port() corev1.ServicePort {
	return corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromInt32(d.target), AppProtocol: d.appProtocol}
}

// route leads from a Gateway to the Services of a namespace, by a host where the kind knows such.
func (d Dialect) route(set Settings, namespace, host string) *unstructured.Unstructured {
	backend := func(service string, weight int64) any {
		return map[string]any{"name": service, "port": int64(80), "weight": weight}
	}
	parent := map[string]any{"namespace": set.GatewayNamespace, "name": set.GatewayName}
	if d.section != "" {
		parent["namespace"], parent["name"], parent["sectionName"] = set.Streams.Namespace, set.Streams.Name, d.section
	}
	spec := map[string]any{
		"parentRefs": []any{parent},
		"rules":      []any{map[string]any{"backendRefs": []any{backend(StableService, 100), backend(CanaryService, 0)}}},
	}
	if !d.hostless {
		spec["hostnames"] = []any{host}
	}
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(d.gvk())
	route.SetNamespace(namespace)
	route.SetName(Name)
	route.Object["spec"] = spec
	return route
}

func (d Dialect) gvk() schema.GroupVersionKind {
	return schema.GroupVersion(gatewayv1.GroupVersion).WithKind(d.Kind)
}

// adapt makes a Rollout one of a shop that speaks so.
func (d Dialect) adapt(r *v1alpha1.Rollout) {
	r.Spec.Strategy.Canary.Routes[0].Kind = d.Kind
	if d.Kind != "GRPCRoute" {
		return
	}
	r.Spec.Template.Annotations["prometheus.io/port"] = strconv.Itoa(adminPort)
	c := &r.Spec.Template.Spec.Containers[0]
	c.Ports = append(c.Ports, corev1.ContainerPort{Name: "admin", ContainerPort: adminPort})
	c.ReadinessProbe.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}}
}
