// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const secret = "s3cr3t-pass"

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Fixture{
		Secret: secret,
		Source: func(t *testing.T, b providertest.Behaviour) providertest.Source {
			t.Helper()
			server := providertest.NewPrometheus(t)
			server.Reply(replies[b])
			if b == providertest.Gone {
				server.Down()
			}
			p := New(Options{Timeout: providertest.Limit(b)})
			target := analysis.Target{Address: server.Address, Access: analysis.Access{Username: "user", Password: secret}}
			return providertest.Source{
				Ask: func(ctx context.Context, at time.Time) (analysis.Answer, error) {
					return p.Query(ctx, target, "up", at)
				},
				Asked: func() int { return len(server.Queries()) },
			}
		},
	})
}

// echo is what a server may repeat of a password: itself, and as sent.
const echo = "not for " + secret + " or dXNlcjpzM2NyM3QtcGFzcw=="

var replies = map[providertest.Behaviour]providertest.Reply{
	providertest.One:      providertest.Values("0.25"),
	providertest.Whole:    providertest.Values("37"),
	providertest.Nothing:  providertest.Values(),
	providertest.NaN:      providertest.Values("NaN"),
	providertest.Infinite: providertest.Values("+Inf"),
	providertest.Several:  providertest.Values("0.25", "0.5"),
	providertest.Partial: {Body: `{"status":"success","warnings":["store 2 is away, ` + secret + `"],
		"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.25"]}]}}`},
	providertest.Refuses: providertest.Refusal(http.StatusBadRequest, "bad_data", echo),
	providertest.Fails:   {Status: http.StatusInternalServerError, Body: echo},
	providertest.Garbage: {Body: "<html>\n" + echo + "</html>"},
	providertest.Huge:    {Body: strings.Repeat(" ", endpoint.DefaultMaxAnswer+1)},
	providertest.Hangs:   {Hang: true},
}

func TestMeasure(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	tests := map[string]struct {
		reason string
		reply  providertest.Reply
		want   v1alpha1.Measurement
		err    string
	}{
		"scalar": {
			reason: "a scalar is one number too",
			reply:  providertest.Reply{Body: `{"status":"success","data":{"resultType":"scalar","result":[1,"3e-05"]}}`},
			want:   v1alpha1.Measurement{Value: "3e-05"},
		},
		"empty": {
			reason: "an empty vector is not zero",
			reply:  providertest.Values(),
			want: v1alpha1.Measurement{Message: "the query gives nothing: no series matches; " +
				"check its selectors, and whether the canary is scraped and has traffic"},
		},
		"several": {
			reason: "of several values none is the right one",
			reply:  providertest.Values("1", "2", "3"),
			want:   v1alpha1.Measurement{Message: "the query gives 3 values where one is needed; aggregate them, such as with sum(...)"},
		},
		"NaN": {
			reason: "0/0 says nothing about the canary",
			reply:  providertest.Values("NaN"),
			want: v1alpha1.Measurement{Message: "the query gives NaN, as a division by zero does; " +
				"write it so that it gives a number without traffic too, or nothing"},
		},
		"matrix": {
			reason: "a range has many values",
			reply:  providertest.Reply{Body: `{"status":"success","data":{"resultType":"matrix","result":[]}}`},
			want:   v1alpha1.Measurement{Message: "the query gives no number; write one that gives a single value, such as sum(rate(...[1m]))"},
		},
		"histogram": {
			reason: "a native histogram is not a number",
			reply: providertest.Reply{Body: `{"status":"success","data":{"resultType":"vector","result":[
				{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]}}`},
			want: v1alpha1.Measurement{Message: "the query gives a histogram where a number is needed; use histogram_quantile or histogram_fraction"},
		},
		"bad query": {
			reason: "the server's parser knows best what is wrong",
			reply:  providertest.Refusal(http.StatusBadRequest, "bad_data", `1:3: parse error: unexpected "("`),
			err:    `Prometheus at ADDRESS refuses the query (1:3: parse error: unexpected "("); correct the metric's query, or its selectors`,
		},
		"query that fails": {
			reason: "some mistakes show while evaluating only",
			reply:  providertest.Refusal(http.StatusUnprocessableEntity, "execution", "many-to-many matching not allowed"),
			err:    "Prometheus at ADDRESS can't evaluate the query (many-to-many matching not allowed); correct the metric's query, or its selectors",
		},
		"busy": {
			reason: "an error body is quoted, not dumped",
			reply:  providertest.Refusal(http.StatusServiceUnavailable, "timeout", "query timed out"),
			err:    "Prometheus at ADDRESS fails to answer (server error: 503: query timed out)",
		},
		"not allowed": {
			reason: "credentials are a matter of the address",
			reply:  providertest.Reply{Status: http.StatusUnauthorized, Body: "Unauthorized"},
			err: "Prometheus at ADDRESS refuses the request (401 Unauthorized: Unauthorized); " +
				"check the credentials given in prometheus, and that they may query",
		},
		"hanging": {
			reason: "a request has a time limit",
			reply:  providertest.Reply{Hang: true},
			err:    "Prometheus at ADDRESS does not answer (nothing came within 1s)",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := providertest.NewPrometheus(t)
			server.Reply(tc.reply)
			limit := 10 * time.Second
			if tc.reply.Hang {
				limit = time.Second
			}
			got, err := New(Options{Timeout: limit}).Measure(t.Context(), analysis.Target{Address: server.Address}, metric("up"), at)
			if tc.err == "" {
				tc.want.At = metav1.NewTime(at)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.err, strings.ReplaceAll(text(err), server.Address, "ADDRESS")); diff != "" {
				t.Errorf("%s: -want error +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff([]providertest.Query{{Text: "up", At: at}}, server.Queries()); diff != "" {
				t.Errorf("one request, for the time asked for: -want +got:\n%s", diff)
			}
		})
	}
}

func TestMeasureWithoutAnswer(t *testing.T) {
	down := providertest.NewPrometheus(t)
	down.Down()
	tests := map[string]struct {
		reason, address, want string
	}{
		"refused": {
			reason:  "the message names the server and the cause",
			address: down.Address,
			want:    "Prometheus at " + down.Address + " does not answer (dial tcp " + down.Address[len("http://"):] + ": connect: connection refused)",
		},
		"no URL": {
			reason:  "a bad address is not repeated, for it may hold a password",
			address: "user:" + secret + "@host:9090",
			want:    "the address of Prometheus is not an http or https URL; write it such as http://prometheus.monitoring:9090",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{}).Measure(t.Context(), analysis.Target{Address: tc.address}, metric("up"), time.Now())
			if diff := cmp.Diff(tc.want, text(err)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMeasureIsBoundedByTheCaller(t *testing.T) {
	server := providertest.NewPrometheus(t)
	server.Reply(providertest.Reply{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := New(Options{}).Measure(ctx, analysis.Target{Address: server.Address}, metric("up"), time.Now())
	if want := "Prometheus at " + server.Address + " was not waited for: context deadline exceeded"; text(err) != want {
		t.Errorf("Measure: error %q, want %q", text(err), want)
	}
}

func metric(query string) v1alpha1.Metric {
	return v1alpha1.Metric{Name: "m", Threshold: &v1alpha1.Threshold{Query: query}}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
