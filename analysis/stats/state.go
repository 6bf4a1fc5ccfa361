// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrState is what loading says about a state that cannot be this process's.
// The remedy is to start anew and to replay the blocks.
var ErrState = errors.New("state does not fit; start anew and replay the blocks")

// stateVersion changes when equal numbers would mean something else.
const stateVersion = "1"

// State is a process as text, to be kept in a status: version, settings,
// blocks, unspent start mass, and one number for each bet. A process loaded from
// it goes on as if it had never been away, bit for bit. About 150 bytes.
type State string

// fingerprint stands for the settings that a state was made with.
type fingerprint uint64

// State is what [EProcess.Load] needs to go on from here.
func (p *EProcess) State() State { return p.mix.state(p.settings) }

// Load puts a state back. It returns [ErrState], and changes nothing, if the
// state is damaged or was made with other settings: with another limit, other
// bets, horizon or noise factor, the numbers would mean something else, and the
// guarantee would be void without anybody noticing. It cannot know whether the
// numbers are those of the blocks that were seen.
func (p *EProcess) Load(s State) error { return p.mix.load(s, p.settings, p.logCap) }

func (m *mixture) state(settings fingerprint) State {
	fields := []string{
		stateVersion,
		strconv.FormatUint(uint64(settings), 16),
		strconv.FormatInt(m.blocks, 10),
		formatFloat(m.unspent),
	}
	if m.blocks > 0 { // before, all are -Inf
		for _, ls := range m.sums[:m.size] {
			fields = append(fields, formatFloat(ls))
		}
	}
	return State(strings.Join(fields, " "))
}

func (m *mixture) load(s State, settings fingerprint, logCap float64) error {
	fields := strings.Split(string(s), " ")
	switch {
	case len(fields) < 4 || fields[0] != stateVersion:
		return fmt.Errorf("%w: it is not of version %s", ErrState, stateVersion)
	case fields[1] != strconv.FormatUint(uint64(settings), 16):
		return fmt.Errorf("%w: it was made with other settings", ErrState)
	}
	blocks, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || blocks < 0 {
		return fmt.Errorf("%w: %q is no number of blocks", ErrState, fields[2])
	}
	next := newMixture(m.size, m.first, m.horizon)
	next.blocks = blocks
	if next.unspent, err = parseFloat(fields[3]); err != nil || math.Abs(next.unspent-next.left(blocks)) > 1e-9 {
		return fmt.Errorf("%w: %q is not the start mass left after %d blocks", ErrState, fields[3], blocks)
	}
	if err := next.loadSums(fields[4:], logCap); err != nil {
		return err
	}
	*m = next
	return nil
}

func (m *mixture) loadSums(fields []string, logCap float64) error {
	if m.blocks == 0 {
		if len(fields) > 0 {
			return fmt.Errorf("%w: it has evidence but no blocks", ErrState)
		}
		return nil
	}
	if len(fields) != m.size {
		return fmt.Errorf("%w: it has %d bets, not %d", ErrState, len(fields), m.size)
	}
	highest := float64(m.blocks)*logCap + 1e-6
	for j, field := range fields {
		ls, err := parseFloat(field)
		if err != nil || ls > highest {
			return fmt.Errorf("%w: %q is not the evidence of %d blocks", ErrState, field, m.blocks)
		}
		m.sums[j] = ls
	}
	return nil
}

// left is the start mass that is unspent after a number of blocks.
func (m *mixture) left(blocks int64) float64 {
	switch {
	case blocks <= 0:
		return 1
	case blocks >= m.horizon:
		return 0
	default:
		return (1 - m.first) * float64(m.horizon-blocks) / float64(m.horizon-1)
	}
}

// formatFloat writes the shortest text that reads back as the same bits.
func formatFloat(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
		err = strconv.ErrRange
	}
	return x, err
}

func (s Settings) fingerprint() fingerprint {
	return fingerprintOf(slices.Concat(
		[]float64{s.Limit.Ratio, s.Limit.Absolute, s.Cap, s.First, float64(s.Horizon), s.Phi}, s.Bets))
}

func fingerprintOf(numbers []float64) fingerprint {
	h := fnv.New64a()
	for _, x := range numbers {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(x))
		h.Write(b[:])
	}
	return fingerprint(h.Sum64())
}
