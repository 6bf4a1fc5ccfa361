// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/manifests"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// namespace and account are the controller's own.
const (
	namespace = "sluice-system"
	account   = "sluice"
)

// podsReadyAfter is how long pods take in the API tier, as containers would.
const podsReadyAfter = time.Second

// quietFor is how long nothing must happen before a measurement begins or ends.
const quietFor = 5 * time.Second

// tier is an API tier with the controller and the gateway's stand-in on it.
type tier struct {
	api        *cluster.API
	shops      *harness.Cluster
	controller *process
	out        io.Writer
}

// startTier brings all of it up; stop ends it.
func startTier(ctx context.Context, binary string, out io.Writer) (t *tier, stop func(), err error) {
	ctrl.SetLogger(logr.Discard())
	root, err := cluster.RepoRoot()
	if err != nil {
		return nil, nil, err
	}
	up, err := cluster.StartAPI(ctx, cluster.APIOptions{Progress: out, PodReadyDelay: podsReadyAfter})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	t = &tier{api: up, out: out}
	stop = func() {
		cancel()
		if t.controller != nil {
			<-t.controller.done
		}
		up.Stop()
	}
	if err := t.fill(ctx, root, binary); err != nil {
		stop()
		return nil, nil, err
	}
	return t, stop, nil
}

func (t *tier) fill(ctx context.Context, root, binary string) error {
	if err := t.install(ctx, root); err != nil {
		return err
	}
	var err error
	t.shops, err = harness.On(t.api.Config(), harness.Settings{Root: root, GatewayNamespace: "gateway-system", GatewayName: "gateway"})
	if err != nil {
		return err
	}
	if err := startGateway(ctx, t.api.Config(), t.shops.Client.Scheme()); err != nil {
		return err
	}
	kubeconfig, err := t.kubeconfig(ctx)
	if err != nil {
		return err
	}
	t.controller, err = startController(ctx, binary, kubeconfig, t.api.Dir())
	return err
}

// install applies deploy/install.yaml but for the Deployment: the controller
// runs beside the tier, where its memory can be measured.
func (t *tier) install(ctx context.Context, root string) error {
	text, err := os.ReadFile(filepath.Join(root, "deploy", "install.yaml"))
	if err != nil {
		return fmt.Errorf("reading the manifests: %w (make generate renders them)", err)
	}
	all, err := manifests.Parse(text)
	if err != nil {
		return fmt.Errorf("deploy/install.yaml: %w", err)
	}
	gatewayAPI, err := manifests.GatewayAPI(ctx, root)
	if err != nil {
		return err
	}
	applier, err := manifests.NewApplier(t.api.Config())
	if err != nil {
		return err
	}
	if err := applier.ApplyCRDs(ctx, append(gatewayAPI, all...)); err != nil {
		return err
	}
	var rest []*unstructured.Unstructured
	for _, o := range all {
		if o.GetKind() != "Deployment" && o.GetKind() != manifests.CRDKind {
			rest = append(rest, o)
		}
	}
	return applier.Apply(ctx, rest...)
}

// kubeconfig writes one with which the controller acts as its own service
// account, and returns its path.
func (t *tier) kubeconfig(ctx context.Context) (string, error) {
	admin := t.api.Config()
	clients, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return "", fmt.Errorf("making a client: %w", err)
	}
	token, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](24 * 3600)},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("making the controller's token: %w", err)
	}
	config := api.NewConfig()
	config.Clusters["bench"] = &api.Cluster{Server: admin.Host, CertificateAuthority: admin.CAFile, CertificateAuthorityData: admin.CAData}
	config.AuthInfos["bench"] = &api.AuthInfo{Token: token.Status.Token}
	config.Contexts["bench"] = &api.Context{Cluster: "bench", AuthInfo: "bench"}
	config.CurrentContext = "bench"
	path := filepath.Join(t.api.Dir(), "controller.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the controller's kubeconfig: %w", err)
	}
	return path, nil
}

// quiet waits until the controller has asked nothing for quietFor, leader
// election and watches aside.
func (t *tier) quiet(ctx context.Context) error {
	return harness.Poll(ctx, fmt.Sprintf("the controller to ask nothing for %s", quietFor), func(context.Context) (bool, string, error) {
		if err := t.controller.alive(); err != nil {
			return false, "", err
		}
		c, err := count(t.api.AuditLog(), span{from: time.Now().Add(-quietFor)})
		asked := c.of(kindWrite) + c.of(kindEvent) + c.of(kindRead)
		return asked == 0, fmt.Sprintf("%d requests", asked), err
	})
}

// reaches waits until a shop's Rollout satisfies a condition.
func (t *tier) reaches(ctx context.Context, shop *harness.Shop, is func(*v1alpha1.Rollout) bool) error {
	return harness.Poll(ctx, "the Rollout of "+shop.Namespace, func(ctx context.Context) (bool, string, error) {
		if err := t.controller.alive(); err != nil {
			return false, "", err
		}
		r, err := shop.Rollout(ctx)
		if err != nil {
			return false, "", err
		}
		return is(r), harness.Describe(r), nil
	})
}

// wait lets a time pass.
func (t *tier) wait(ctx context.Context, lasting time.Duration) error {
	select {
	case <-time.After(lasting):
		return t.controller.alive()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// onlyNewest waits until a shop has as many pods as it wants and no more.
func (t *tier) onlyNewest(ctx context.Context, shop *harness.Shop, pods int) error {
	return harness.Poll(ctx, "the other revision's pods to be gone", func(ctx context.Context) (bool, string, error) {
		all, err := shop.Pods(ctx)
		return len(all) == pods, fmt.Sprintf("%d pods", len(all)), err
	})
}
