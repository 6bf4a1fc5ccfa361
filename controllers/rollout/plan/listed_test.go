// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// timelineRow is a moment of the timeline in the comment of listed: when, what
// happens, the replicas wanted, the endpoints that the slices list, and what is known then.
var timelineRow = regexp.MustCompile(`(?m)^//\t(\d+) s\s+\S.*?\s{2,}(\d+)\s+(\d+)\s+(.*)$`)

// TestTimelineOfListed plays the timeline by which the comment of listed explains
// itself: each row goes on from what the row before has left in the status.
func TestTimelineOfListed(t *testing.T) {
	source, err := os.ReadFile("listed.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := timelineRow.FindAllStringSubmatch(string(source), -1)
	if len(rows) != 11 {
		t.Fatalf("the timeline has %d rows, want 11", len(rows))
	}
	known := v1alpha1.ServiceEndpoints{Service: "stable", Revision: "v1", Ready: 4, Since: metav1.NewTime(noon.Add(-time.Minute))}
	for _, row := range rows {
		at, replicas, slices, want := row[1], row[2], row[3], strings.Join(strings.Fields(row[4]), " ")
		t.Run("At"+at, func(t *testing.T) {
			s := scene(settledNow)
			s.Now = noon.Add(time.Duration(number(t, at)) * time.Second)
			s.Rollout.Spec.Strategy.Canary.Convergence = &v1alpha1.Convergence{
				Settle: &v1alpha1.Duration{Duration: 5 * time.Second}, Timeout: &v1alpha1.Duration{Duration: 2 * time.Minute},
			}
			s.Revisions = []Revision{revision("v1", 1, number(t, replicas))}
			s.StableService = service("stable", "v1", number(t, slices))
			s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{known}
			f := assess(s)
			l, _ := f.listed.in(traffic.Stable)
			got := fmt.Sprintf("%d %ds %d %d %d", l.ready, int(l.since.Sub(noon).Seconds()), l.before, l.ending, f.noticed(traffic.Stable, "v1"))
			if got != want {
				t.Errorf("known is %q, and the comment says %q (ready, since, before, ending, noticed)", got, want)
			}
			known.Ready, known.Since, known.Before, known.Ending = l.ready, metav1.NewTime(l.since), l.before, l.ending
		})
	}
}

func number(t *testing.T, text string) int32 {
	t.Helper()
	var n int32
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%q is no number: %v", text, err)
	}
	return n
}

// TestAnotherClockMakesNoWaitLonger: the controller before had a clock that was ahead,
// and what it wrote down would not have settled until this one had come as far.
func TestAnotherClockMakesNoWaitLonger(t *testing.T) {
	s := scene(canaryOf(1, 1, 25), settledNow)
	ahead := metav1.NewTime(noon.Add(3 * time.Minute))
	seen := s.Rollout.Status.Traffic
	seen.Since, seen.AcceptedAt = &ahead, &ahead
	for i := range seen.Endpoints {
		seen.Endpoints[i].Since, seen.Endpoints[i].Before = ahead, 0
	}
	p := Decide(s)
	s.Rollout.Status, s.Now = p.Status, noon.Add(10*time.Second)
	f := assess(s)
	if !f.settled() || f.noticed(traffic.Stable, "v1") != 4 || f.noticed(traffic.Canary, "v2") != 1 {
		t.Errorf("ten seconds later: settled %t, %d of stable's endpoints and %d of the canary's noticed; want all",
			f.settled(), f.noticed(traffic.Stable, "v1"), f.noticed(traffic.Canary, "v2"))
	}
}
