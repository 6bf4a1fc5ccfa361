// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// prefix of the names of our own http routes.
const prefix = "sluice.dev/"

// steered is what a VirtualService carries beside weights, as annotated.
type steered struct {
	Matches []v1alpha1.MatchRoute `json:"matches,omitempty"`
	Mirror  int32                 `json:"mirror,omitempty"`
	Sticky  *traffic.Sticky       `json:"sticky,omitempty"`
}

// steeredBy is what a split asks for beside weights.
func steeredBy(s traffic.Split) steered {
	return steered{Matches: s.Matches, Mirror: s.Mirror, Sticky: s.Sticky}
}

// on puts it beside a split's shares.
func (s steered) on(split traffic.Split) traffic.Split {
	split.Matches, split.Mirror, split.Sticky = s.Matches, s.Mirror, s.Sticky
	return split
}

func (s steered) none() bool { return len(s.Matches) == 0 && s.Mirror == 0 && s.Sticky == nil }

// readSteered reads the annotation. One that can't be read counts as none: what
// it spoke of is found to differ then.
func readSteered(annotations map[string]string) steered {
	var s steered
	if err := json.Unmarshal([]byte(annotations[v1alpha1.BesideAnnotation]), &s); err != nil {
		return steered{}
	}
	return s
}

// text of the annotation; empty when there is nothing to remember.
func (s steered) text() (string, error) {
	if s.none() {
		return "", nil
	}
	raw, err := json.Marshal(s)
	return string(raw), err
}

// inserted reports whether an http route is ours.
func inserted(raw any) bool {
	o, _ := raw.(map[string]any)
	return strings.HasPrefix(text(o, "name"), prefix)
}

// bare takes out of a spec all that the annotation says is ours, whatever
// became of it: our own routes, and what we put into those that are steered. It changes the spec.
func bare(spec map[string]any, was steered, at places, r routers.Route) {
	if len(list(spec, overHTTP)) == 0 {
		return
	}
	mine := list(spec, overHTTP)
	mine = slices.DeleteFunc(mine, func(o map[string]any) bool { return inserted(o) })
	for i, o := range mine {
		if !chosenBy(r, route{overHTTP, i, o}, at) {
			continue // whatever a user's own route mirrors and hands out is theirs
		}
		if was.Mirror > 0 {
			setList(o, "mirrors", slices.DeleteFunc(list(o, "mirrors"), func(m map[string]any) bool {
				return at.canary.names(object(m, "destination"), at.namespace)
			}))
		}
		for _, d := range list(o, "route") {
			cookie := object(object(object(d, "headers"), "response"), "add")
			if was.Sticky != nil && at.names(d) && strings.HasPrefix(text(cookie, setCookie), was.Sticky.Cookie+"=") {
				drop(d, "headers", "response", "add", setCookie)
			}
		}
	}
	setList(spec, overHTTP, mine)
}

// leftover is what of ours a spec seems to carry, by the names of our routes, when
// that is not what the annotation says. It is like nothing that anybody asks
// for, and may reach the canary.
func leftover(spec map[string]any) steered {
	var seen steered
	for _, o := range list(spec, overHTTP) {
		if name, ours := strings.CutPrefix(text(o, "name"), prefix); ours {
			seen.Matches = append(seen.Matches, v1alpha1.MatchRoute{Name: name})
		}
	}
	if len(seen.Matches) == 0 {
		seen.Matches = []v1alpha1.MatchRoute{{Name: "altered by somebody"}}
	}
	return seen
}
