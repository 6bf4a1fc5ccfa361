// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/e2e/cluster/manifests"
)

const (
	// ControllerNamespace is where Sluice's own pods are.
	ControllerNamespace = "sluice-system"
	// binaryAnnotation makes a rebuilt binary under the same image tag a new set of pods.
	binaryAnnotation = "e2e.sluice.dev/binary"
)

// Install applies deploy/install.yaml as a user would, with the image built
// here, and waits until the controller is available. Repeated, it changes only
// what differs.
func (c *Cluster) Install(ctx context.Context, progress io.Writer) error {
	text, err := os.ReadFile(filepath.Join(c.Settings.Root, "deploy", "install.yaml"))
	if err != nil {
		return fmt.Errorf("read the manifests: %w (make generate renders them)", err)
	}
	objects, err := manifests.Parse(text)
	if err != nil {
		return fmt.Errorf("deploy/install.yaml: %w", err)
	}
	applier, err := manifests.NewApplier(c.config)
	if err != nil {
		return err
	}
	if err := applier.ApplyCRDs(ctx, objects); err != nil {
		return err
	}
	deployments := manifests.OfKind(objects, "Deployment")
	for _, d := range deployments {
		if err := c.useLocalImage(d); err != nil {
			return err
		}
	}
	if err := applier.Apply(ctx, objects...); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "installed %d objects of deploy/install.yaml, waiting for the controller\n", len(objects))
	for _, d := range deployments {
		if err := c.waitAvailable(ctx, d.GetNamespace(), d.GetName()); err != nil {
			return err
		}
	}
	return nil
}

// useLocalImage makes a Deployment run the image that was built here, and restart when its binary is another.
func (c *Cluster) useLocalImage(d *unstructured.Unstructured) error {
	containers, _, err := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return fmt.Errorf("containers of Deployment %s: %w", d.GetName(), err)
	}
	for i := range containers {
		container, ok := containers[i].(map[string]any)
		if !ok {
			return fmt.Errorf("container %d of Deployment %s is not an object", i, d.GetName())
		}
		container["image"] = c.Image("sluice:dev")
		container["imagePullPolicy"] = string(corev1.PullIfNotPresent)
	}
	if err := unstructured.SetNestedSlice(d.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		return err
	}
	digest, err := fileDigest(filepath.Join(c.Settings.Root, "bin", "sluice"))
	if err != nil || digest == "" {
		return err
	}
	return unstructured.SetNestedField(d.Object, digest, "spec", "template", "metadata", "annotations", binaryAnnotation)
}

// fileDigest is empty for a file that is not there: another cluster's image was built elsewhere.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("digest of the binary: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("digest of the binary: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func (c *Cluster) waitAvailable(ctx context.Context, namespace, name string) error {
	return Poll(ctx, fmt.Sprintf("Deployment %s/%s to be available", namespace, name), func(ctx context.Context) (bool, string, error) {
		var d appsv1.Deployment
		if err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &d); err != nil {
			return false, "", err
		}
		want := ptr.Deref(d.Spec.Replicas, 1)
		st := d.Status
		done := st.ObservedGeneration >= d.Generation && st.UpdatedReplicas == want && st.AvailableReplicas == want && st.Replicas == want
		return done, fmt.Sprintf("%d of %d pods available, %d of the newest revision", st.AvailableReplicas, want, st.UpdatedReplicas), nil
	})
}

// Apply applies the objects of a YAML text by server-side apply.
func (c *Cluster) Apply(ctx context.Context, text []byte) error {
	objects, err := manifests.Parse(text)
	if err != nil {
		return err
	}
	applier, err := manifests.NewApplier(c.config)
	if err != nil {
		return err
	}
	return applier.Apply(ctx, objects...)
}
