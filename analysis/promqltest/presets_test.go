// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/analysis/prometheus"
)

// counts are the queries of one arm: requests, failures, and those within the bound.
type counts struct{ Total, Bad, Within string }

// TestPresets runs each preset on series that are written as the data plane
// writes them: in every 15s the canary has 100 requests, 3 failures and 90 within the
// bound, stable has 900, 2 and 880. Series of other services lie beside them.
func TestPresets(t *testing.T) {
	tests := map[string]struct {
		preset  string
		change  func(*presets.Subject)
		bound   time.Duration
		samples string
	}{
		"Istio": {preset: "Istio", bound: 250 * time.Millisecond, samples: istio("source")},
		"Istio, subsets of one Service": {
			preset: "Istio", bound: 250 * time.Millisecond, samples: istio("destination"),
			change: func(s *presets.Subject) { s.OneService = true },
		},
		"Istio, gRPC": {
			preset: "Istio", bound: 250 * time.Millisecond, samples: istio("source"),
			change: func(s *presets.Subject) { s.GRPC = true },
		},
		"Traefik 3.6": {preset: "TraefikGateway", bound: 300 * time.Millisecond, samples: traefik("shop-%s-http-80@kubernetesgateway")},
		"Traefik 3.6, gRPC": {
			preset: "TraefikGateway", bound: 300 * time.Millisecond, samples: traefik("shop-%s-80-grpc@kubernetesgateway"),
		},
		"Traefik, later": {
			preset: "TraefikGateway", bound: 300 * time.Millisecond,
			samples: traefik("httproute-shop-checkout-gw-infra-gw-ep-web-0-svc-shop-%s-80@kubernetesgateway"),
		},
		"Envoy Gateway, filters on backends": {
			preset: "EnvoyGateway", bound: 250 * time.Millisecond,
			samples: envoy("httproute/shop/checkout/rule/0/backend/1", "httproute/shop/checkout/rule/0/backend/0", "httproute/shop/checkout/rule/1/backend/1"),
		},
		"Envoy Gateway, merged backends": {
			preset: "EnvoyGateway", bound: 250 * time.Millisecond,
			samples: envoy("service/shop/checkout-canary/80", "service/shop/checkout-stable/80/HTTP", "service/other/checkout-canary/80"),
		},
		"Linkerd":         {preset: "Linkerd", bound: 300 * time.Millisecond, samples: linkerd()},
		"Linkerd, routes": {preset: "LinkerdRoutes", bound: 500 * time.Millisecond, samples: linkerdRoutes()},
		"ingress-nginx":   {preset: "IngressNginx", bound: 250 * time.Millisecond, samples: nginx()},
		"OpenTelemetry":   {preset: "OpenTelemetryHTTP", bound: 250 * time.Millisecond, samples: openTelemetry()},
	}
	seen := map[string]bool{}
	for name, tc := range tests {
		seen[tc.preset] = true
		t.Run(name, func(t *testing.T) {
			of := shop()
			if tc.change != nil {
				tc.change(&of)
			}
			ms, err := presets.Metrics(tc.preset, of, []presets.Objective{{Name: "latency", Good: 0.9, Within: tc.bound}})
			if err != nil {
				t.Fatal(err)
			}
			h := load(t, "load 15s"+tc.samples)
			got := map[string]counts{"canary": h.preset(t, ms[0], ms[0].Canary), "stable": h.preset(t, ms[0], ms[0].Stable)}
			want := map[string]counts{"canary": {"200", "6", "180"}, "stable": {"1800", "4", "1760"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s\nseries:\n%s", diff, tc.samples)
			}
		})
	}
	for _, name := range presets.Names() {
		if !seen[name] {
			t.Errorf("preset %s has not been run", name)
		}
	}
}

// preset asks the queries of one arm for a block of 30s.
func (h history) preset(t *testing.T, m presets.Metric, s presets.Series) counts {
	t.Helper()
	count := prometheus.Counter{Block: 30 * time.Second, Present: selector(t, m.Present), Targets: m.TargetLabels}
	return counts{
		Total:  h.ask(t, count.Count(selector(t, s.Total)), time.Minute),
		Bad:    h.ask(t, count.Count(selector(t, s.Bad)), time.Minute),
		Within: h.ask(t, count.Within(selector(t, s.Histogram), m.Bound), time.Minute),
	}
}

func shop() presets.Subject {
	return presets.Subject{
		Namespace: "shop", Service: "checkout",
		Canary: presets.Arm{
			Service: "checkout-canary", Workload: "checkout-7d9", Revision: "7d9",
			Backends: []presets.Backend{{Kind: "HTTPRoute", Name: "checkout", Index: 1}},
		},
		Stable: presets.Arm{
			Service: "checkout-stable", Workload: "checkout-5c9", Revision: "5c9",
			Backends: []presets.Backend{{Kind: "HTTPRoute", Name: "checkout", Index: 0}},
		},
	}
}

func istio(reporter string) string {
	arm := func(service, workload, namespace string, good, bad, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.1:15020",reporter=%q,request_protocol="http",destination_service="%s.%s.svc.cluster.local",`+
			`destination_workload="%s",destination_workload_namespace="%s"`, reporter, service, namespace, workload, namespace)
		return fmt.Sprintf(`
	istio_requests_total{%[1]s,response_code="200",grpc_response_status="0"}            0+%[2]dx4
	istio_requests_total{%[1]s,response_code="503",grpc_response_status="14"}           0+%[3]dx4
	istio_request_duration_milliseconds_bucket{%[1]s,response_code="200",le="250.0"}    0+%[4]dx4
	istio_request_duration_milliseconds_bucket{%[1]s,response_code="200",le="+Inf"}     0+%[5]dx4`, labels, good, bad, within, all)
	}
	return arm("checkout-canary", "checkout-7d9", "shop", 97, 3, 90, 100) + arm("checkout-stable", "checkout-5c9", "shop", 898, 2, 880, 900) +
		arm("checkout-canary", "checkout-7d9", "other", 7, 7, 7, 7) + arm("checkout-canary-old", "checkout-7d9-old", "shop", 7, 7, 7, 7)
}

