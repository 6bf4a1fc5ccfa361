// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"slices"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// unit is one duty of the cluster, described whole in one file: its servers, and
// whatever these need before they start. A further data plane is a further unit.
type unit struct {
	// parts are its servers, in the order of starting.
	parts []part
	// callers maps the name of each kubeconfig it needs to whom it makes its
	// bearer. What a user may do stands in one of the manifests, unless
	// Kubernetes knows the user already.
	callers map[string]controlplane.User
	// certificates are issued by the cluster's authority, by file name.
	certificates map[string]controlplane.Subject
	// configs maps assets to the files that are made of them.
	configs map[string]string
	// manifests are assets whose objects are applied after the custom resource
	// definitions and before parts of the stage afterManifests.
	manifests []string
	// checks are what has to be so beside parts that serve.
	checks []check
}

// check is something to wait for before the cluster counts as up.
type check struct {
	what  string
	ready func(ctx context.Context) error
}

// stage is when a part starts. Within a stage all start at once.
type stage int

const (
	// first are the parts that all others wait for.
	first stage = iota
	// afterFirst needs the API server or containerd.
	afterFirst
	// afterImages needs the pause image too.
	afterImages
	// afterManifests needs objects that are not built in, such as a Gateway.
	afterManifests
)

// part is a server of the cluster: one process that outlives the command which
// started it.
type part struct {
	name  string
	stage stage
	// argv is its command line.
	argv func(inputs) []string
	// ready tells whether the part serves; the error says why not. It is nil for
	// a part that serves nobody: that it runs is all there is to see.
	ready func(ctx context.Context) error
}

// inputs are what command lines are made of beside the layout.
type inputs struct {
	// tools maps names to binaries.
	tools    map[string]string
	settings controlplane.Settings
}

// kube is the command line of a Kubernetes component.
func (in inputs) kube(name string, flags controlplane.Flags) []string {
	return append([]string{in.tools["kube"], name}, flags.Args()...)
}

// tool is the command line of a tool that is one server.
func (in inputs) tool(name string, flags controlplane.Flags) []string {
	return append([]string{in.tools[name]}, flags.Args()...)
}

// site is where the units of one cluster find each other.
type site struct {
	at  layout
	net network
	api apiServer
}

// units lists every unit of the cluster.
func (s site) units() []unit {
	return []unit{controlPlane{s}.unit(), nodeRuntime{s}.unit(), monitoring{s}.unit(), gateway{s}.unit(), mesh{s}.unit()}
}

// partsOf lists the parts of all units in the order of starting.
func partsOf(units []unit) []part {
	var all []part
	for _, u := range units {
		all = append(all, u.parts...)
	}
	slices.SortStableFunc(all, func(a, b part) int { return int(a.stage) - int(b.stage) })
	return all
}

// of keeps the parts of this stage.
func (s stage) of(parts []part) []part {
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.stage != s })
}
