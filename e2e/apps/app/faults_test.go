// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

func TestFaultsChange(t *testing.T) {
	before := app.Harm{Latency: time.Millisecond}
	cases := map[string]struct {
		reason string
		query  string
		status int
		want   app.Harm
	}{
		"Rate":       {"What is not named stays.", "error-rate=1", http.StatusOK, app.Harm{ErrorRate: 1, Latency: time.Millisecond}},
		"Latency":    {"The other way round too.", "latency=2ms", http.StatusOK, app.Harm{Latency: 2 * time.Millisecond}},
		"Errors":     {"So many errors and no more.", "errors=3", http.StatusOK, app.Harm{Latency: time.Millisecond, Errors: 3}},
		"Unmeasured": {"Metrics can be taken away.", "unmeasured=true", http.StatusOK, app.Harm{Latency: time.Millisecond, Unmeasured: true}},
		"Wrong":      {"Nothing changes by a mistake.", "error-rate=2&latency=2ms", http.StatusBadRequest, before},
		"NotANumber": {"NaN is no rate.", "error-rate=NaN", http.StatusBadRequest, before},
		"Negative":   {"There are no fewer errors than none.", "errors=-1", http.StatusBadRequest, before},
		"Nonsense":   {"What can't be read is a mistake.", "latency=soon&errors=1", http.StatusBadRequest, before},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := app.NewFaults(before)
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/faults?"+tc.query, http.NoBody))
			if diff := cmp.Diff(tc.want, f.Now()); diff != "" || w.Code != tc.status {
				t.Errorf("%s\nstatus %d, want %d; -want +got:\n%s", tc.reason, w.Code, tc.status, diff)
			}
		})
	}
}

func TestDraw(t *testing.T) {
	f := app.NewFaults(app.Harm{Errors: 2})
	var drawn []bool
	for range 4 {
		fault, _ := f.Draw()
		drawn = append(drawn, fault)
	}
	if diff := cmp.Diff([]bool{true, true, false, false}, drawn); diff != "" {
		t.Errorf("two errors, and then none: -want +got:\n%s", diff)
	}
}

func TestMeasured(t *testing.T) {
	for unmeasured, want := range map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable} {
		w := httptest.NewRecorder()
		metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		app.NewFaults(app.Harm{Unmeasured: unmeasured}).Measured(metrics).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		if w.Code != want {
			t.Errorf("unmeasured %v: status %d, want %d", unmeasured, w.Code, want)
		}
	}
}

func TestParse(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		env    map[string]string
		want   app.Harm
		wrong  string
	}{
		"Environment": {reason: "A pod's environment sets what flags do not.", env: map[string]string{"ERROR_RATE": "0.3"}, want: app.Harm{ErrorRate: 0.3}},
		"FlagWins":    {reason: "A flag is nearer than the environment.", args: []string{"-error-rate", "0.2"}, env: map[string]string{"ERROR_RATE": "0.3"}, want: app.Harm{ErrorRate: 0.2}},
		"Wrong":       {reason: "The message names the variable.", env: map[string]string{"LATENCY": "soon"}, wrong: `LATENCY="soon"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var h app.Harm
			f := flag.NewFlagSet("app", flag.ContinueOnError)
			app.Flags(f, &h, "requests")
			err := app.Parse(f, tc.args, func(k string) string { return tc.env[k] })
			if tc.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wrong) {
					t.Fatalf("%s\nerror %v, want one with %q", tc.reason, err, tc.wrong)
				}
				return
			}
			if diff := cmp.Diff(tc.want, h); diff != "" || err != nil {
				t.Errorf("%s\nerror %v; -want +got:\n%s", tc.reason, err, diff)
			}
		})
	}
}
