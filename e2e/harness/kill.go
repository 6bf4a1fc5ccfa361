// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// containerID names one life of a controller's container.
type containerID string

// KillController ends the controller in the hardest way at hand, waits until
// another has taken its place, and says in words how it was ended. On the
// machine that runs its process, that is SIGKILL in the middle of whatever it
// does, with the lease still held; elsewhere its pods are deleted without grace.
func (c *Cluster) KillController(ctx context.Context) (string, error) {
	pods, err := c.controllerPods(ctx)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", errors.New("there is no controller to kill")
	}
	before := lives(pods)
	how := "SIGKILL"
	killed, err := killProcesses(pods)
	if err != nil {
		return "", err
	}
	if killed == 0 {
		how = "deletion without grace"
		err = c.deletePods(ctx, pods)
	}
	if err != nil {
		return "", err
	}
	return how, c.waitAnotherLife(ctx, before)
}

// DeleteController deletes the controller's pods without grace and waits until others have taken their place.
func (c *Cluster) DeleteController(ctx context.Context) error {
	pods, err := c.controllerPods(ctx)
	if err != nil {
		return err
	}
	if err := c.deletePods(ctx, pods); err != nil {
		return err
	}
	return c.waitAnotherLife(ctx, lives(pods))
}

func (c *Cluster) controllerPods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(ControllerNamespace)); err != nil {
		return nil, fmt.Errorf("list the controller's pods: %w", err)
	}
	return pods.Items, nil
}

func (c *Cluster) deletePods(ctx context.Context, pods []corev1.Pod) error {
	for i := range pods {
		err := client.IgnoreNotFound(c.Client.Delete(ctx, &pods[i], client.GracePeriodSeconds(0)))
		if err != nil {
			return fmt.Errorf("delete pod %s: %w", pods[i].Name, err)
		}
	}
	return nil
}

// lives gives the containers that run now.
func lives(pods []corev1.Pod) []containerID {
	var ids []containerID
	for _, p := range pods {
		for _, s := range p.Status.ContainerStatuses {
			ids = append(ids, containerID(s.ContainerID))
		}
	}
	return ids
}

// waitAnotherLife waits until a container that did not live before is ready.
func (c *Cluster) waitAnotherLife(ctx context.Context, before []containerID) error {
	return Poll(ctx, "another controller to be ready", func(ctx context.Context) (bool, string, error) {
		pods, err := c.controllerPods(ctx)
		if err != nil {
			return false, "", err
		}
		state := ""
		for _, p := range pods {
			for _, s := range p.Status.ContainerStatuses {
				if s.Ready && !slices.Contains(before, containerID(s.ContainerID)) {
					return true, "", nil
				}
				state += fmt.Sprintf("%s ready %v, restarted %d times; ", p.Name, s.Ready, s.RestartCount)
			}
		}
		return false, state, nil
	})
}

// killProcesses sends SIGKILL to the controller's process in each pod, as far
// as it runs on this machine, and gives how many there were. A process belongs
// to a pod when its control group names the pod's UID.
func killProcesses(pods []corev1.Pod) (int, error) {
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	killed := 0
	for _, group := range groups {
		text, err := os.ReadFile(group)
		if err != nil || !ofAny(pods, text) {
			continue // The process has ended meanwhile, or is none of ours.
		}
		dir := filepath.Dir(group)
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || string(bytes.TrimSpace(name)) != "sluice" {
			continue // The pod's pause container.
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return killed, fmt.Errorf("process folder %s: %w", dir, err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return killed, fmt.Errorf("kill process %d: %w", pid, err)
		}
		killed++
	}
	return killed, nil
}

func ofAny(pods []corev1.Pod, group []byte) bool {
	return slices.ContainsFunc(pods, func(p corev1.Pod) bool { return bytes.Contains(group, []byte("pod"+string(p.UID))) })
}
