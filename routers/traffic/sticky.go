// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Sticky keeps users on the version first met, by a cookie that both versions
// hand out. The canary's names the release; stable's names the weight at which
// its user was drawn as well. When the weight grows, users of stable are drawn
// again with what is missing to it, so that each share of users is exact without
// anybody counting them. Whoever has met the canary is never drawn again.
type Sticky struct {
	// Cookie is the name of the cookie.
	Cookie string `json:"cookie"`
	// Value names the release, so that the cookie of an earlier one binds nobody.
	Value string `json:"value"`
	// MaxAge is how long a user is known after the latest answer.
	MaxAge time.Duration `json:"maxAge"`
	// Draws are the lower weights at which users of this release were drawn, in order.
	Draws []int32 `json:"draws,omitempty"`
}

// Draw is what becomes of the requests that carry one value of the cookie: the
// parts of each slot, of their sum.
type Draw struct {
	// Name tells it from the others, such as canary or 25.
	Name string
	// Value of the cookie.
	Value string
	// Stable, Canary and Baseline are parts of Whole.
	Stable, Canary, Baseline int32
}

// Whole is what the parts sum to.
func (d Draw) Whole() int32 { return d.Stable + d.Canary + d.Baseline }

// of is the value of the cookie of a user whom the weight gave to the stable revision.
func (k *Sticky) of(weight int32) string { return k.Value + "-" + strconv.Itoa(int(weight)) }

// draw is what becomes of the users whom an earlier weight gave to stable: the
// canary gets what is missing to today's weight.
func (s Split) draw(weight int32) Draw {
	return Draw{
		Name: strconv.Itoa(int(weight)), Value: s.Sticky.of(weight),
		Stable: s.Stable, Canary: s.Canary - weight, Baseline: s.Baseline,
	}
}

// Draws lists what becomes of those who bring a cookie of this release: who has
// met the canary stays; who was given to stable by today's weight stays; who was
// by a lower one is drawn again. Everybody else is drawn by the shares. None without Sticky.
func (s Split) Draws() []Draw {
	if s.Sticky == nil {
		return nil
	}
	all := []Draw{{Name: string(Canary), Value: s.Sticky.Value, Canary: 100}, s.draw(s.Canary)}
	for _, weight := range s.Sticky.Draws {
		all = append(all, s.draw(weight))
	}
	return all
}

// HandsOut is the Set-Cookie header that a slot adds to its answers; empty
// without Sticky. The baseline's pods are the stable revision's. Secure is not
// said: a route need not know whether TLS ends before it, and the value is no secret.
func (s Split) HandsOut(slot Slot) string {
	if s.Sticky == nil {
		return ""
	}
	value := s.Sticky.Value
	if slot != Canary {
		value = s.Sticky.of(s.Canary)
	}
	return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", s.Sticky.Cookie, value, int64(s.Sticky.MaxAge/time.Second))
}

// equal reports whether two say the same.
func (k *Sticky) equal(o *Sticky) bool {
	if k == nil || o == nil {
		return k == o
	}
	return k.Cookie == o.Cookie && k.Value == o.Value && k.MaxAge == o.MaxAge && slices.Equal(k.Draws, o.Draws)
}

// validate finds what can't be drawn: a weight that leaves nothing to draw, or
// earlier ones that are not lower.
func (k *Sticky) validate(canary int32) error {
	if k == nil {
		return nil
	}
	if canary <= 0 || canary >= 100 {
		return fmt.Errorf("stickiness has nobody to keep apart at weight %d", canary)
	}
	last := int32(0)
	for _, weight := range k.Draws {
		if weight <= last || weight >= canary {
			return fmt.Errorf("stickiness draws again those of weights %v, which have to rise from above 0 to below %d", k.Draws, canary)
		}
		last = weight
	}
	return nil
}
