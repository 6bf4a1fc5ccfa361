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
