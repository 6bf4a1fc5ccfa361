// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
)

// problems collects what a person has to mend.
type problems struct {
	found []plan.Problem
	// leaving says that the spec names other objects than those that carry the traffic.
	leaving bool
	// unread is the first error that stands as a problem.
	unread error
}

// problem is one with what the spec says, or names.
func (p *problems) problem(field, format string, args ...any) {
	p.found = append(p.found, plan.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// unbound is a problem with an object that carries the traffic now.
func (p *problems) unbound(field, format string, args ...any) {
	p.found = append(p.found, plan.Problem{Field: field, Message: fmt.Sprintf(format, args...), Steers: true, Bound: p.leaving})
}

// routed is a router's problem with an object that carries the traffic now.
func (p *problems) routed(of *routers.Problem) { p.steering(of, p.leaving) }

// made is a router's problem with an object that the spec asks for.
func (p *problems) made(of *routers.Problem) { p.steering(of, false) }

func (p *problems) steering(of *routers.Problem, bound bool) {
	p.found = append(p.found, plan.Problem{
		Field: of.Field, Message: of.Message, Steers: true, Bound: bound, Unwatched: of.Unwatched, Unread: of.Unread,
	})
}

// unreadable makes a problem of an error of reading what says which revision is wanted.
func (p *problems) unreadable(field, ref string, err error) {
	p.unread = cmp.Or(p.unread, fmt.Errorf("read %s: %w", ref, err))
	p.found = append(p.found, plan.Problem{Field: field, Unread: true, Message: fmt.Sprintf(
		"%s, which the pod template refers to, can't be read, so nobody knows which revision is wanted: %v; it is tried again, see to it that the API server answers", ref, err)})
}

// unsure makes a router's problem of an error of reading what only new things hang on,
// and leaves any other as it is. A cache that is behind has it in a moment.
func (p *problems) unsure(field string, err error) error {
	var of *routers.Problem
	if err == nil || errors.As(err, &of) || errors.Is(err, kube.ErrBehind) {
		return err
	}
	p.unread = cmp.Or(p.unread, err)
	return &routers.Problem{Field: field, Unwatched: true, Unread: true, Message: fmt.Sprintf(
		"nobody knows whether it is in order, so nothing new begins: %v; it is tried again, see to it that the API server answers", err)}
}
