// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestStartAPI(t *testing.T) {
	start := time.Now()
	api, err := StartAPI(t.Context(), APIOptions{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Stop()
	t.Logf("started in %s", time.Since(start))

	client, err := kubernetes.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Errorf("The server does not serve: %v", err)
	}
	if info, err := os.Stat(api.AuditLog()); err != nil || info.Size() == 0 {
		t.Errorf("The audit log is missing or empty: %v", err)
	}
	dir := api.Dir()
	api.Stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("Stop left %s behind: %v", dir, err)
	}
	for _, c := range api.servers.list {
		if !c.ended() {
			t.Errorf("Stop left %s running.", c.name)
		}
	}
}
