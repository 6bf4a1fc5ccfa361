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

func (p *problems) problem(field, format string, args ...any) {
	p.found = append(p.found, plan.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// unbound is a problem with an object that carries the traffic now.
func (p *problems) unbound(field, format string, args ...any) {
	p.found = append(p.found, plan.Problem{Field: field, Message: fmt.Sprintf(format, args...), Steers: true, Bound: p.leaving})
}

// routed is a router's problem with an object that carries the traffic now.
func (p *problems) routed(of *routers.Problem) {
	p.found = append(p.found, plan.Problem{Field: of.Field, Message: of.Message, Steers: true, Bound: p.leaving, Unwatched: of.Unwatched})
}

// unsure makes a problem of an error of reading what only new things hang on. A
// cache that is behind has it in a moment.
func (p *problems) unsure(field string, err error) error {
	var of *routers.Problem
	if err == nil || errors.As(err, &of) || errors.Is(err, kube.ErrBehind) {
		return err
	}
	p.unread = cmp.Or(p.unread, err)
	return &routers.Problem{Field: field, Unwatched: true, Message: fmt.Sprintf(
		"nobody knows whether it is in order, so nothing new begins: %v; it is tried again, see to it that the API server answers", err)}
}
