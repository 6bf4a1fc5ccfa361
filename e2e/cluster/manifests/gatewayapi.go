// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// GatewayAPI reads the standard custom resource definitions of the Gateway API
// version that the checkout at root builds against.
func GatewayAPI(ctx context.Context, root string) ([]*unstructured.Unstructured, error) {
	const path = "sigs.k8s.io/gateway-api"
	dir, err := moduleDir(ctx, root, path)
	if err != nil {
		return nil, err
	}
	objects, err := ReadDir(filepath.Join(dir, "config", "crd", "standard"))
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("module %s in %s holds no custom resource definitions", path, dir)
	}
	return objects, nil
}

// GatewayAPIStreams reads TCPRoute and TLSRoute of the experimental channel,
// which serves the versions that data planes knew before v1 too.
func GatewayAPIStreams(ctx context.Context, root string) ([]*unstructured.Unstructured, error) {
	const path = "sigs.k8s.io/gateway-api"
	dir, err := moduleDir(ctx, root, path)
	if err != nil {
		return nil, err
	}
	objects, err := ReadDir(filepath.Join(dir, "config", "crd", "experimental"))
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, o := range OfKind(objects, CRDKind) {
		if name := o.GetName(); name == "tcproutes.gateway.networking.k8s.io" || name == "tlsroutes.gateway.networking.k8s.io" {
			found = append(found, o)
		}
	}
	if len(found) != 2 {
		return nil, fmt.Errorf("module %s in %s holds %d definitions of TCPRoute and TLSRoute in its experimental channel, want 2", path, dir, len(found))
	}
	return found, nil
}

// moduleDir is where the go command keeps the sources of a module; it downloads
// them if need be.
func moduleDir(ctx context.Context, root, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = root
	out, err := cmd.Output()
	dir := strings.TrimSpace(string(out))
	if err == nil && dir != "" {
		return dir, nil
	}
	download := exec.CommandContext(ctx, "go", "mod", "download", path)
	download.Dir = root
	if text, err := download.CombinedOutput(); err != nil {
		return "", fmt.Errorf("downloading module %s: %w: %s", path, err, text)
	}
	cmd = exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = root
	if out, err = cmd.Output(); err != nil {
		return "", fmt.Errorf("finding module %s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
