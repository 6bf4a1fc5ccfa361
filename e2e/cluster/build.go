// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Toolchain builds tools once and keeps them in a cache folder.
type Toolchain struct {
	cache    string
	source   string
	progress io.Writer
}

// NewToolchain returns the toolchain of the checkout around the working
// directory. The cache is $SLUICE_CACHE, or a folder of the user's own cache.
// What takes long is told on progress.
func NewToolchain(progress io.Writer) (*Toolchain, error) {
	root, err := RepoRoot()
	if err != nil {
		return nil, err
	}
	cache := os.Getenv("SLUICE_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("finding a cache folder (set SLUICE_CACHE to name one): %w", err)
		}
		cache = filepath.Join(user, "sluice")
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return nil, fmt.Errorf("resolving SLUICE_CACHE: %w", err)
	}
	return &Toolchain{cache: cache, source: filepath.Join(root, "e2e", "cluster", "tools"), progress: progress}, nil
}

// Ensure returns the path of the tool's binary and builds it if the cache does
// not hold it. Several processes may ask at once: one builds, the others wait.
func (t *Toolchain) Ensure(ctx context.Context, tool Tool) (string, error) {
	goVersion, err := output(ctx, t.source, "go", "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	r, err := newRecipe(tool, t.source, goVersion)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(t.cache, "tools", r.key)
	binary := filepath.Join(dir, tool.Name)
	if isFile(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the tool cache: %w", err)
	}
	unlock, err := t.lock(ctx, tool, filepath.Join(dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isFile(binary) { // built by another process while this one waited
		return binary, nil
	}
	return binary, t.build(ctx, r, binary)
}

// EnsureAll is Ensure for several tools; the result maps names to paths.
func (t *Toolchain) EnsureAll(ctx context.Context, tools ...Tool) (map[string]string, error) {
	paths := make(map[string]string, len(tools))
	for _, tool := range tools {
		path, err := t.Ensure(ctx, tool)
		if err != nil {
			return nil, err
		}
		paths[tool.Name] = path
	}
	return paths, nil
}

func (t *Toolchain) build(ctx context.Context, r recipe, binary string) error {
	partial := fmt.Sprintf("%s.partial-%d", binary, os.Getpid())
	defer func() { _ = os.Remove(partial) }()

	beat := startHeartbeat(t.progress, fmt.Sprintf("building %s (%s %s), usually %s, once",
		r.tool.Name, r.tool.Title, r.version, r.tool.Usually))
	cmd := exec.CommandContext(ctx, "go", r.goArgs(partial)...)
	cmd.Dir = r.dir
	// The tool modules stand alone, whatever workspace or flags the caller has.
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if r.tool.Static {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	out, err := cmd.CombinedOutput()
	beat.stop()
	if err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", r.tool.Name, r.dir, err, tail(string(out), 25))
	}
	if err := os.Rename(partial, binary); err != nil {
		return fmt.Errorf("putting %s into the cache: %w", r.tool.Name, err)
	}
	return nil
}

func (t *Toolchain) lock(ctx context.Context, tool Tool, path string) (func(), error) {
	unlock, free, err := tryLock(path)
	if err != nil || free {
		return unlock, err
	}
	beat := startHeartbeat(t.progress, fmt.Sprintf("waiting for another process that builds %s", tool.Name))
	defer beat.stop()
	return waitLock(ctx, path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// output runs a command and returns its trimmed standard output.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}
