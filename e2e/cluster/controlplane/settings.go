// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"net"
	"strconv"
)

// ServiceRange is where ClusterIPs come from.
const ServiceRange = "10.96.0.0/16"

// issuer is the name under which service account tokens are signed.
const issuer = "https://kubernetes.default.svc"

// Settings are the facts that the control plane's command lines are made of.
type Settings struct {
	// Address is where the servers listen.
	Address string
	// EtcdPort, EtcdPeerPort and APIPort are the ports they listen on.
	EtcdPort, EtcdPeerPort, APIPort int
	// DataDir holds etcd's data.
	DataDir string
	// AuditPolicy and AuditLog are files; the log gets a line per request.
	AuditPolicy, AuditLog string
	// Credentials are the trust between the parts.
	Credentials *Credentials
}

// Server is the API server's URL.
func (s Settings) Server() string { return "https://" + hostPort(s.Address, s.APIPort) }

// EtcdURL is where the API server finds etcd.
func (s Settings) EtcdURL() string { return "http://" + hostPort(s.Address, s.EtcdPort) }

// Etcd returns etcd's flags. It does not sync to disk: the data is worth
// nothing once the cluster is gone.
func (s Settings) Etcd() Flags {
	peer := "http://" + hostPort(s.Address, s.EtcdPeerPort)
	return Flags{
		"name":                        "etcd",
		"data-dir":                    s.DataDir,
		"listen-client-urls":          s.EtcdURL(),
		"advertise-client-urls":       s.EtcdURL(),
		"listen-peer-urls":            peer,
		"initial-advertise-peer-urls": peer,
		"initial-cluster":             "etcd=" + peer,
		"unsafe-no-fsync":             "true",
		"log-level":                   "warn",
	}
}

// APIServer returns kube-apiserver's flags.
func (s Settings) APIServer() Flags {
	c := s.Credentials
	return Flags{
		"etcd-servers":                     s.EtcdURL(),
		"bind-address":                     s.Address,
		"advertise-address":                s.Address,
		"secure-port":                      strconv.Itoa(s.APIPort),
		"service-cluster-ip-range":         ServiceRange,
		"tls-cert-file":                    c.path("apiserver.crt"),
		"tls-private-key-file":             c.path("apiserver.key"),
		"client-ca-file":                   c.CA(),
		"token-auth-file":                  c.path("tokens.csv"),
		"service-account-issuer":           issuer,
		"service-account-key-file":         c.path("service-account.pub"),
		"service-account-signing-key-file": c.path("service-account.key"),
		"authorization-mode":               "Node,RBAC",
		"allow-privileged":                 "true",
		"profiling":                        "false",
		"audit-policy-file":                s.AuditPolicy,
		"audit-log-path":                   s.AuditLog,
		"audit-log-maxsize":                "4096", // MiB; one file, so that counting is simple
	}
}

// ControllerManager returns kube-controller-manager's flags. The kubeconfig
// says as whom it acts.
func (s Settings) ControllerManager(kubeconfig string) Flags {
	return Flags{
		"kubeconfig":                       kubeconfig,
		"leader-elect":                     "false",
		"secure-port":                      "0",
		"root-ca-file":                     s.Credentials.CA(),
		"service-account-private-key-file": s.Credentials.path("service-account.key"),
		"use-service-account-credentials":  "true",
		"kube-api-qps":                     "500",
		"kube-api-burst":                   "1000",
		"profiling":                        "false",
		// Tests wait for the autoscaler, which looks every 15 s by default.
		"horizontal-pod-autoscaler-sync-period": "2s",
	}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }
