// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package presets

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// presets lists what is known of each data plane, in the order of the docs.
func presets() []preset {
	return []preset{
		istio(), traefikGateway(), envoyGateway(), linkerd(), linkerdRoutes(), ingressNginx(), openTelemetryHTTP(),
	}
}

// instance is what tells scraped targets apart unless somebody relabels them.
func instance() []string { return []string{"instance"} }

// fiveHundreds is a status that blames the server.
const fiveHundreds = "5.."

// istio is the view of the callers' proxies, which see refused connections. Of
// subsets of one Service it is the view of the pods' own proxies: callers don't
// know which pod would have answered.
func istio() preset {
	return preset{
		name: "Istio", total: "istio_requests_total", histogram: "istio_request_duration_milliseconds", unit: time.Millisecond,
		targets: instance(), needs: needs{services: true},
		bad: func(of Subject) matcher {
			if of.GRPC {
				// Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable and DataLoss blame the server.
				return match("grpc_response_status", "2|4|12|13|14|15")
			}
			return match("response_code", fiveHundreds)
		},
		labels: istioLabels,
		both: func(of Subject) []matcher {
			arms := of.arms()
			if of.OneService {
				return istioWorkloads(of, arms...)
			}
			return istioServices(of, arms...)
		},
	}
}

func istioLabels(of Subject, a Arm) []matcher {
	if of.OneService {
		return istioWorkloads(of, a)
	}
	return istioServices(of, a)
}

func istioServices(of Subject, arms ...Arm) []matcher {
	hosts := alternatives(arms, func(a Arm) string { return regexp.QuoteMeta(a.Service+"."+of.Namespace+".svc.") + ".*" })
	return []matcher{equal("reporter", "source"), match("destination_service", hosts)}
}

func istioWorkloads(of Subject, arms ...Arm) []matcher {
	workloads := alternatives(arms, func(a Arm) string { return regexp.QuoteMeta(a.Workload) })
	return []matcher{
		equal("reporter", "destination"), equal("destination_workload_namespace", of.Namespace), match("destination_workload", workloads),
	}
}

// traefikGateway is Traefik as a Gateway. Its names of backends changed: first
// NAMESPACE-SERVICE-http-PORT, and -PORT-grpc for gRPC; then ROUTE-svc-NAMESPACE-SERVICE-PORT.
func traefikGateway() preset {
	labels := func(of Subject, arms ...Arm) []matcher {
		return []matcher{match("service", alternatives(arms, func(a Arm) string {
			s := regexp.QuoteMeta(of.Namespace + "-" + a.Service)
			return fmt.Sprintf("(%s-http-[0-9]+|%s-[0-9]+-grpc|.+-svc-%s-[0-9]+)@kubernetesgateway", s, s, s)
		}))}
	}
	return preset{
		name: "TraefikGateway", total: "traefik_service_requests_total", histogram: "traefik_service_request_duration_seconds", unit: time.Second,
		targets: instance(), needs: needs{services: true},
		bad:    func(Subject) matcher { return match("code", fiveHundreds) },
		labels: func(of Subject, a Arm) []matcher { return labels(of, a) },
		both:   func(of Subject) []matcher { return labels(of, of.arms()...) },
	}
}

// envoyGateway tells backends apart by the names of Envoy's clusters. There is
// one for each backend when backends are merged across routes
// (service/NAMESPACE/SERVICE/PORT), and when a rule has filters on its backends
// (httproute/NAMESPACE/ROUTE/rule/N/backend/I).
func envoyGateway() preset {
	labels := func(of Subject, arms ...Arm) []matcher {
		return []matcher{match("envoy_cluster_name", alternatives(arms, func(a Arm) string {
			names := []string{"service/" + regexp.QuoteMeta(of.Namespace+"/"+a.Service) + "/[0-9]+(/[a-zA-Z]+)?"}
			for _, b := range a.Backends {
				names = append(names, regexp.QuoteMeta(fmt.Sprintf("%s/%s/%s/rule/%d/backend/%d",
					strings.ToLower(b.Kind), of.Namespace, b.Name, b.Rule, b.Index)))
			}
			return strings.Join(names, "|")
		}))}
	}
	return preset{
		name: "EnvoyGateway", total: "envoy_cluster_upstream_rq_xx", histogram: "envoy_cluster_upstream_rq_time", unit: time.Millisecond,
		targets: instance(), needs: needs{services: true},
		bad:    func(Subject) matcher { return equal("envoy_response_code_class", "5") },
		labels: func(of Subject, a Arm) []matcher { return labels(of, a) },
		both:   func(of Subject) []matcher { return labels(of, of.arms()...) },
	}
}

