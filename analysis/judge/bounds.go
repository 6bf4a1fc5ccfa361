// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// bounds are those of a threshold; an absent one is infinite.
type bounds struct {
	min, max float64
}

// boundsOf reads the bounds of a metric. The error names the field and the remedy.
func boundsOf(m v1alpha1.Metric) (bounds, error) {
	b := bounds{min: math.Inf(-1), max: math.Inf(1)}
	t := m.Threshold
	if t == nil || t.Min == nil && t.Max == nil {
		return b, errors.New("threshold: set min, max or both")
	}
	for _, f := range []struct {
		name  string
		text  *string
		value *float64
	}{{"min", t.Min, &b.min}, {"max", t.Max, &b.max}} {
		if f.text == nil {
			continue
		}
		v, ok := number(*f.text)
		if !ok {
			return b, fmt.Errorf("threshold.%s: %q is not a decimal number such as \"0.01\"", f.name, *f.text)
		}
		*f.value = v
	}
	if b.min > b.max {
		return b, fmt.Errorf("threshold.min: %s is above max %s, so no value is in bounds; swap them", *t.Min, *t.Max)
	}
	return b, nil
}

func (b bounds) hold(v float64) bool { return b.min <= v && v <= b.max }

// compare says how a value stands to the bounds: 0.12 > max 0.05.
func (b bounds) compare(v float64) string {
	low, high := exact(b.min), exact(b.max)
	switch value := b.show(v); {
	case v < b.min:
		return value + " < min " + low
	case v > b.max:
		return value + " > max " + high
	case math.IsInf(b.min, -1):
		return value + " ≤ max " + high
	case math.IsInf(b.max, 1):
		return value + " ≥ min " + low
	default:
		return value + " between min " + low + " and max " + high
	}
}

// show gives a value in as few digits, from four, as keep its relation to both bounds visible.
func (b bounds) show(v float64) string {
	for digits := 4; digits < 17; digits++ {
		short, ok := number(strconv.FormatFloat(v, 'g', digits, 64))
		if ok && cmp.Compare(short, b.min) == cmp.Compare(v, b.min) && cmp.Compare(short, b.max) == cmp.Compare(v, b.max) {
			return exact(short)
		}
	}
	return exact(v)
}

// exact writes a number in full, without an exponent where people would not expect one.
func exact(v float64) string {
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e9) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// number reads a finite decimal number.
func number(text string) (float64, bool) {
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
