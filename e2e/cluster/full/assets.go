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

// writeConfigs writes the configuration files of all units.
func writeConfigs(f facts, units []unit) error {
	for _, u := range units {
		for asset, path := range u.configs {
			text, err := render(asset, f)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return fmt.Errorf("writing %s: %w", asset, err)
			}
		}
	}
	return nil
}
