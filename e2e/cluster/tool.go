// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Tool is one program of the test clusters, built from a Go module of its own
// under e2e/cluster/tools so that nothing it needs enters the product's go.mod.
type Tool struct {
	// Name is the folder under tools and the name of the binary.
	Name string
	// Title is what a person calls it, for progress lines.
	Title string
	// Module is the required module whose version names the build; empty for a
	// tool whose code is all ours.
	Module string
	// Package is what to build, "." for the folder's own main package.
	Package string
	// Tags are build tags.
	Tags string
	// LinkFlags are given to the linker; VERSION in them stands for the
	// module's version.
	LinkFlags string
	// Static builds without cgo, for binaries that run in an empty image.
	Static bool
	// Usually says how long a first build takes.
	Usually string
}

// The tools that the clusters are made of.
var (
	// Kube is every Kubernetes component in one binary; its first argument
	// names the component.
	Kube = Tool{
		Name: "kube", Title: "Kubernetes", Module: "k8s.io/kubernetes", Package: ".",
		LinkFlags: "-s -w -X k8s.io/component-base/version.gitVersion=VERSION", Usually: "8 min on 2 cores",
	}
	// Etcd stores the cluster.
	Etcd = Tool{
		Name: "etcd", Title: "etcd", Module: "go.etcd.io/etcd/server/v3", Package: "go.etcd.io/etcd/server/v3",
		LinkFlags: "-s -w", Usually: "1 min on 2 cores",
	}
	// Prometheus measures the full tier, and in a pod of its own what a story lets it measure. The tags leave out every service
	// discovery but that of Kubernetes.
	Prometheus = Tool{
		Name: "prometheus", Title: "Prometheus", Module: "github.com/prometheus/prometheus",
		Package: "github.com/prometheus/prometheus/cmd/prometheus", Tags: "remove_all_sd,enable_kubernetes_sd",
		LinkFlags: "-s -w", Static: true, Usually: "3 min on 2 cores",
	}
	// Traefik is the Gateway API data plane of the full tier.
	Traefik = Tool{
		Name: "traefik", Title: "Traefik", Module: "github.com/traefik/traefik/v3",
		Package: "github.com/traefik/traefik/v3/cmd/traefik", LinkFlags: "-s -w", Usually: "10 min on 2 cores",
	}
	// Istiod is Istio's control plane, built with the tags that Istio ships it with. Its
	// releases carry no tags that Go takes for versions, so it is given by commit.
	Istiod = Tool{
		Name: "istiod", Title: "Istio", Module: "istio.io/istio",
		Package: "istio.io/istio/pilot/cmd/pilot-discovery", Tags: "vtprotobuf,disable_pgv",
		LinkFlags: "-s -w", Usually: "5 min on 2 cores",
	}
	// Image packs one static binary into a container image without Docker.
	Image = Tool{
		Name: "image", Title: "the image packer", Module: "github.com/google/go-containerregistry", Package: ".",
		LinkFlags: "-s -w", Usually: "20 s",
	}
	// Pause holds the namespaces of a pod open.
	Pause = Tool{Name: "pause", Title: "the pause program", Package: ".", LinkFlags: "-s -w", Static: true, Usually: "5 s"}
)

// APITools are the tools that the API tier needs.
func APITools() []Tool { return []Tool{Etcd, Kube} }

// FullTools are the tools that the full tier needs.
func FullTools() []Tool { return []Tool{Etcd, Kube, Prometheus, Traefik, Istiod, Image, Pause} }

// recipe is a tool as found in a checkout: where it is built and under which
// name the result is kept.
type recipe struct {
	tool    Tool
	dir     string
	version string
	key     string
}

// newRecipe reads the tool's module under toolsDir. goVersion is part of the
// key because another compiler gives another binary.
func newRecipe(tool Tool, toolsDir, goVersion string) (recipe, error) {
	r := recipe{tool: tool, dir: filepath.Join(toolsDir, tool.Name), version: "local"}
	mod, err := os.ReadFile(filepath.Join(r.dir, "go.mod"))
	if err != nil {
		return recipe{}, fmt.Errorf("reading the module of %s: %w", tool.Name, err)
	}
	if tool.Module != "" {
		if r.version, err = requiredVersion(string(mod), tool.Module); err != nil {
			return recipe{}, err
		}
	}
	sum, err := r.digest(goVersion)
	if err != nil {
		return recipe{}, err
	}
	r.key = fmt.Sprintf("%s-%s-%s", tool.Name, r.version, sum[:12])
	return r, nil
}

// digest covers everything that decides what the binary will be.
func (r recipe) digest(goVersion string) (string, error) {
	files, err := filepath.Glob(filepath.Join(r.dir, "*.go"))
	if err != nil {
		return "", fmt.Errorf("listing the sources of %s: %w", r.tool.Name, err)
	}
	files = append(files, filepath.Join(r.dir, "go.mod"), filepath.Join(r.dir, "go.sum"))
	slices.Sort(files)
	h := sha256.New()
	fmt.Fprintln(h, goVersion, runtime.GOOS, runtime.GOARCH, r.tool.Static)
	fmt.Fprintln(h, strings.Join(r.goArgs("binary"), " "))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // a module without dependencies has no go.sum
		}
		if err != nil {
			return "", fmt.Errorf("reading the sources of %s: %w", r.tool.Name, err)
		}
		fmt.Fprintln(h, filepath.Base(file), len(text))
		_, _ = io.Writer(h).Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// goArgs are the arguments of the go command that builds the tool.
func (r recipe) goArgs(output string) []string {
	args := []string{"build", "-buildvcs=false", "-mod=readonly", "-o", output}
	if r.tool.Tags != "" {
		args = append(args, "-tags", r.tool.Tags)
	}
	args = append(args, "-ldflags", strings.ReplaceAll(r.tool.LinkFlags, "VERSION", r.version))
	return append(args, r.tool.Package)
}

// requiredVersion finds which version of a module a go.mod requires.
func requiredVersion(goMod, path string) (string, error) {
	line := regexp.MustCompile(`(?m)^(?:require)?\s+` + regexp.QuoteMeta(path) + `\s+(v\S+)`)
	match := line.FindStringSubmatch(goMod)
	if match == nil {
		return "", fmt.Errorf("go.mod does not require %s", path)
	}
	return match[1], nil
}
