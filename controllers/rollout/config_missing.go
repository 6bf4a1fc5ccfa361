// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// missing finds the copies of configuration that somebody has deleted, and what they
// can be made from again. Nothing waits for it: what can't be looked at counts as
// being there until the next look. Template and revisions must have been observed.
func missing(ctx context.Context, o *observation) []plan.MissingCopy {
	var found []plan.MissingCopy
	for _, copied := range plan.ConfigInUse(o.s) {
		if deleted(ctx, o, copied) {
			from, lost := origin(ctx, o, copied)
			found = append(found, plan.MissingCopy{Copy: copied, From: from, Lost: lost})
		}
	}
	return found
}

// deleted reports whether an object is known not to exist. Its content is not asked for.
func deleted(ctx context.Context, o *observation, ref plan.ConfigRef) bool {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(ref.Kind))
	return apierrors.IsNotFound(o.from.live.Get(ctx, o.namespaced(ref.Name), meta))
}

// origin finds what a copy was made from, and says why that does not have the copy's
// content any more; nothing when it has.
func origin(ctx context.Context, o *observation, copied plan.ConfigRef) (from plan.ConfigRef, lost string) {
	at := slices.IndexFunc(o.s.Config, func(c plan.ConfigCopy) bool { return c.From.Kind == copied.Kind && c.Name == copied.Name })
	if at >= 0 { // read a moment ago
		return o.s.Config[at].From, ""
	}
	from, known := sourceOf(o, copied)
	if !known {
		return plan.ConfigRef{}, "nobody knows what it was copied from"
	}
	source, err := readConfig(ctx, o.from.live, o.s.Rollout, from)
	switch {
	case apierrors.IsNotFound(err):
		return from, fmt.Sprintf("%s does not exist any more", from)
	case err != nil:
		return from, fmt.Sprintf("%s can't be read (%s)", from, lasting(err.Error()))
	}
	if same, err := isCopy(o.s, copied.Name, from, source); err != nil || !same {
		return from, fmt.Sprintf("%s has other content now", from)
	}
	return from, ""
}

// sourceOf tells from a copy's name what it was copied from. A long name is cut, which
// only the name of something that the pod template refers to can tell.
func sourceOf(o *observation, copied plan.ConfigRef) (plan.ConfigRef, bool) {
	dash := strings.LastIndex(copied.Name, "-")
	body, hash := copied.Name[:max(dash, 0)], copied.Name[dash+1:]
	var candidates []string
	if own, is := strings.CutPrefix(body, o.s.Rollout.Name+"-"); is {
		candidates = append(candidates, own)
	}
	candidates = append(candidates, body)
	if o.declared != nil {
		for ref := range plan.ConfigRefs(o.declared) {
			if ref.Kind == copied.Kind {
				candidates = append(candidates, ref.Name)
			}
		}
	}
	for _, name := range candidates {
		if names.ConfigCopy(o.s.Rollout.Name, name, hash) == copied.Name || names.SharedConfigCopy(name, hash) == copied.Name {
			return plan.ConfigRef{Kind: copied.Kind, Name: name}, true
		}
	}
	return plan.ConfigRef{}, false
}
