// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Harm is what a service does wrong on purpose.
type Harm struct {
	// ErrorRate is the share of requests that it fails, 0 to 1.
	ErrorRate float64
	// Latency is added to each answer.
	Latency time.Duration
	// Errors is how many of the next requests it fails, whatever the rate.
	Errors int
	// Unmeasured has its metrics refused, as when they can't be scraped.
	Unmeasured bool
}

// Flags set harm from the start. What is failed is in the words of the protocol.
func Flags(f *flag.FlagSet, h *Harm, failed string) {
	f.Float64Var(&h.ErrorRate, "error-rate", 0, "share of "+failed+", 0 to 1")
	f.DurationVar(&h.Latency, "latency", 0, "time added to each answer")
}

// Check reports what can't be.
func (h Harm) Check() error {
	if !(h.ErrorRate >= 0 && h.ErrorRate <= 1) {
		return fmt.Errorf("error-rate %g: must be between 0 and 1", h.ErrorRate)
	}
	if h.Errors < 0 {
		return fmt.Errorf("errors %d: must not be negative", h.Errors)
	}
	return nil
}

// Faults is the harm that a service does now. It may change while it serves.
type Faults struct {
	mu  sync.Mutex
	now Harm
}

// NewFaults begins with some harm.
func NewFaults(h Harm) *Faults { return &Faults{now: h} }

// Draw says what happens to one request.
func (f *Faults) Draw() (fault bool, latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now.Errors > 0 {
		f.now.Errors--
		return true, f.now.Latency
	}
	return rand.Float64() < f.now.ErrorRate, f.now.Latency
}

// Now is the present harm.
func (f *Faults) Now() Harm {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// ServeHTTP takes POST /faults?error-rate=0.1&latency=80ms&errors=3&unmeasured=true;
// what is not named stays, and a mistake changes nothing.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := changed(f.now, r)
	if err == nil {
		err = next.Check()
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("faults stay as they are: %s", err), http.StatusBadRequest)
		return
	}
	f.now = next
}

func changed(h Harm, r *http.Request) (Harm, error) {
	var wrong [4]error
	h.ErrorRate, wrong[0] = read(r, "error-rate", h.ErrorRate, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	h.Latency, wrong[1] = read(r, "latency", h.Latency, time.ParseDuration)
	h.Errors, wrong[2] = read(r, "errors", h.Errors, strconv.Atoi)
	h.Unmeasured, wrong[3] = read(r, "unmeasured", h.Unmeasured, strconv.ParseBool)
	return h, errors.Join(wrong[:]...)
}

func read[T any](r *http.Request, name string, before T, parse func(string) (T, error)) (T, error) {
	if text := r.FormValue(name); text != "" {
		return parse(text)
	}
	return before, nil
}

// Measured serves metrics, unless they are to be refused.
func (f *Faults) Measured(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.Now().Unmeasured {
			http.Error(w, "no metrics, as told by POST /faults", http.StatusServiceUnavailable)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}
