// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Where the controller is installed.
const (
	controllerNamespace = "sluice-system"
	controllerName      = "sluice"
	versionLabel        = "app.kubernetes.io/version"
)

// versionTimeout bounds the look at the cluster, which is a courtesy only.
const versionTimeout = 3 * time.Second

const versionLong = `Print the version of the plugin and that of the controller in the cluster, as its Deployment
sluice-system/sluice says by label app.kubernetes.io/version. Keep the two alike: both tell by the
same rules whether a pod template is a new revision.

Exit codes:
  0    printed, also when the controller's version can't be found out; why is said in its place
  1    wrong usage`

func newVersion(s *session) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of the plugin and of the controller",
		Long:    versionLong,
		Example: "  kubectl sluice version\n  kubectl sluice version --client",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(s.Out, "Client:     %s\n", s.Version)
			if !clientOnly {
				fmt.Fprintf(s.Out, "Controller: %s\n", s.controllerVersion(cmd.Context()))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "Print the plugin's version only, without asking the cluster")
	return cmd
}

// controllerVersion is best effort: why it is unknown is said in its place.
func (s *session) controllerVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	var d appsv1.Deployment
	err = c.client.Get(ctx, client.ObjectKey{Namespace: controllerNamespace, Name: controllerName}, &d)
	where := fmt.Sprintf("Deployment %s/%s", controllerNamespace, controllerName)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("unknown (there is no %s; Sluice is not installed here, or in another namespace)", where)
	case err != nil:
		return fmt.Sprintf("unknown (%v)", c.explain("read "+where, err))
	}
	return fmt.Sprintf("%s (%d of %d ready)", versionOf(&d), d.Status.ReadyReplicas, d.Status.Replicas)
}

// versionOf is what a Deployment says of itself: its label, and the image that it
// runs where that has another tag, as whoever sets an image need not think of a label.
func versionOf(d *appsv1.Deployment) string {
	version := d.Labels[versionLabel]
	for _, c := range d.Spec.Template.Spec.Containers {
		switch {
		case c.Name != controllerName || version != "" && strings.HasSuffix(c.Image, ":"+version):
		case version == "":
			return "image " + c.Image
		default:
			return version + ", by image " + c.Image
		}
	}
	return cmp.Or(version, "unknown")
}
