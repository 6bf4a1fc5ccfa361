// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// plane does with requests what a split says of them.
func plane(s traffic.Split) routertest.Plane {
	return func(cookies string) []routertest.Answer {
		d := traffic.Draw{Stable: s.Stable, Canary: s.Canary, Baseline: s.Baseline}
		for _, draw := range s.Draws() {
			if strings.Contains("; "+cookies+";", "; "+s.Sticky.Cookie+"="+draw.Value+";") {
				d = draw
			}
		}
		var all []routertest.Answer
		for slot, part := range map[traffic.Slot]int32{traffic.Stable: d.Stable, traffic.Canary: d.Canary, traffic.Baseline: d.Baseline} {
			if part > 0 {
				all = append(all, routertest.Answer{Slot: slot, Part: int64(part), SetCookie: s.HandsOut(slot)})
			}
		}
		return all
	}
}

func TestUsersStay(t *testing.T)                { routertest.Users(t, 0, plane) }
func TestUsersStayBesideABaseline(t *testing.T) { routertest.Users(t, 20, plane) }

func TestStickyAtAWeight(t *testing.T) {
	sticky := func(weight int32, draws ...int32) traffic.Split {
		s := traffic.CanaryAt(weight)
		s.Sticky = &traffic.Sticky{Cookie: "c", Value: "v", MaxAge: time.Hour, Draws: draws}
		return s
	}
	cases := map[string]struct {
		reason string
		split  traffic.Split
		valid  bool
	}{
		"First":     {"the first weight draws nobody again", sticky(5), true},
		"Later":     {"a later one draws those of all lower ones", sticky(50, 5, 20), true},
		"Nobody":    {"without a share there is nobody to keep", sticky(0), false},
		"Everybody": {"with everything there is nobody to tell apart", sticky(100, 50), false},
		"Downwards": {"users of the canary would be more than its share", sticky(20, 50), false},
		"Same":      {"today's weight is no earlier one", sticky(20, 20), false},
		"Unordered": {"one split is written in one way", sticky(50, 20, 5), false},
		"OfNobody":  {"nobody was drawn at 0", sticky(50, 0), false},
		"Elsewhere": {"at another weight nobody is kept", sticky(50, 5).At(30), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := tc.split.Validate(); (err == nil) != tc.valid {
				t.Errorf("%s: Validate(%v) = %v", tc.reason, tc.split, err)
			}
		})
	}
	if s := sticky(50, 5); s.At(50).Sticky == nil || s.At(49).Sticky != nil || s.At(100).Sticky != nil {
		t.Error("a split keeps its users at its own weight and at no other")
	}
	if a, b := sticky(50, 5), sticky(50, 5, 20); a.Equal(b) || !a.Equal(sticky(50, 5)) || a.Equal(traffic.CanaryAt(50)) || traffic.CanaryAt(50).Equal(a) {
		t.Error("two splits are equal when they draw the same users")
	}
}
