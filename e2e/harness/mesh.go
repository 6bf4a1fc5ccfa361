// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// callerName is the pod in a mesh that makes the calls, and the Service before it.
	callerName = "caller"
	grpcImage  = "grpcshop:dev"
	// callerPort is where the caller takes HTTP requests.
	callerPort = 8090
)

// Mesh is a shop inside a mesh without proxies: its clients speak xDS with
// istiod themselves, and what they call is Service "shop".
type Mesh struct {
	// Route is what the Rollout steers.
	Route v1alpha1.RouteRef
	// Objects are it and what it needs, in YAML.
	Objects string
	// Made leaves it to the controller to make the slots' Services.
	Made bool
}

// rollout makes the shop's Rollout one of the shop that speaks gRPC.
func (m Mesh) rollout(image string) Modifier {
	return func(r *v1alpha1.Rollout) {
		r.Spec.Template.Annotations["prometheus.io/port"] = fmt.Sprint(adminPort)
		c := &r.Spec.Template.Spec.Containers[0]
		c.Image = image
		c.Ports = []corev1.ContainerPort{{Name: "grpc", ContainerPort: port}, {Name: "admin", ContainerPort: adminPort}}
		c.ReadinessProbe.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}}
		canary := r.Spec.Strategy.Canary
		canary.Routes = []v1alpha1.RouteRef{m.Route}
		if m.Made {
			canary.Service, canary.StableService, canary.CanaryService = Name, "", ""
		}
	}
}

// NewShop creates a namespace with Services, the mesh's objects and somebody who calls.
func (m Mesh) NewShop(ctx context.Context, c *Cluster, namespace string) (*Shop, error) {
	if !c.Settings.Inside {
		return nil, errors.New("stories of the mesh reach their client by the address of its Service; run them where that can be reached, with E2E_INSIDE=true, and set E2E_ISTIOD")
	}
	s := c.OpenShop(namespace)
	s.mesh = &m
	s.Witness.route = schema.FromAPIVersionAndKind(m.Route.APIVersion, m.Route.Kind)
	front := service(namespace, callerName, HTTP().port())
	front.Spec.Selector = map[string]string{"app": callerName}
	front.Spec.Ports[0].TargetPort = intstr.FromInt32(callerPort)
	objects := []client.Object{storyNamespace(namespace), grpcService(namespace, Name), front, callerPod(c, namespace)}
	if !m.Made {
		objects = append(objects, grpcService(namespace, StableService), grpcService(namespace, CanaryService))
	}
	for _, o := range objects {
		if err := c.Client.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("set up the shop: %w", err)
		}
	}
	s.caller = "http://" + front.Spec.ClusterIP
	return s, c.Apply(ctx, []byte(strings.ReplaceAll(m.Objects, "NAMESPACE", namespace)))
}

// grpcService is a Service whose port Istio knows to speak HTTP/2.
func grpcService(namespace, name string) *corev1.Service {
	s := service(namespace, name, HTTP().port())
	s.Spec.Ports[0].Name = "grpc"
	return s
}

// callerPod calls the shop, known to istiod as a client without a proxy.
func callerPod(c *Cluster, namespace string) *corev1.Pod {
	bootstrap := fmt.Sprintf(`{"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
 "node": {"id": "sidecar~$(POD_IP)~%s~%s.svc.cluster.local",
  "metadata": {"GENERATOR": "grpc", "NAMESPACE": %q, "CLUSTER_ID": "Kubernetes", "INSTANCE_IPS": "$(POD_IP)"}}}`,
		c.Settings.Istiod, callerName+"."+namespace, namespace, namespace)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: callerName, Labels: map[string]string{"app": callerName}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers: []corev1.Container{{
				Name: callerName, Image: c.Image(grpcImage), ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"call"},
				Env: []corev1.EnvVar{
					{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
					{Name: "TARGET", Value: fmt.Sprintf("xds:///%s.%s.svc.cluster.local:80", Name, namespace)},
					{Name: "GRPC_XDS_BOOTSTRAP_CONFIG", Value: bootstrap},
				},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(callerPort)}},
					PeriodSeconds: 1,
				},
			}},
		},
	}
}

// Told is what istiod says that it has told the caller of a shop in a mesh, in JSON.
func (w Witness) Told(ctx context.Context) (string, error) {
	url := fmt.Sprintf("%s/debug/config_dump?proxyID=%s.%s", w.cluster.Settings.IstiodDebugURL, callerName, w.namespace)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("ask istiod: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask istiod: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.200s", url, response.Status, text)
	}
	return string(text), err
}
