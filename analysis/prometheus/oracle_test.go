// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

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
