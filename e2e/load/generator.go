// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Limits of every generator, whatever its options say.
const (
	maxRate     = 1000
	maxCount    = 500_000
	maxDuration = 20 * time.Minute
	maxInFlight = 512
)

// Options say what a generator sends.
type Options struct {
	// URL to request with GET. Only loopback, the full tier and hosts in Allow are accepted.
	URL string
	// Host header, when it differs from the URL's host.
	Host string
	// Header is sent with each request.
	Header http.Header
	// Rate in requests per second, 1 to 1000.
	Rate int
	// Count is the most requests to send, 1 to 500,000. Default: what Rate gives in Duration.
	Count int
	// Duration is the longest time to send for, up to 20 minutes. Required.
	Duration time.Duration
	// Roots make the generator speak TLS with a server whose certificate they vouch for and who is named by Host.
	Roots *x509.CertPool
	// Fresh opens a connection for each request, so that whoever balances connections decides anew.
	Fresh bool
	// Timeout of one request. Default 10 s.
	Timeout time.Duration
	// Allow names further hosts that may be targets, separated by commas.
	Allow string
}

// Generator sends requests until its count or its duration is used up, or it
// is stopped. It runs once.
type Generator struct {
	options Options
	client  *http.Client
	history History
	cancel  context.CancelFunc
	done    chan struct{}
	once    sync.Once
}

// New gives a generator that has not started. It fails, naming the option, when the options are out of bounds.
func New(o Options) (*Generator, error) {
	if err := checkTarget(o.URL, o.Allow); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Count == 0 {
		o.Count = int(float64(o.Rate) * o.Duration.Seconds())
	}
	if err := checkBounds(o); err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: maxInFlight, IdleConnTimeout: 90 * time.Second, DisableKeepAlives: o.Fresh}
	if o.Roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots, ServerName: o.Host, MinVersion: tls.VersionTLS13}
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Generator{options: o, client: client, done: make(chan struct{})}, nil
}

// Probe sends one request and gives its record.
func Probe(ctx context.Context, o Options) (Record, error) {
	o.Rate, o.Count, o.Duration = 1, 1, time.Minute
	g, err := New(o)
	if err != nil {
		return Record{}, err
	}
	defer g.client.CloseIdleConnections()
	return g.request(ctx), nil
}

func checkBounds(o Options) error {
	switch {
	case o.Rate < 1 || o.Rate > maxRate:
		return fmt.Errorf("rate %d: must be between 1 and %d requests per second", o.Rate, maxRate)
	case o.Duration <= 0 || o.Duration > maxDuration:
		return fmt.Errorf("duration %s: must be above 0 and at most %s", o.Duration, maxDuration)
	case o.Count < 1 || o.Count > maxCount:
		return fmt.Errorf("count %d: must be between 1 and %d", o.Count, maxCount)
	case o.Timeout < 0:
		return errors.New("timeout: must be above 0")
	}
	return nil
}

// Start begins to send, in the background, until the bounds are reached, Stop is called or ctx ends.
// Only the first call has an effect.
func (g *Generator) Start(ctx context.Context) {
	g.once.Do(func() {
		limited, cancel := context.WithTimeout(ctx, g.options.Duration)
		g.cancel = cancel
		go g.loop(limited)
	})
}

// Stop ends the sending and waits for the answers of what was sent. Safe to call twice, and before Start.
func (g *Generator) Stop() {
	g.once.Do(func() { close(g.done) })
	if g.cancel != nil {
		g.cancel()
	}
	g.Wait()
}

// Wait returns when nothing more is sent and every request sent has ended.
func (g *Generator) Wait() { <-g.done }

// History gives the records so far, growing while the generator runs.
func (g *Generator) History() *History { return &g.history }

// loop starts request i at i intervals after the start. A late start is made
// up for at once: the rate is kept over the whole, not request by request.
func (g *Generator) loop(ctx context.Context) {
	defer close(g.done)
	defer g.client.CloseIdleConnections()
	defer g.cancel()
	var flying sync.WaitGroup
	defer flying.Wait()
	slots := make(chan struct{}, maxInFlight)
	interval := time.Second / time.Duration(g.options.Rate)
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range g.options.Count {
		timer.Reset(time.Until(start.Add(time.Duration(i) * interval)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			g.history.add(Record{At: time.Now(), Outcome: Failed, Reason: fmt.Sprintf("%d requests are waiting for an answer already", maxInFlight)})
			continue
		}
		// A request that was sent is waited for, even when the sending ends: cut short, it would look like a failure.
		rest := context.WithoutCancel(ctx)
		flying.Go(func() {
			defer func() { <-slots }()
			g.history.add(g.request(rest))
		})
	}
}
