// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	text := "NAME   PHASE    STEP   WEIGHT   MESSAGE   IN FULL\n" +
		"shop   Paused          25       waits…    waits until someone promotes\n"
	want := map[string]string{"NAME": "shop", "PHASE": "Paused", "STEP": "", "WEIGHT": "25", "MESSAGE": "waits…", "IN FULL": "waits until someone promotes"}
	got, err := Table(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := Table("No resources found\n"); err == nil {
		t.Error("no table was read as one")
	}
}