// linkerd is the view of the pods' own proxies. Linkerd's scrape configuration
// copies the labels of pods to series. The proxies also count the kubelet's probes
// and those who scrape them: these would speak well of a canary without a request.
func linkerd() preset {
	labels := func(of Subject, arms ...Arm) []matcher {
		return []matcher{
			equal("direction", "inbound"), equal("namespace", of.Namespace), unequal("route_name", "probe"), unequal("target_port", "4191"),
			match("sluice_dev_revision", alternatives(arms, func(a Arm) string { return regexp.QuoteMeta(a.Revision) })),
		}
	}
	return preset{
		name: "Linkerd", total: "response_total", histogram: "response_latency_ms", unit: time.Millisecond,
		targets: instance(), needs: needs{revisions: true},
		bad:    func(Subject) matcher { return equal("classification", "failure") },
		labels: func(of Subject, a Arm) []matcher { return labels(of, a) },
		both:   func(of Subject) []matcher { return labels(of, of.arms()...) },
	}
}

// linkerdRoutes is the view of the callers' proxies on the backends of a route.
// A request that failed without a status has none of 1xx to 4xx either.
func linkerdRoutes() preset {
	labels := func(of Subject, arms ...Arm) []matcher {
		return []matcher{
			equal("parent_name", of.Service), equal("parent_namespace", of.Namespace), equal("backend_namespace", of.Namespace),
			match("backend_name", alternatives(arms, func(a Arm) string { return regexp.QuoteMeta(a.Service) })),
		}
	}
	return preset{
		name: "LinkerdRoutes", total: "outbound_http_route_backend_response_statuses_total",
		histogram: "outbound_http_route_backend_response_duration_seconds", unit: time.Second,
		targets: instance(), needs: needs{services: true, service: true},
		bad:    func(Subject) matcher { return unmatch("http_status", "[1234]..") },
		labels: func(of Subject, a Arm) []matcher { return labels(of, a) },
		both:   func(of Subject) []matcher { return labels(of, of.arms()...) },
	}
}

// ingressNginx names the primary's Service even of requests to the canary,
// which it tells by the label canary: empty for the primary.
func ingressNginx() preset {
	primary := func(of Subject) []matcher {
		service := of.Stable.Service
		if service == "" {
			service = of.Service
		}
		return []matcher{equal("namespace", of.Namespace), equal("service", service)}
	}
	return preset{
		name: "IngressNginx", total: "nginx_ingress_controller_requests",
		histogram: "nginx_ingress_controller_request_duration_seconds", unit: time.Second,
		targets: instance(), needs: needs{services: true},
		bad: func(Subject) matcher { return match("status", "5..|5xx") },
		labels: func(of Subject, a Arm) []matcher {
			if a.Service == of.Stable.Service {
				return append(primary(of), equal("canary", ""))
			}
			// The port may be a number or a name.
			return append(primary(of), match("canary", regexp.QuoteMeta(of.Namespace+"-"+a.Service)+"-[a-z0-9]+"))
		},
		both: primary,
	}
}

// openTelemetryHTTP is the view of the application itself, by OpenTelemetry's
// semantic conventions, scraped from its pods. Success has no error.type.
func openTelemetryHTTP() preset {
	labels := func(of Subject, arms ...Arm) []matcher {
		return []matcher{
			equal("namespace", of.Namespace),
			match("pod", alternatives(arms, func(a Arm) string { return regexp.QuoteMeta(a.Workload) + "-.+" })),
		}
	}
	return preset{
		name: "OpenTelemetryHTTP", total: "http_server_request_duration_seconds_count", histogram: "http_server_request_duration_seconds",
		unit: time.Second, targets: []string{"pod"}, needs: needs{workloads: true},
		bad:    func(Subject) matcher { return unequal("error_type", "") },
		labels: func(of Subject, a Arm) []matcher { return labels(of, a) },
		both:   func(of Subject) []matcher { return labels(of, of.arms()...) },
	}
}

// alternatives matches any of the arms.
func alternatives(arms []Arm, pattern func(Arm) string) string {
	var all []string
	for _, a := range arms {
		all = append(all, pattern(a))
	}
	return strings.Join(all, "|")
}
