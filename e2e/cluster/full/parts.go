// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// partNames lists every part in the order of starting.
var partNames = []string{
	"etcd", "kube-apiserver", "containerd", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet",
	"prometheus", "traefik",
}

// parts are the servers of the cluster, by name.
func (c *Cluster) parts(tools map[string]string, s controlplane.Settings) map[string]part {
	kube := func(name string, flags controlplane.Flags, ready func(context.Context) error) part {
		return part{name: name, argv: append([]string{tools["kube"], name}, flags.Args()...), ready: ready}
	}
	tool := func(name string, flags controlplane.Flags, url string) part {
		return part{name: name, argv: append([]string{tools[name]}, flags.Args()...), ready: c.answers(url)}
	}
	list := []part{
		tool("etcd", s.Etcd(), s.EtcdURL()+"/health"),
		tool("prometheus", c.prometheusFlags(), PrometheusURL+"/-/ready"),
		tool("traefik", c.traefikFlags(s), traefikMetricsURL+"/ping"),
		{name: "containerd", argv: []string{"containerd", "--config", c.at.path("containerd.toml")}, ready: c.containerdReady},
		kube("kube-apiserver", c.apiServerFlags(s), c.apiReady),
		kube("kube-controller-manager", s.ControllerManager(c.at.kubeconfig("kube-controller-manager")), nil),
		kube("kube-scheduler", c.schedulerFlags(), nil),
		kube("kube-proxy", controlplane.Flags{"config": c.at.path("kube-proxy.yaml")}, c.answers(proxyURL)),
		kube("kubelet", c.kubeletFlags(), nil),
	}
	byName := make(map[string]part, len(list))
	for _, p := range list {
		byName[p.name] = p
	}
	return byName
}

func (c *Cluster) schedulerFlags() controlplane.Flags {
	return controlplane.Flags{
		"kubeconfig":     c.at.kubeconfig("kube-scheduler"),
		"leader-elect":   "false",
		"secure-port":    "0",
		"kube-api-qps":   "200",
		"kube-api-burst": "400",
	}
}

func (c *Cluster) kubeletFlags() controlplane.Flags {
	return controlplane.Flags{
		"config":            c.at.path("kubelet.yaml"),
		"kubeconfig":        c.at.kubeconfig("kubelet"),
		"root-dir":          c.at.path("kubelet"),
		"hostname-override": nodeName,
		"node-ip":           nodeAddress,
	}
}

func (c *Cluster) apiServerFlags(s controlplane.Settings) controlplane.Flags {
	return s.APIServer().With(controlplane.Flags{
		"kubelet-client-certificate":      c.at.path("pki", "kubelet-client.crt"),
		"kubelet-client-key":              c.at.path("pki", "kubelet-client.key"),
		"kubelet-certificate-authority":   s.Credentials.CA(),
		"kubelet-preferred-address-types": "InternalIP",
	})
}

func (c *Cluster) prometheusFlags() controlplane.Flags {
	return controlplane.Flags{
		"config.file":                 c.at.path("prometheus.yml"),
		"storage.tsdb.path":           c.at.path("prometheus"),
		"storage.tsdb.retention.time": "6h",
		"web.listen-address":          net.JoinHostPort(nodeAddress, strconv.Itoa(prometheusPort)),
		"log.level":                   "warn",
	}
}

// traefikFlags make Traefik a Gateway API data plane and nothing else. It takes
// over changes faster than by default (2 s), which keeps the stories short.
func (c *Cluster) traefikFlags(s controlplane.Settings) controlplane.Flags {
	listen := func(port int) string { return net.JoinHostPort(nodeAddress, strconv.Itoa(port)) }
	return controlplane.Flags{
		"global.checknewversion":                       "false",
		"global.sendanonymoususage":                    "false",
		"entrypoints.web.address":                      listen(gatewayPort),
		"entrypoints.metrics.address":                  listen(traefikPort),
		"ping.entrypoint":                              "metrics",
		"metrics.prometheus.entrypoint":                "metrics",
		"metrics.prometheus.addserviceslabels":         "true",
		"metrics.prometheus.addrouterslabels":          "true",
		"providers.providersthrottleduration":          "200ms",
		"providers.kubernetesgateway":                  "true",
		"providers.kubernetesgateway.endpoint":         s.Server(),
		"providers.kubernetesgateway.token":            s.Credentials.Token(traefik),
		"providers.kubernetesgateway.certauthfilepath": s.Credentials.CA(),
		"providers.kubernetesgateway.statusaddress.ip": nodeAddress,
		"log.level": "INFO",
	}
}

// answers asks a URL inside the namespace for status 200.
func (c *Cluster) answers(url string) func(context.Context) error {
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true},
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
		}
		return nil
	}
}
