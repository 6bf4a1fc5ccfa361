// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"os"
)

// auditPolicy logs who asked for what, once per request, without bodies: the
// honest way to count what a controller costs.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// WriteAuditPolicy writes the policy to where the settings say it is.
func (s Settings) WriteAuditPolicy() error {
	if err := os.WriteFile(s.AuditPolicy, []byte(auditPolicy), 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}
