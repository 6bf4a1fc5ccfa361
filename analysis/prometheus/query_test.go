// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providertest"
)

// What is asked of the same server at the same time by whatever number of
// metrics and runs is one request.
func TestEqualQuestionsAreOneRequest(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	server := providertest.NewPrometheus(t)
	other := providertest.NewPrometheus(t)
	server.Reply(providertest.Values("0.25"))
	other.Reply(providertest.Values("0.5"))
	p := New(Options{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for _, query := range []string{"a", "b"} {
				if x, err := p.Measure(t.Context(), analysis.Target{Address: server.Address}, metric(query), at); err != nil || x.Value != "0.25" {
					t.Errorf("Measure: %+v, %v", x, err)
				}
			}
			if x, err := p.Measure(t.Context(), analysis.Target{Address: other.Address}, metric("a"), at); err != nil || x.Value != "0.5" {
				t.Errorf("Measure at the other server: %+v, %v", x, err)
			}
		})
	}
	all.Wait()
	if n, m := len(server.Queries()), len(other.Queries()); n != 2 || m != 1 {
		t.Errorf("%d and %d requests, want 2 for two queries and 1 for one", n, m)
	}
	if _, err := p.Measure(t.Context(), analysis.Target{Address: server.Address}, metric("a"), at.Add(time.Second)); err != nil {
		t.Error(err)
	}
	if n := len(server.Queries()); n != 3 {
		t.Errorf("%d requests, want 3: another time is another question", n)
	}
	tenant := analysis.Access{Headers: []analysis.Header{{Name: "X-Scope-OrgID", Value: "other"}}}
	if _, err := p.Measure(t.Context(), analysis.Target{Address: server.Address, Access: tenant}, metric("a"), at); err != nil {
		t.Error(err)
	}
	if n := len(server.Queries()); n != 4 {
		t.Errorf("%d requests, want 4: another tenant must not see this one's answers", n)
	}
}

// Only a complete answer is kept: after an outage the same question is asked anew.
func TestFailuresAreNotRemembered(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	server := providertest.NewPrometheus(t)
	p := New(Options{})
	for _, reply := range []providertest.Reply{
		replies[providertest.Fails], replies[providertest.Partial], {Status: http.StatusServiceUnavailable},
	} {
		server.Reply(reply)
		x, err := p.Measure(t.Context(), analysis.Target{Address: server.Address}, metric("a"), at)
		if x.Value != "" || err == nil && x.Message == "" {
			t.Fatalf("Measure: %+v, %v; want no value", x, err)
		}
	}
	server.Reply(replies[providertest.One])
	if x, err := p.Measure(t.Context(), analysis.Target{Address: server.Address}, metric("a"), at); err != nil || x.Value != "0.25" {
		t.Errorf("Measure: %+v, %v; want 0.25 as soon as there is an answer", x, err)
	}
}

// Who gives up does not take the answer from those who wait on.
func TestWhoWaitsOnGetsTheAnswer(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	server := providertest.NewPrometheus(t)
	asked, release := make(chan struct{}), make(chan struct{})
	server.ReplyTo(func(providertest.Query) providertest.Reply {
		close(asked)
		<-release
		return replies[providertest.One]
	})
	p := New(Options{})
	hasty, giveUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.Measure(hasty, analysis.Target{Address: server.Address}, metric("a"), at)
		gone <- err
	}()
	<-asked
	patient := make(chan string)
	go func() {
		x, err := p.Measure(t.Context(), analysis.Target{Address: server.Address}, metric("a"), at)
		patient <- x.Value + text(err)
	}()
	giveUp()
	if err := <-gone; err == nil {
		t.Error("Measure: no error for the one who gave up")
	}
	close(release)
	if got := <-patient; got != "0.25" {
		t.Errorf("Measure: %s for the one who waited, want 0.25", got)
	}
	if n := len(server.Queries()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestEdges(t *testing.T) {
	tests := map[string]struct {
		reason, body string
		want         []float64
		err          string
	}{
		"edges": {
			reason: "edges are sorted by their number, and those of both spellings are one",
			body:   vector(`{"le":"+Inf"}`, `{"le":"10"}`, `{"le":"0.25"}`, `{"le":"1.0"}`, `{"le":"1"}`),
			want:   []float64{0.25, 1, 10, math.Inf(1)},
		},
		"none": {
			reason: "no histogram has no edges",
			body:   vector(), want: []float64{},
		},
		"no histogram": {
			reason: "what has buckets without edges is none",
			body:   vector(`{}`),
			err:    `Prometheus at ADDRESS: d_seconds_bucket has le="", which is no number; select a histogram`,
		},
		"partial": {
			reason: "edges that may be missing are not good enough",
			body:   `{"status":"success","warnings":["store 2 is away"],"data":{"resultType":"vector","result":[]}}`,
			err:    "Prometheus at ADDRESS warns that its answer may be incomplete (store 2 is away); mend the server or the query until it no longer warns",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := providertest.NewPrometheus(t)
			server.Reply(providertest.Reply{Body: tc.body})
			got, err := New(Options{}).Edges(t.Context(), analysis.Target{Address: server.Address}, Select("d_seconds"), time.Unix(1_700_000_000, 0))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.err, strings.ReplaceAll(text(err), server.Address, "ADDRESS")); diff != "" {
				t.Errorf("%s: -want error +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// vector is an answer with one element for each set of labels.
func vector(metrics ...string) string {
	var elements []string
	for _, m := range metrics {
		elements = append(elements, `{"metric":`+m+`,"value":[1,"1"]}`)
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(elements, ",") + `]}}`
}

func TestRange(t *testing.T) {
	from := time.Unix(1_700_000_000, 0)
	tests := map[string]struct {
		reason, result string
		want           []model.SamplePair
		err            string
	}{
		"one series": {
			reason: "values come with their times, and gaps stay gaps",
			result: `[{"metric":{},"values":[[1700000000,"1"],[1700000020,"3"]]}]`,
			want:   []model.SamplePair{{Timestamp: 1_700_000_000_000, Value: 1}, {Timestamp: 1_700_000_020_000, Value: 3}},
		},
		"none": {reason: "no series, no values", result: `[]`},
		"several": {
			reason: "of several series none is the right one",
			result: `[{"metric":{"a":"1"},"values":[[1,"1"]]},{"metric":{"a":"2"},"values":[[1,"1"]]}]`,
			err:    "the query gives 2 series where one is needed; aggregate them, such as with sum(...)",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var asked url.Values
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				asked = r.Form
				_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":`+tc.result+`}}`)
			}))
			defer server.Close()
			got, err := New(Options{}).Range(t.Context(), analysis.Target{Address: server.URL}, "up",
				promv1.Range{Start: from, End: from.Add(20 * time.Second), Step: 10 * time.Second})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if text(err) != tc.err {
				t.Errorf("%s: error %v, want %q", tc.reason, err, tc.err)
			}
			if asked.Get("start") != "1700000000" || asked.Get("end") != "1700000020" || asked.Get("step") != "10" {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}