func traefik(service string) string {
	arm := func(name string, good, bad, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.2:8082",method="GET",protocol="http",service="`+service+`"`, name)
		return fmt.Sprintf(`
	traefik_service_requests_total{%[1]s,code="200"}                                  0+%[2]dx4
	traefik_service_requests_total{%[1]s,code="502"}                                  0+%[3]dx4
	traefik_service_request_duration_seconds_bucket{%[1]s,code="200",le="0.3"}        0+%[4]dx4
	traefik_service_request_duration_seconds_bucket{%[1]s,code="200",le="+Inf"}       0+%[5]dx4`, labels, good, bad, within, all)
	}
	return arm("checkout-canary", 97, 3, 90, 100) + arm("checkout-stable", 898, 2, 880, 900) + arm("checkout", 7, 7, 7, 7) + arm("checkout-canary-b", 7, 7, 7, 7)
}

func envoy(canary, stable, other string) string {
	arm := func(cluster string, good, bad, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.3:19001",envoy_cluster_name=%q`, cluster)
		return fmt.Sprintf(`
	envoy_cluster_upstream_rq_xx{%[1]s,envoy_response_code_class="2"}  0+%[2]dx4
	envoy_cluster_upstream_rq_xx{%[1]s,envoy_response_code_class="5"}  0+%[3]dx4
	envoy_cluster_upstream_rq_time_bucket{%[1]s,le="250.0"}            0+%[4]dx4
	envoy_cluster_upstream_rq_time_bucket{%[1]s,le="+Inf"}             0+%[5]dx4`, labels, good, bad, within, all)
	}
	return arm(canary, 97, 3, 90, 100) + arm(stable, 898, 2, 880, 900) + arm(other, 7, 7, 7, 7)
}

