// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// faults are what a shop does wrong on purpose. They may change while it serves.
type faults struct {
	mu        sync.Mutex
	errorRate float64
	latency   time.Duration
}

// draw says what happens to one request.
func (f *faults) draw() (code int, latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rand.Float64() < f.errorRate {
		return http.StatusInternalServerError, f.latency
	}
	return http.StatusOK, f.latency
}

// change takes POST /faults?error-rate=0.1&latency=80ms; what is not named stays.
func (f *faults) change(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rate, latency := f.errorRate, f.latency
	var err error
	if text := r.FormValue("error-rate"); text != "" {
		rate, err = strconv.ParseFloat(text, 64)
	}
	if text := r.FormValue("latency"); text != "" && err == nil {
		latency, err = time.ParseDuration(text)
	}
	if err == nil {
		err = checkRate(rate)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.errorRate, f.latency = rate, latency
}

func checkRate(rate float64) error {
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("error-rate %g: must be between 0 and 1", rate)
	}
	return nil
}
