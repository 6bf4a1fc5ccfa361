// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	monitoringName  = "prometheus"
	monitoringPort  = "9090"
	monitoringImage = "prometheus:dev"
)

// monitoringYAML is a Prometheus in a pod that scrapes the pods of its own
// namespace every second, as the shared one does. What it has stored outlives
// its container.
const monitoringYAML = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: prometheus, namespace: NAMESPACE}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prometheus, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: prometheus}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: NAMESPACE}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: NAMESPACE}
data:
  prometheus.yml: |
    global: {scrape_interval: 1s, scrape_timeout: 1s}
    scrape_configs:
    - job_name: pods
      kubernetes_sd_configs: [{role: pod, namespaces: {own_namespace: true}}]
      relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}
      - {source_labels: [__meta_kubernetes_pod_phase], regex: Running, action: keep}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: NAMESPACE, labels: {app: prometheus}}
spec:
  serviceAccountName: prometheus
  terminationGracePeriodSeconds: 1
  containers:
  - name: prometheus
    image: IMAGE
    imagePullPolicy: IfNotPresent
    args: [--config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.path=/data, --web.listen-address=:9090, --web.enable-lifecycle, --log.level=warn]
    ports: [{name: http, containerPort: 9090}]
    readinessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 1}
    volumeMounts: [{name: config, mountPath: /etc/prometheus}, {name: data, mountPath: /data}]
  volumes:
  - {name: config, configMap: {name: prometheus}}
  - {name: data, emptyDir: {}}
---
apiVersion: v1
kind: Service
metadata: {name: prometheus, namespace: NAMESPACE}
spec:
  selector: {app: prometheus}
  ports: [{name: http, port: 80, targetPort: 9090}]
`

// Monitoring is a Prometheus of a shop's own, which may come to harm.
type Monitoring struct {
	// URL to ask it at.
	URL string
	Witness
}

// Monitor starts it in a shop's namespace and waits until it answers.
func Monitor(ctx context.Context, s *Shop) (*Monitoring, error) {
	text := strings.NewReplacer("NAMESPACE", s.Namespace, "IMAGE", s.Cluster.Image(monitoringImage)).Replace(monitoringYAML)
	if err := s.Cluster.Apply(ctx, []byte(text)); err != nil {
		return nil, err
	}
	m := &Monitoring{Witness: s.Witness}
	var svc corev1.Service
	if err := m.get(ctx, monitoringName, &svc); err != nil {
		return nil, err
	}
	m.URL = "http://" + svc.Spec.ClusterIP
	return m, m.untilLife(ctx, 0)
}

// Restart ends its process in good order and waits until another serves. Each
// time the kubelet takes longer to start one.
func (m *Monitoring) Restart(ctx context.Context) error {
	before, err := m.lives(ctx)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(m.cluster.config)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	quit := clients.CoreV1().RESTClient().Post().Namespace(m.namespace).Resource("pods").
		Name(monitoringName + ":" + monitoringPort).SubResource("proxy").Suffix("-/quit")
	if err := quit.Do(ctx).Error(); err != nil {
		return fmt.Errorf("end the shop's Prometheus: %w", err)
	}
	return m.untilLife(ctx, before+1)
}

// untilLife waits until it serves after having been started again so many times.
func (m *Monitoring) untilLife(ctx context.Context, restarts int32) error {
	return Poll(ctx, "the shop's own Prometheus to serve", func(ctx context.Context) (bool, string, error) {
		var pod corev1.Pod
		if err := m.get(ctx, monitoringName, &pod); err != nil {
			return false, "", err
		}
		ready := false
		for _, c := range pod.Status.Conditions {
			ready = ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		n, err := restartsOf(pod)
		return err == nil && ready && n >= restarts, fmt.Sprintf("phase %s, ready %v, restarts %d", pod.Status.Phase, ready, n), err
	})
}

func (m *Monitoring) lives(ctx context.Context) (int32, error) {
	var pod corev1.Pod
	if err := m.get(ctx, monitoringName, &pod); err != nil {
		return 0, err
	}
	return restartsOf(pod)
}

func restartsOf(pod corev1.Pod) (int32, error) {
	if len(pod.Status.ContainerStatuses) == 0 {
		return 0, errors.New("the pod has no container yet")
	}
	return pod.Status.ContainerStatuses[0].RestartCount, nil
}
