// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// module is the path of the Go module whose checkout holds the tools.
const module = "github.com/sluice-dev/sluice"

// ErrNoRepo means that no checkout of the project was found.
var ErrNoRepo = errors.New("no checkout of " + module + " found: run this from inside one")

// RepoRoot finds the checkout: the nearest folder above the working directory
// whose go.mod names the project, or else the one this file was compiled from.
func RepoRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	if root, ok := rootAbove(start); ok {
		return root, nil
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		if root, ok := rootAbove(filepath.Dir(file)); ok {
			return root, nil
		}
	}
	return "", ErrNoRepo
}

func rootAbove(dir string) (string, bool) {
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module "+module+"\n")) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
