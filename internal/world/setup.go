// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// Health is how the pods of a revision fare.
type Health int

const (
	// Good pods become ready after the usual delay and stay so.
	Good Health = iota
	// Slow pods take many times as long.
	Slow
	// Crashing pods become ready and fail, again and again.
	Crashing
	// Broken pods never become ready.
	Broken
)

// Behaviour is how a revision fares in a world.
type Behaviour struct {
	// Health of its pods.
	Health Health
	// Bad requests: its analysis fails.
	Bad bool
	// BadFrom is the step, from 0, at which requests begin to fail when Bad is set.
	BadFrom int32
}

// Catalogue lists the templates that can be wanted in a world. It is made once
// and shared: identifying a template is costly.
type Catalogue struct {
	entries  map[string]entry // by image
	images   []string
	byHash   map[string]entry
	selector *metav1.LabelSelector
}

type entry struct {
	image    string
	hash     string
	template *corev1.PodTemplateSpec
	Behaviour
}

// Variant is a template that differs from others by its image.
type Variant struct {
	Image string
	Behaviour
}

// NewCatalogue makes a catalogue of variants of one template.
func NewCatalogue(template *corev1.PodTemplateSpec, selector *metav1.LabelSelector, variants ...Variant) (Catalogue, error) {
	c := Catalogue{entries: map[string]entry{}, byHash: map[string]entry{}, selector: selector}
	if len(template.Spec.Containers) == 0 {
		return c, fmt.Errorf("template: needs a container")
	}
	for _, v := range variants {
		t := template.DeepCopy()
		t.Spec.Containers[0].Image = v.Image
		hash, err := plan.HashTemplate(*t)
		if err != nil {
			return c, err
		}
		e := entry{v.Image, hash, t, v.Behaviour}
		c.entries[v.Image], c.byHash[hash] = e, e
		c.images = append(c.images, v.Image)
	}
	return c, nil
}

// of finds what a revision runs, or what the fresh pods of one do.
func (c Catalogue) of(hash string) entry {
	if stable, is := plan.BaselineOf(hash); is {
		hash = stable
	}
	return c.byHash[hash]
}

// words replaces hashes by images.
func (c Catalogue) words() *strings.Replacer {
	var pairs []string
	for _, image := range c.images {
		pairs = append(pairs, c.entries[image].hash, image)
	}
	return strings.NewReplacer(pairs...)
}

// Lags are how long everything takes.
type Lags struct {
	// Notice is from a change of an object to its arrival in a cache.
	Notice Span
	// Read is one live reading.
	Read Span
	// Write is one write of the controller.
	Write Span
	// Sync is how long the ReplicaSet controller takes to follow.
	Sync Span
	// Start is from a pod's creation to its readiness.
	Start Span
	// List is how long the EndpointSlice controller takes to follow.
	List Span
	// Accept is from a route's change to its gateway's word that it is accepted.
	Accept Span
	// Serve is from that word to the data plane's doing; convergence.settle bounds it.
	Serve Span
	// Learn is from an EndpointSlice's change to the data plane's knowing; convergence.settle bounds it.
	Learn Span
	// Measure is the time between two measurements of an analysis.
	Measure Span
}

// Calm are lags of a small cluster that is well.
func Calm() Lags {
	return Lags{
		Notice: Exactly(100 * time.Millisecond), Read: Exactly(20 * time.Millisecond), Write: Exactly(20 * time.Millisecond),
		Sync: Exactly(200 * time.Millisecond), Start: Exactly(5 * time.Second), List: Exactly(300 * time.Millisecond),
		Accept: Exactly(500 * time.Millisecond), Serve: Exactly(time.Second), Learn: Exactly(time.Second), Measure: Exactly(10 * time.Second),
	}
}
