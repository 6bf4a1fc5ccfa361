// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis/stats"
)

// metricsKey is what the metrics of --data stand under, by their names.
const metricsKey = "metrics"

// counts is the file of --data.
type counts struct {
	Block   string                  `json:"block"`
	Metrics map[string]metricCounts `json:"metrics"`
}

// metricCounts are the blocks of one metric.
type metricCounts struct {
	Objective  *float64    `json:"objective"`
	NextWeight *float64    `json:"nextWeight"`
	Noise      *noise      `json:"noise"`
	Blocks     []blockData `json:"blocks"`
}

// noise is a number, or "Auto", which is 0.
type noise float64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *noise) UnmarshalJSON(text []byte) error {
	if string(text) == `"Auto"` {
		*n = 0
		return nil
	}
	var f float64
	if json.Unmarshal(text, &f) != nil || f < 1 {
		return fmt.Errorf("noise %s: must be a number from 1 to 20; leave it out to have it learnt from stable's blocks", text)
	}
	*n = noise(f)
	return nil
}

// blockData is [bad, total] of canary and of stable, which may be left out.
type blockData stats.Block

// UnmarshalJSON implements [json.Unmarshaler].
func (b *blockData) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*b = blockData{Canary: stats.Counts{Bad: math.NaN()}}
		return nil
	}
	var given []*float64
	if json.Unmarshal(text, &given) != nil || len(given) != 2 && len(given) != 4 {
		return fmt.Errorf("block %s: must be 4 numbers, [bad of canary, requests of canary, bad of stable, requests of stable], or null", text)
	}
	n := make([]float64, 4)
	for i, v := range given {
		if n[i] = math.NaN(); v != nil { // what is missing is no 0
			n[i] = *v
		}
	}
	b.Canary, b.Stable = stats.Counts{Bad: n[0], Total: n[1]}, stats.Counts{Bad: n[2], Total: n[3]}
	return nil
}

// parseCounts reads the text of --data.
func parseCounts(text []byte) (history, error) {
	var c counts
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return history{}, fmt.Errorf("%w; `kubectl sluice backtest --help` shows the format", unreadable(text, err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return history{}, errors.New("there is more after the object; put all metrics into one")
	}
	if err := repeated(text, 0, len(text), ""); err != nil {
		return history{}, err
	}
	var h history
	if c.Block != "" {
		d, err := time.ParseDuration(c.Block)
		if err != nil || d <= 0 {
			return history{}, fmt.Errorf("block %q: must be a duration above 0, such as 10s", c.Block)
		}
		h.block = d
	}
	if len(c.Metrics) == 0 {
		return history{}, errors.New("there are no metrics; give at least one with its blocks")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		if name == "" {
			return history{}, errors.New("a metric has no name; give it one")
		}
		s, err := c.Metrics[name].series()
		if err != nil {
			return history{}, fmt.Errorf("metric %q: %w", name, err)
		}
		h.names, h.series = append(h.names, name), append(h.series, s)
	}
	return h, nil
}

// repeated finds a key that an object has twice, of which the first would be
// lost. The object is a part of the text, and in a metric named by path.
func repeated(text []byte, from, to int, path string) error {
	d := json.NewDecoder(bytes.NewReader(text[from:to]))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil //nolint:nilerr // the text has been read without an error
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		key, is := token.(string)
		if err != nil || !is {
			return err //nolint:wrapcheck // the text has been read without an error
		}
		same := key
		if !strings.EqualFold(path, metricsKey) { // fields are known in small letters and in capitals, names are not
			same = strings.ToLower(key)
		}
		if seen[same] {
			line := 1 + bytes.Count(text[:from+int(d.InputOffset())], []byte("\n"))
			return fmt.Errorf("%s is there twice, again in line %d, and one would be lost; put both into one, or rename one", join(path, key), line)
		}
		seen[same] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err //nolint:wrapcheck // the text has been read without an error
		}
		end := from + int(d.InputOffset())
		if err := repeated(text, end-len(value), end, join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

// join is the place of a key in the file of --data.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unreadable says what is wrong with the text of --data in words of its own.
func unreadable(text []byte, err error) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case bytes.HasPrefix(text, []byte{0x1f, 0x8b}):
		return errors.New("it is compressed; unpack it, as in gunzip -c FILE | kubectl sluice backtest --data -")
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle")
	case errors.As(err, &kind):
		wanted := map[reflect.Kind]string{reflect.Float64: "a number", reflect.String: "a text", reflect.Slice: "a list"}[kind.Type.Kind()]
		return fmt.Errorf("%s is of type %s and must be %s", cmp.Or(kind.Field, "the whole"), kind.Value, cmp.Or(wanted, "an object"))
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON: %w, the %d. byte", err, syntax.Offset)
	}
	return err
}

func (m metricCounts) series() (stats.Series, error) {
	var s stats.Series
	for _, f := range []struct {
		name   string
		given  *float64
		target *float64
		such   string
	}{{"objective", m.Objective, &s.Objective, "0.999 for 99.9 %"}, {"nextWeight", m.NextWeight, &s.NextWeight, "0.25 for 25 %"}} {
		switch {
		case f.given == nil:
		case *f.given <= 0:
			return s, fmt.Errorf("%s %v: must be a share above 0, such as %s; or leave it out", f.name, *f.given, f.such)
		default:
			*f.target = *f.given
		}
	}
	if m.Noise != nil {
		s.Phi = float64(*m.Noise)
	}
	for _, b := range m.Blocks {
		s.Blocks = append(s.Blocks, stats.Block(b))
	}
	return s, nil
}
