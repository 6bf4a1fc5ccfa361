// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/e2e/load"
)

// Settings say where the cluster and its parts are. The defaults are the full
// tier's; environment variables override them for any other cluster.
type Settings struct {
	// Context of the kubeconfig: E2E_CONTEXT. Default: the current one.
	Context string
	// GatewayURL is where clients reach the gateway: E2E_GATEWAY_URL.
	GatewayURL string
	// GatewayNamespace and GatewayName name the Gateway that routes attach to: E2E_GATEWAY, as namespace/name.
	GatewayNamespace, GatewayName string
	// Streams is the Gateway for connections, which TCPRoutes and TLSRoutes attach to.
	Streams Streams
	// PrometheusURL is where controller and stories reach Prometheus: E2E_PROMETHEUS_URL.
	PrometheusURL string
	// Istiod is where pods reach it for plain xDS: E2E_ISTIOD. IstiodDebugURL is where stories ask it what it said: E2E_ISTIOD_DEBUG_URL.
	Istiod, IstiodDebugURL string
	// LocalAddress is this machine as pods see it: E2E_LOCAL_ADDRESS. Default: the address that faces the gateway.
	LocalAddress string
	// ImagePrefix goes before the names sluice:dev, shop:dev and grpcshop:dev: E2E_IMAGE_PREFIX, such as "registry.example/me/".
	ImagePrefix string
	// Inside: the addresses of Services can be reached from here: E2E_INSIDE. Default: true on the full tier, false with E2E_CONTEXT.
	Inside bool
	// AllowTarget names hosts that may be loaded beyond the full tier: E2E_ALLOW_TARGET.
	AllowTarget string
	// ShareLevel is the probability that an observed share must lie within: E2E_SHARE_LEVEL. Default 0.99.
	ShareLevel float64
	// Root is the folder of the repository.
	Root string
	// Out is the folder that reports go to: E2E_OUT. Default out/e2e below Root.
	Out string
}

// Streams is a Gateway with a listener "tcp" for TCP and a listener "tls" for TLS that it passes through.
type Streams struct {
	// Namespace and Name of the Gateway: E2E_STREAMS_GATEWAY, as namespace/name.
	Namespace, Name string
	// TCPAddress and TLSAddress are where clients reach the listeners: E2E_TCP_ADDRESS, E2E_TLS_ADDRESS.
	TCPAddress, TLSAddress string
}

func streams(env func(string) string) (Streams, error) {
	s := Streams{
		TCPAddress: cmp.Or(env("E2E_TCP_ADDRESS"), "10.250.0.1:9000"),
		TLSAddress: cmp.Or(env("E2E_TLS_ADDRESS"), "10.250.0.1:9443"),
	}
	gateway := cmp.Or(env("E2E_STREAMS_GATEWAY"), "gateway-system/streams")
	var ok bool
	if s.Namespace, s.Name, ok = strings.Cut(gateway, "/"); !ok {
		return Streams{}, fmt.Errorf("E2E_STREAMS_GATEWAY=%q: must be namespace/name of a Gateway", gateway)
	}
	return s, nil
}

// FromEnvironment gives the settings, or an error that names the variable and the remedy.
func FromEnvironment(env func(string) string) (Settings, error) {
	root, err := findRoot()
	if err != nil {
		return Settings{}, err
	}
	s := Settings{
		Context:        env("E2E_CONTEXT"),
		GatewayURL:     cmp.Or(env("E2E_GATEWAY_URL"), "http://10.250.0.1:8080"),
		PrometheusURL:  cmp.Or(env("E2E_PROMETHEUS_URL"), "http://10.250.0.1:9090"),
		Istiod:         cmp.Or(env("E2E_ISTIOD"), "10.250.0.1:15010"),
		LocalAddress:   env("E2E_LOCAL_ADDRESS"),
		ImagePrefix:    env("E2E_IMAGE_PREFIX"),
		AllowTarget:    env(load.AllowVariable),
		IstiodDebugURL: cmp.Or(env("E2E_ISTIOD_DEBUG_URL"), "http://127.0.0.1:15080"),
		Root:           root,
		Out:            cmp.Or(env("E2E_OUT"), filepath.Join(root, "out", "e2e")),
	}
	if s.Inside, err = strconv.ParseBool(cmp.Or(env("E2E_INSIDE"), strconv.FormatBool(s.Context == ""))); err != nil {
		return Settings{}, fmt.Errorf("E2E_INSIDE=%q: must be true or false", env("E2E_INSIDE"))
	}
	gateway := cmp.Or(env("E2E_GATEWAY"), "gateway-system/gateway")
	var ok bool
	if s.GatewayNamespace, s.GatewayName, ok = strings.Cut(gateway, "/"); !ok {
		return Settings{}, fmt.Errorf("E2E_GATEWAY=%q: must be namespace/name of a Gateway", gateway)
	}
	if s.Streams, err = streams(env); err != nil {
		return Settings{}, err
	}
	if s.ShareLevel, err = strconv.ParseFloat(cmp.Or(env("E2E_SHARE_LEVEL"), "0.99"), 64); err != nil || s.ShareLevel <= 0 || s.ShareLevel >= 1 {
		return Settings{}, fmt.Errorf("E2E_SHARE_LEVEL=%q: must be a probability such as 0.99", env("E2E_SHARE_LEVEL"))
	}
	if s.LocalAddress == "" {
		if s.LocalAddress, err = facing(s.GatewayURL); err != nil {
			return Settings{}, err
		}
	}
	return s, nil
}

// facing is the address of this machine on the way to a URL's host.
func facing(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("E2E_GATEWAY_URL: %w", err)
	}
	// Nothing is sent: connecting a datagram socket only asks for the route.
	conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), "9"))
	if err != nil {
		return "", fmt.Errorf("no way to the gateway at %s: run this inside the cluster's network (sluice-cluster exec), or set E2E_GATEWAY_URL: %w", target, err)
	}
	defer func() { _ = conn.Close() }()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}

// findRoot goes up from the working folder to the one with go.mod.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working folder: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above: run this inside the repository")
		}
		dir = parent
	}
}
