// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// namespace of the shop, as its manifests say.
const namespace = "shop"

//go:embed manifests/*.yaml
var files embed.FS

// demo is one showing.
type demo struct {
	cluster  *harness.Cluster
	out      *screen
	rate     int
	shop     *harness.Shop
	seen     *harness.Recorder
	traffic  *load.Generator
	versions map[string]string // by revision hash
	started  time.Time
	promoted time.Duration
}

// play runs the demo from an empty cluster to the summary.
func (d *demo) play(ctx context.Context) error {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.setUp(ctx, watch); err != nil {
		return err
	}
	defer d.traffic.Stop()
	if err := d.releaseGood(ctx); err != nil {
		return err
	}
	if err := d.releaseBad(ctx); err != nil {
		return err
	}
	d.traffic.Stop()
	return d.summary(ctx)
}

// setUp installs Sluice, deploys version v1 and starts the load.
func (d *demo) setUp(ctx, watch context.Context) error {
	d.out.title("Installing Sluice")
	if err := d.cluster.Install(ctx, d.out); err != nil {
		return err
	}
	d.out.title("Deploying the shop, version v1, behind the gateway")
	if err := d.clear(ctx); err != nil {
		return err
	}
	for _, name := range []string{"shop.yaml", "rollout.yaml"} {
		text, err := files.ReadFile("manifests/" + name)
		if err != nil {
			return err
		}
		if err := d.cluster.Apply(ctx, []byte(d.localise(string(text)))); err != nil {
			return fmt.Errorf("e2e/demo/manifests/%s: %w", name, err)
		}
	}
	d.shop = d.cluster.OpenShop(namespace)
	var err error
	if d.seen, err = d.shop.Record(watch); err != nil {
		return err
	}
	if err := d.seen.Wait(ctx, "version v1 to be healthy", harness.Reached(v1alpha1.PhaseHealthy, 1)); err != nil {
		return err
	}
	if err := d.shop.Answers(ctx, "v1"); err != nil {
		return err
	}
	d.out.say("%s", d.seen.Latest().Status.Message)
	if d.traffic, err = d.shop.Load(d.rate, 5*time.Minute); err != nil {
		return err
	}
	d.started = time.Now()
	d.traffic.Start(ctx)
	d.out.say("Sending %d requests per second to http://%s through the gateway", d.rate, d.shop.Host())
	return d.shop.WaitScraped(ctx)
}

// localise puts the addresses of this cluster in the place of the full tier's.
func (d *demo) localise(manifest string) string {
	s := d.cluster.Settings
	return strings.NewReplacer(
		"http://10.250.0.1:9090", s.PrometheusURL,
		"{namespace: gateway-system, name: gateway}", fmt.Sprintf("{namespace: %s, name: %s}", s.GatewayNamespace, s.GatewayName),
		"image: shop:dev", "image: "+d.cluster.Image("shop:dev"),
	).Replace(manifest)
}

// clear removes the shop of an earlier showing.
func (d *demo) clear(ctx context.Context) error {
	ns := &corev1.Namespace{}
	ns.Name = namespace
	err := d.cluster.Client.Delete(ctx, ns)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the shop of an earlier demo: %w", err)
	}
	d.out.say("removing the shop of an earlier demo")
	return harness.Poll(ctx, "the shop of an earlier demo to be gone", func(ctx context.Context) (bool, string, error) {
		err := d.cluster.Client.Get(ctx, client.ObjectKey{Name: namespace}, ns)
		if apierrors.IsNotFound(err) {
			return true, "", nil
		}
		return false, fmt.Sprintf("%v", ns.Status.Conditions), err
	})
}

// releaseGood releases version v2 and shows its way to all users.
func (d *demo) releaseGood(ctx context.Context) error {
	d.out.title("Releasing version v2, a good one")
	start := time.Now()
	generation, err := d.shop.Change(ctx, harness.Version("v2"))
	if err != nil {
		return err
	}
	if err := d.show(ctx, harness.Reached(v1alpha1.PhaseHealthy, generation)); err != nil {
		return err
	}
	d.promoted = time.Since(start)
	d.out.say(green+"v2 is promoted after %s."+plain, seconds(d.promoted))
	return d.showShare(ctx, "v2", 100)
}

// releaseBad releases version v3, which answers some requests with 500, and shows how it is taken back.
func (d *demo) releaseBad(ctx context.Context) error {
	d.out.title("Releasing version v3, a bad one: it answers 30 % of its requests with 500")
	generation, err := d.shop.Change(ctx, harness.Version("v3"), harness.Faulty("0.3"))
	if err != nil {
		return err
	}
	ended := func(r *v1alpha1.Rollout) bool {
		return harness.Reached(v1alpha1.PhaseDegraded, generation)(r) || harness.Reached(v1alpha1.PhaseHealthy, generation)(r)
	}
	if err := d.show(ctx, ended); err != nil {
		return err
	}
	abort := d.seen.Latest().Status.Abort
	if abort == nil {
		return fmt.Errorf("version v3 was not aborted: %s", harness.Describe(d.seen.Latest()))
	}
	d.out.say(red+"v3 was aborted: %s"+plain, abort.Message)
	return d.showShare(ctx, "v3", 0)
}

// learn asks which version each revision is.
func (d *demo) learn(ctx context.Context) error {
	versions, err := d.shop.Versions(ctx)
	maps.Copy(d.versions, versions)
	return err
}

// shares gives the shares of all periods that are long enough so far.
func (d *demo) shares() ([]harness.Share, error) {
	var shares []harness.Share
	for _, p := range harness.Periods(d.seen.Points(), time.Now()) {
		m, enough, err := p.Measure(d.traffic.History(), d.versions, d.cluster.Settings.ShareLevel)
		if err != nil {
			return nil, err
		}
		if enough {
			shares = append(shares, m)
		}
	}
	return shares, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
