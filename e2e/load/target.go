// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// AllowVariable is the environment variable that callers take [Options.Allow] from.
const AllowVariable = "E2E_ALLOW_TARGET"

// The addresses of the full tier's node and of its Services, inside its network namespace.
const (
	clusterRange = "10.250.0.0/16"
	serviceRange = "10.96.0.0/16"
)

// checkTarget refuses a URL that is neither loopback, nor on the full tier,
// nor named in allow (hosts, separated by commas).
func checkTarget(target, allow string) error {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("target %s: must be an http or https URL", target)
	}
	host := u.Hostname()
	if slices.Contains(strings.Split(allow, ","), host) && host != "" {
		return nil
	}
	if host == "localhost" {
		return nil
	}
	addr, err := netip.ParseAddr(host)
	if err == nil && (addr.IsLoopback() || netip.MustParsePrefix(clusterRange).Contains(addr) || netip.MustParsePrefix(serviceRange).Contains(addr)) {
		return nil
	}
	return fmt.Errorf("target %s: load goes only to loopback, to %s and %s and to hosts named in %s; add %q there if it may be loaded",
		target, clusterRange, serviceRange, AllowVariable, host)
}
