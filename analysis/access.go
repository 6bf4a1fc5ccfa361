// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Access is how a server lets us in. What comes from Secrets is resolved
// already, and none of it shows in a message. The zero Access brings nothing.
type Access struct {
	// Bearer token.
	Bearer string
	// Username and Password of HTTP basic authentication.
	Username, Password string
	// Headers sent along, such as the tenant's X-Scope-OrgID.
	Headers []Header
	// TLS of an https address.
	TLS TLS
	// Hidden is what else came from Secrets, such as within a body, and must not
	// show in a message.
	Hidden []string
}

// Header is one HTTP header.
type Header struct {
	// Name and Value of the header.
	Name, Value string
	// Secret values do not show in messages.
	Secret bool
}

// TLS says whom to trust and who we are. The zero TLS trusts the system's
// authorities and shows no certificate.
type TLS struct {
	// CA is what the server's certificate must be signed by, in PEM. Default: the system's authorities.
	CA []byte
	// Certificate and Key show who we are, in PEM. Both or neither.
	Certificate, Key []byte
	// ServerName that the server's certificate must have. Default: the host of the address.
	ServerName string
	// SkipVerify trusts whoever answers.
	SkipVerify bool
}

// Secrets lists what must not show in a message.
func (a Access) Secrets() []string {
	secrets := slices.Concat([]string{a.Bearer, a.Password, string(a.TLS.Key)}, a.Hidden)
	for _, h := range a.Headers {
		if h.Secret {
			secrets = append(secrets, h.Value)
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}

// Allowed reports whether an address may be asked. Hosts are written
// host:port, or host for any port, an IPv6 address in brackets; *.domain stands for every host below the
// domain. Without any hosts every address is allowed. The error names the
// address, without a user or password in it, and the remedy.
func Allowed(hosts []string, address *url.URL) error {
	if len(hosts) == 0 {
		return nil
	}
	for _, h := range hosts {
		host, port := splitHost(h)
		if (port == "" || port == portOf(address)) && matches(strings.ToLower(host), strings.ToLower(address.Hostname())) {
			return nil
		}
	}
	return fmt.Errorf("%s may not be asked: the controller's --analysis-allowed-hosts allows %s; use one of these, or have the flag allow this one",
		address.Host, strings.Join(hosts, ", "))
}

func matches(pattern, host string) bool {
	if domain, wild := strings.CutPrefix(pattern, "*"); wild && strings.HasPrefix(domain, ".") {
		return strings.HasSuffix(host, domain) && host != domain
	}
	if a, err := netip.ParseAddr(pattern); err == nil { // an address has several forms
		b, err := netip.ParseAddr(host)
		return err == nil && a == b
	}
	return pattern == host
}

// splitHost separates an entry of the list; an IPv6 address is in brackets.
func splitHost(entry string) (host, port string) {
	if host, port, err := net.SplitHostPort(entry); err == nil {
		return host, port
	}
	return strings.Trim(entry, "[]"), ""
}

// CheckHost reports why an entry of the list of allowed hosts would match no
// address, or not what it looks like. The error names the remedy.
func CheckHost(entry string) error {
	host, port := splitHost(entry)
	name := strings.TrimPrefix(host, "*.")
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.HasSuffix(entry, ":"), port != "" && (err != nil || number == 0):
		return fmt.Errorf("%q names no port; write one from 1 to 65535, or leave the colon out for any", entry)
	case strings.Contains(host, ":") && !strings.HasPrefix(entry, "["):
		return fmt.Errorf("%q is no host; write an IPv6 address in brackets, such as [2001:db8::1]:9090", entry)
	case name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/@*?# "):
		return fmt.Errorf("%q is no host; write host:port without scheme or path, such as prometheus.monitoring:9090, or *.example.com for every host below", entry)
	}
	return nil
}

func portOf(address *url.URL) string {
	switch {
	case address.Port() != "":
		return address.Port()
	case address.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