func linkerd() string {
	arm := func(direction, namespace, revision string, good, bad, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.4:4191",target_port="8080",route_name="default",direction=%q,namespace=%q,sluice_dev_revision=%q`, direction, namespace, revision)
		return fmt.Sprintf(`
	response_total{%[1]s,classification="success",status_code="200"}   0+%[2]dx4
	response_total{%[1]s,classification="failure",status_code="500"}   0+%[3]dx4
	response_latency_ms_bucket{%[1]s,status_code="200",le="300"}       0+%[4]dx4
	response_latency_ms_bucket{%[1]s,status_code="200",le="+Inf"}      0+%[5]dx4`, labels, good, bad, within, all)
	}
	const beside = `
	response_total{instance="10.0.0.4:4191",direction="inbound",namespace="shop",sluice_dev_revision="7d9",target_port="8080",route_kind="default",route_name="probe",classification="success"}  0+7x4
	response_total{instance="10.0.0.4:4191",direction="inbound",namespace="shop",sluice_dev_revision="7d9",target_port="4191",route_kind="default",route_name="default",classification="success"}  0+7x4`
	return beside + arm("inbound", "shop", "7d9", 97, 3, 90, 100) + arm("inbound", "shop", "5c9", 898, 2, 880, 900) +
		arm("outbound", "shop", "7d9", 7, 7, 7, 7) + arm("inbound", "other", "7d9", 7, 7, 7, 7)
}

func linkerdRoutes() string {
	arm := func(parent, backend string, good, bad, failed, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.5:4191",parent_name=%q,parent_namespace="shop",backend_name=%q,backend_namespace="shop"`, parent, backend)
		return fmt.Sprintf(`
	outbound_http_route_backend_response_statuses_total{%[1]s,http_status="200",error=""}       0+%[2]dx4
	outbound_http_route_backend_response_statuses_total{%[1]s,http_status="500",error=""}       0+%[3]dx4
	outbound_http_route_backend_response_statuses_total{%[1]s,http_status="",error="UNKNOWN"}   0+%[4]dx4
	outbound_http_route_backend_response_duration_seconds_bucket{%[1]s,le="0.5"}                0+%[5]dx4
	outbound_http_route_backend_response_duration_seconds_bucket{%[1]s,le="+Inf"}               0+%[6]dx4`, labels, good, bad, failed, within, all)
	}
	return arm("checkout", "checkout-canary", 97, 2, 1, 90, 100) + arm("checkout", "checkout-stable", 898, 1, 1, 880, 900) + arm("basket", "checkout-canary", 7, 7, 7, 7, 7)
}

func nginx() string {
	arm := func(service, canary string, good, bad, within, all int) string {
		labels := fmt.Sprintf(`instance="10.0.0.6:10254",namespace="shop",ingress="checkout",service=%q,canary=%q,method="GET",path="/"`, service, canary)
		return fmt.Sprintf(`
	nginx_ingress_controller_requests{%[1]s,status="200"}                                         0+%[2]dx4
	nginx_ingress_controller_requests{%[1]s,status="504"}                                         0+%[3]dx4
	nginx_ingress_controller_request_duration_seconds_bucket{%[1]s,status="200",le="0.25"}        0+%[4]dx4
	nginx_ingress_controller_request_duration_seconds_bucket{%[1]s,status="200",le="+Inf"}        0+%[5]dx4`, labels, good, bad, within, all)
	}
	return arm("checkout-stable", "shop-checkout-canary-80", 97, 3, 90, 100) + arm("checkout-stable", "", 898, 2, 880, 900) + arm("basket", "", 7, 7, 7, 7)
}

func openTelemetry() string {
	arm := func(pod, namespace string, good, bad, within int) string {
		labels := fmt.Sprintf(`instance="10.0.0.7:8080",namespace=%q,pod=%q,http_request_method="GET",http_route="/"`, namespace, pod)
		return fmt.Sprintf(`
	http_server_request_duration_seconds_count{%[1]s,http_response_status_code="200"}                             0+%[2]dx4
	http_server_request_duration_seconds_count{%[1]s,http_response_status_code="500",error_type="500"}            0+%[3]dx4
	http_server_request_duration_seconds_bucket{%[1]s,http_response_status_code="200",le="0.25"}                  0+%[4]dx4
	http_server_request_duration_seconds_bucket{%[1]s,http_response_status_code="200",le="+Inf"}                  0+%[2]dx4`, labels, good, bad, within)
	}
	return arm("checkout-7d9-x7k2p", "shop", 97, 3, 90) + arm("checkout-5c9-b9d4z", "shop", 898, 2, 880) +
		arm("checkout-7d9-x7k2p", "other", 7, 7, 7) + arm("checkout-7d99-x7k2p", "shop", 7, 7, 7)
}
