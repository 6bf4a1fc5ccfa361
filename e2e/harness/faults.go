// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Trouble makes pods of a shop do what nobody wants.
type Trouble struct{ Witness }

// Misbehave makes every running pod of a version, or of all versions when it is
// empty, fail a share of its requests, and gives the number of pods. Pods that
// start later behave as their template says.
func (t Trouble) Misbehave(ctx context.Context, version, errorRate string) (int, error) {
	pods, err := t.podsOf(ctx, version)
	if err != nil {
		return 0, err
	}
	for i := range pods {
		if err := t.tell(ctx, pods[i].Name, "faults", map[string]string{"error-rate": errorRate}); err != nil {
			return 0, err
		}
	}
	return len(pods), nil
}

// FailNext makes one running pod of a version fail exactly so many of its next requests.
func (t Trouble) FailNext(ctx context.Context, version string, n int) error {
	pods, err := t.podsOf(ctx, version)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("no pod of %s to fail requests", version)
	}
	return t.tell(ctx, pods[0].Name, "faults", map[string]string{"errors": strconv.Itoa(n)})
}

// Unmeasure makes every running pod refuse its metrics, or serve them again.
func (t Trouble) Unmeasure(ctx context.Context, refuse bool) error {
	pods, err := t.podsOf(ctx, "")
	if err != nil {
		return err
	}
	for i := range pods {
		if err := t.tell(ctx, pods[i].Name, "faults", map[string]string{"unmeasured": strconv.FormatBool(refuse)}); err != nil {
			return err
		}
	}
	return nil
}

// Restart has the container of one pod of a version end by itself, as after
// SIGTERM: it goes on serving while callers learn of it. Its counters begin anew.
func (t Trouble) Restart(ctx context.Context, version string) error {
	pods, err := t.podsOf(ctx, version)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("no pod of %s to restart", version)
	}
	return t.tell(ctx, pods[0].Name, "quit", nil)
}

// tell posts something to a pod, through the API server.
func (t Trouble) tell(ctx context.Context, pod, what string, params map[string]string) error {
	clients, err := kubernetes.NewForConfig(t.cluster.config)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	post := clients.CoreV1().RESTClient().Post().Namespace(t.namespace).Resource("pods").
		Name(pod + ":" + strconv.Itoa(port)).SubResource("proxy").Suffix(what).Timeout(10 * time.Second)
	for k, v := range params {
		post.Param(k, v)
	}
	if err := post.Do(ctx).Error(); err != nil {
		return fmt.Errorf("tell pod %s to %s: %w", pod, what, err)
	}
	return nil
}

// podsOf lists the pods of a version, or of all when it is empty, that are not on their way out.
func (t Trouble) podsOf(ctx context.Context, version string) ([]corev1.Pod, error) {
	versions, err := t.Versions(ctx)
	if err != nil {
		return nil, err
	}
	all, err := t.Pods(ctx)
	if err != nil {
		return nil, err
	}
	var found []corev1.Pod
	for i := range all {
		of, known := versions[all[i].Labels[v1alpha1.RevisionLabel]]
		if known && (version == "" || of == version) && all[i].DeletionTimestamp == nil && all[i].Status.Phase == corev1.PodRunning {
			found = append(found, all[i])
		}
	}
	return found, nil
}

// DeletePod deletes one pod of a version as a drained node would.
func (t Trouble) DeletePod(ctx context.Context, version string) error {
	pods, err := t.podsOf(ctx, version)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("no pod of %s to delete", version)
	}
	return t.cluster.Client.Delete(ctx, &pods[0])
}
