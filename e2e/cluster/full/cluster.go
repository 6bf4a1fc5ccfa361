// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"

	"github.com/sluice-dev/sluice/e2e/cluster"
)

// Cluster is the full tier of this machine, running or not.
type Cluster struct {
	site
	tell    progress
	groups  groups
	servers servers
	units   []unit
}

// New returns the cluster whose state is in $SLUICE_CLUSTER_DIR, or in the
// default folder. Progress is told on out.
func New(out io.Writer) (*Cluster, error) {
	at, err := newLayout()
	if err != nil {
		return nil, err
	}
	tell, net := progress{out}, network{at}
	here := site{at: at, net: net, api: apiServer{at, net}}
	return &Cluster{site: here, tell: tell, groups: groups{at.id}, servers: servers{at, tell}, units: here.units()}, nil
}

// Kubeconfig is the path of the administrator's kubeconfig. Its server can be
// reached from inside the cluster's network namespace only; see Exec.
func (c *Cluster) Kubeconfig() string { return c.at.kubeconfig("admin") }

// AuditLog is the path of the API server's audit log.
func (c *Cluster) AuditLog() string { return c.at.auditLog() }

// Config is how to talk to the API server from outside the namespace: it dials
// from within. It needs root.
func (c *Cluster) Config() (*rest.Config, error) { return c.api.config() }

// Build builds tools and starts nothing. It needs no root.
func (c *Cluster) Build(ctx context.Context, tools ...cluster.Tool) error {
	_, err := c.build(ctx, tools...)
	return err
}

func (c *Cluster) build(ctx context.Context, tools ...cluster.Tool) (map[string]string, error) {
	chain, err := cluster.NewToolchain(c.tell.out)
	if err != nil {
		return nil, err
	}
	return chain.EnsureAll(ctx, tools...)
}

// Up brings the cluster up, or does nothing if it runs. What an earlier run has
// left half-way, it removes first.
func (c *Cluster) Up(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := lock(ctx, c.at, c.tell)
	if err != nil {
		return err
	}
	defer unlock()
	if c.healthy(ctx) {
		fmt.Fprintln(c.tell.out, "The cluster is running already.")
		return nil
	}
	if err := c.clearRemains(ctx); err != nil {
		return err
	}
	if err := ensurePackages(ctx, c.tell.out); err != nil {
		return err
	}
	tools, err := c.build(ctx, cluster.FullTools()...)
	if err != nil {
		return err
	}
	begin := time.Now()
	fmt.Fprintf(c.tell.out, "Bringing the cluster up in %s, network namespace %s.\n", c.at.dir, c.at.id)
	s := starter{site: c.site, groups: c.groups, servers: c.servers, tell: c.tell, units: c.units, tools: tools}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("bringing the cluster up (logs are in %s): %w", c.at.path("logs"), err)
	}
	fmt.Fprintf(c.tell.out, "The cluster is up after %.1f s. Try: sluice-cluster exec -- kubectl get pods -A\n", time.Since(begin).Seconds())
	return nil
}

// healthy tells whether an earlier Up has finished and every part still runs.
func (c *Cluster) healthy(ctx context.Context) bool {
	if _, err := os.Stat(c.at.complete()); err != nil {
		return false
	}
	for _, p := range partsOf(c.units) {
		if !c.servers.running(p.name) {
			c.tell.say("%s is not running any more", p.name)
			return false
		}
	}
	return c.api.ready(ctx) == nil
}

// clearRemains removes whatever an earlier run has left.
func (c *Cluster) clearRemains(ctx context.Context) error {
	left, err := c.Leftovers(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	fmt.Fprintln(c.tell.out, "Found the remains of an earlier cluster; removing them first.")
	return c.remains().remove(ctx)
}

func (c *Cluster) remains() remains {
	return remains{at: c.at, net: c.net, groups: c.groups, servers: c.servers, parts: partsOf(c.units)}
}

// Leftovers lists in words everything on this machine that belongs to the
// cluster. After Down it is empty; while the cluster runs it is long.
func (c *Cluster) Leftovers(ctx context.Context) ([]string, error) { return c.remains().list(ctx) }

// Down removes the cluster and every trace of it. It may be repeated.
func (c *Cluster) Down(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := lock(ctx, c.at, c.tell)
	if err != nil {
		return err
	}
	defer unlock()
	begin := time.Now()
	if err := c.remains().remove(ctx); err != nil {
		return fmt.Errorf("removing the cluster: %w", err)
	}
	fmt.Fprintf(c.tell.out, "The cluster is gone after %.1f s.\n", time.Since(begin).Seconds())
	return nil
}

// Load makes an image of one static binary, or of the cluster's own Prometheus
// when that is named @prometheus, and gives it to the node under the given name and tag. Pods that use it need an imagePullPolicy of Never or
// IfNotPresent.
func (c *Cluster) Load(ctx context.Context, ref, binary string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if !c.servers.running(containerd) {
		return ErrNotRunning
	}
	tools, err := c.build(ctx, cluster.Image, cluster.Prometheus)
	if err != nil {
		return err
	}
	if binary == "@"+cluster.Prometheus.Name {
		binary = tools[cluster.Prometheus.Name]
	}
	if err := (images{at: c.at, packer: tools[cluster.Image.Name]}).load(ctx, ref, binary); err != nil {
		return fmt.Errorf("loading image %s: %w", ref, err)
	}
	c.tell.say("image %s loaded from %s", ref, binary)
	return nil
}

// Exec becomes a program that runs inside the cluster's network namespace, with
// KUBECONFIG set and kubectl in PATH. It returns only if it fails.
func (c *Cluster) Exec(argv ...string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(c.at.complete()); err != nil {
		return ErrNotRunning
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("looking for nsenter: %w", err)
	}
	argv = append([]string{"nsenter", "--net=" + c.at.netns(), "--"}, argv...)
	if err := unix.Exec(nsenter, argv, environment(os.Environ(), c.at)); err != nil {
		return fmt.Errorf("starting %s: %w", strings.Join(argv[3:], " "), err)
	}
	return nil
}
