// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

// Addresses and ports of the cluster. They are fixed: the namespace is the
// cluster's own, so nobody else can hold them.
const (
	nodeName     = "node-0"
	nodeAddress  = "10.250.0.1"
	podRange     = "10.244.0.0/16"
	kubernetesIP = "10.96.0.1"

	apiPort        = 6443
	etcdPort       = 2379
	etcdPeerPort   = 2380
	gatewayPort    = 8080
	tcpPort        = 9000
	tlsPort        = 9443
	traefikPort    = 8082
	prometheusPort = 9090
	istiodPort     = 15010
	istiodHTTPPort = 15080
)

// Where things are, for those who are inside the namespace.
const (
	// GatewayURL is where Traefik listens for the Gateway "gateway" in the
	// namespace "gateway-system".
	GatewayURL = "http://10.250.0.1:8080"
	// PrometheusURL works from the node and from pods.
	PrometheusURL = "http://10.250.0.1:9090"
	// PrometheusServiceURL is the Service "prometheus" in the namespace
	// "monitoring", by address because the cluster has no DNS.
	PrometheusServiceURL = "http://10.96.0.90:9090"

	// IstiodAddress is where istiod serves xDS in plain text, for the node and for pods.
	IstiodAddress = "10.250.0.1:15010"
	// IstiodDebugURL tells those on the node what istiod has told its clients.
	IstiodDebugURL = "http://127.0.0.1:15080"

	etcdURL           = "http://10.250.0.1:2379"
	traefikMetricsURL = "http://10.250.0.1:8082"
	proxyURL          = "http://10.250.0.1:10256/healthz"
)

// containerd is the part that holds the images.
const containerd = "containerd"

// pauseImage holds the namespaces of every pod open. Its host part is made up,
// so that no runtime tries to find it anywhere.
const pauseImage = "sluice.local/pause:1"
