// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"text/template"
)

//go:embed assets
var assets embed.FS

// facts are what the templates under assets may mention.
type facts struct {
	Dir, ID, Socket, CNIDir, PauseImage, PodRange, Node, Address string
}

func (l layout) facts(cniDir string) facts {
	return facts{
		Dir: l.dir, ID: l.id, Socket: l.containerdSocket(), CNIDir: cniDir,
		PauseImage: pauseImage, PodRange: podRange, Node: nodeName, Address: nodeAddress,
	}
}

// render fills in one of the assets.
func render(asset string, f facts) ([]byte, error) {
	t, err := template.New(asset).Option("missingkey=error").ParseFS(assets, "assets/"+asset)
	if err != nil {
		return nil, fmt.Errorf("reading the template %s: %w", asset, err)
	}
	var text bytes.Buffer
	if err := t.ExecuteTemplate(&text, asset, f); err != nil {
		return nil, fmt.Errorf("filling in %s: %w", asset, err)
	}
	return text.Bytes(), nil
}

// writeConfigs writes the configuration file of every part that has one.
func (c *Cluster) writeConfigs(cniDir string) error {
	for asset, path := range map[string]string{
		"containerd.toml": c.at.path("containerd.toml"),
		"cni.conflist":    c.at.path("cni", "sluice.conflist"),
		"kubelet.yaml":    c.at.path("kubelet.yaml"),
		"kube-proxy.yaml": c.at.path("kube-proxy.yaml"),
		"prometheus.yml":  c.at.path("prometheus.yml"),
	} {
		text, err := render(asset, c.at.facts(cniDir))
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", asset, err)
		}
	}
	if err := os.WriteFile(c.at.path("resolv.conf"), nil, 0o644); err != nil {
		return fmt.Errorf("writing resolv.conf: %w", err)
	}
	return nil
}
