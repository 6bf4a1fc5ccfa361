// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
)

// Hazards of other controllers, by their numbers in the design: B21 shared one
// map of headers between requests, which grew and raced.
func TestHazardB21HeadersAreNotShared(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[fmt.Sprintf("%q %q", r.Header.Values("X-Scope-OrgID"), r.Header.Values("Authorization"))]++
		reply(w, 200, "{}")
	}))
	defer server.Close()
	connections := NewPool(kind, Options{})
	headers := []analysis.Header{{Name: "X-Scope-OrgID", Value: "team"}}
	targets := []analysis.Target{
		{Address: server.URL, Access: analysis.Access{Headers: headers, Bearer: "b"}},
		{Address: server.URL, Access: analysis.Access{Headers: headers}},
	}
	const each = 20
	var all sync.WaitGroup
	for range each {
		for _, target := range targets {
			all.Go(func() {
				if err := get(t, connections, target); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	want := map[string]int{`["team"] ["Bearer b"]`: each, `["team"] []`: each}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("headers of the requests: -want +got:\n%s", diff)
	}
	if len(headers) != 1 {
		t.Errorf("the target's headers grew to %v", headers)
	}
}

// B20: NaN and infinity passed comparisons. B22: of several series the last one won, silently.
func TestHazardB20AndB22OneFiniteNumberOrNone(t *testing.T) {
	sample := func(v float64) *model.Sample { return &model.Sample{Value: model.SampleValue(v)} }
	for reason, result := range map[string]model.Value{
		"B20: NaN":            model.Vector{sample(math.NaN())},
		"B20: +Inf":           model.Vector{sample(math.Inf(1))},
		"B20: -Inf":           model.Vector{sample(math.Inf(-1))},
		"B20: NaN as scalar":  &model.Scalar{Value: model.SampleValue(math.NaN())},
		"B22: several series": model.Vector{sample(0.1), sample(0.2)},
	} {
		if a := Number(result); a.Known || a.Message == "" {
			t.Errorf("%s: answer %+v, want no number, and why", reason, a)
		}
	}
}
