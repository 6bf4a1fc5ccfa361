// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// supportBackendResponseHeaders is a name of ours: the Gateway API has a feature for
// filters on backends that change requests, and none for those that change answers.
const supportBackendResponseHeaders features.FeatureName = "HTTPRouteBackendResponseHeaderModification"

// need is an optional feature of the Gateway API that a step takes.
type need struct {
	feature features.FeatureName
	// what takes it, and what to remove to do without.
	what, remove string
	// otherwise is what a data plane without it may do.
	otherwise string
}

// Unable implements [routers.Surveyor]. The status of a route says that it was
// accepted even where a data plane does not know a filter in it and answers each
// request with an error; the features that its class lists are all there is to go by.
func (g *router) Unable(ctx context.Context, from client.Reader, r routers.Route, made client.Object, wants []traffic.Split) error {
	k := named(g.kinds, r.Ref.Kind)
	if k.empty == nil || !slices.ContainsFunc(wants, optional) {
		return nil
	}
	v, err := g.madeOrStored(ctx, from, r, made)
	if err != nil {
		return unlessProblem(err) // whoever observes the route says so
	}
	ps, err := pairs(v, r)
	if err != nil {
		return unlessProblem(err)
	}
	if err := unkept(v, r, wants); err != nil {
		return err
	}
	needs := needsOf(v, ps, wants)
	for _, parent := range v.wanted {
		has, err := g.survey(ctx, parent, r)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if !has.lists(n.feature) {
				return has.without(n, r)
			}
		}
	}
	return nil
}

// unkept is the problem of the first split whose cookie the route has no room
// for: a release is better refused than held in the middle.
func unkept(v view, r routers.Route, wants []traffic.Split) error {
	for _, s := range wants {
		if s.Sticky == nil {
			continue
		}
		if _, err := operations(v, r, s); err != nil {
			return err
		}
	}
	return nil
}

// optional reports whether a split may take a feature that not every data plane has.
func optional(s traffic.Split) bool {
	return s.Mirror > 0 || byQuery(s.Matches) != "" || s.Sticky != nil
}

// byQuery names the first match route that compares query parameters.
func byQuery(matches []v1alpha1.MatchRoute) string {
	for _, m := range matches {
		if slices.ContainsFunc(m.Match, func(a v1alpha1.RequestMatch) bool { return len(a.QueryParams) > 0 }) {
			return m.Name
		}
	}
	return ""
}

// needsOf lists what splits take beyond what every data plane of the kind has,
// and beyond what the user's own rules take already: a filter or a match that
// they have is theirs to answer for. Header matches are core; patterns have no
// feature to list. No feature speaks of mirrors in a GRPCRoute: there the data
// plane is taken by its word for an HTTPRoute.
func needsOf(v view, ps []pair, wants []traffic.Split) []need {
	var all []need
	add := func(f features.FeatureName, step, otherwise string) {
		if !slices.ContainsFunc(all, func(n need) bool { return n.feature == f }) {
			all = append(all, need{f, "step " + step, "the step", otherwise})
		}
	}
	for _, s := range wants {
		if s.Sticky != nil {
			all = append(all, need{supportBackendResponseHeaders, "stickiness", "stickiness", "may answer every request with an error, or forget whom it has met"})
		}
		if s.Mirror > 0 {
			add(features.SupportHTTPRouteRequestMirror, "mirror", "may answer every request with an error")
			if slices.ContainsFunc(ps, func(p pair) bool { return p.mirrorsAlready(v) }) {
				add(features.SupportHTTPRouteRequestMultipleMirrors, "mirror beside the rule's own", "may answer every request with an error")
			}
		}
		if s.Mirror > 0 && s.Mirror < 100 {
			add(features.SupportHTTPRouteRequestPercentageMirror, fmt.Sprintf("mirror with percent %d", s.Mirror), "may copy every request")
		}
		if name := byQuery(s.Matches); name != "" {
			add(features.SupportHTTPRouteQueryParamMatching, "matchRoute "+name+" with queryParams", "may send everybody to the canary")
		}
	}
	return all
}

// mirrorsAlready reports whether the user's rule has a mirror.
func (p pair) mirrorsAlready(v view) bool {
	return slices.ContainsFunc(p.theirFilters(v), func(entry any) bool {
		filter, _ := entry.(map[string]any)
		return filter["type"] == string(gatewayv1.HTTPRouteFilterRequestMirror)
	})
}

// madeOrStored sees the route that is about to be written, or else the one that is stored.
func (g *router) madeOrStored(ctx context.Context, from client.Reader, r routers.Route, made client.Object) (view, error) {
	k := named(g.kinds, r.Ref.Kind)
	if made != nil {
		return see(k, made)
	}
	return g.get(ctx, from, r, k.empty())
}

func unlessProblem(err error) error {
	var p *routers.Problem
	if errors.As(err, &p) {
		return nil
	}
	return err
}

// abilities are what is known of the data plane behind one parent.
type abilities struct {
	// parent as messages name it.
	parent string
	// silence says why nothing is known; empty when speaker lists what there is.
	silence string
	// speaker lists them.
	speaker  string
	features []features.FeatureName
}

// unreadable precedes what the controller has no right to read.
const unreadable = "the controller, whose service account should be bound to ClusterRole sluice, may not read "

func (a abilities) lists(f features.FeatureName) bool { return slices.Contains(a.features, f) }

// without is the problem of a step that a parent's data plane is not known to carry out.
func (a abilities) without(n need, r routers.Route) *routers.Problem {
	p := &routers.Problem{Field: r.Field, Unwatched: true}
	if a.silence == "" && n.feature == supportBackendResponseHeaders {
		p.Message = fmt.Sprintf("%s takes filters on backends that change answers, which no feature of the Gateway API stands for; a data plane without them, such as Traefik 3, %s; remove %s or, once you have seen such a filter work there, say so in annotation %s: %s of %s",
			n.what, n.otherwise, n.remove, v1alpha1.FeaturesAnnotation, n.feature, a.parent)
		return p
	}
	if a.silence == "" {
		p.Message = fmt.Sprintf("%s needs feature %s of the Gateway API, which %s does not list in status.supportedFeatures; without it %s; remove %s, or give %s a parent that has it",
			n.what, n.feature, a.speaker, n.otherwise, n.remove, r)
		return p
	}
	p.Message = fmt.Sprintf("%s needs feature %s of the Gateway API, and %s; a data plane without it %s; remove %s or, once you have seen it work there, say so in annotation %s: %s of %s",
		n.what, n.feature, a.silence, n.otherwise, n.remove, v1alpha1.FeaturesAnnotation, n.feature, a.parent)
	return p
}

// survey asks what a parent's data plane can do: its class, where it is a
// Gateway, and whoever runs it, by an annotation of the parent.
func (g *router) survey(ctx context.Context, ref gatewayv1.ParentReference, r routers.Route) (abilities, error) {
	key := types.NamespacedName{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(r.Namespace))), Name: string(ref.Name)}
	kind := string(ptr.Deref(ref.Kind, "Gateway"))
	a := abilities{parent: fmt.Sprintf("%s %s", kind, key)}
	switch group := string(ptr.Deref(ref.Group, gatewayv1.GroupName)); {
	case group == "" && kind == "Service":
		a.silence = "nothing reports what the mesh of " + a.parent + " can do"
		return a, g.annotated(ctx, key, &corev1.Service{}, &a)
	case group == gatewayv1.GroupName && kind == "ListenerSet":
		set := &gatewayv1.ListenerSet{}
		if err := g.annotated(ctx, key, set, &a); err != nil || set.UID == "" {
			return a, err
		}
		of := set.Spec.ParentRef
		key = types.NamespacedName{Namespace: string(ptr.Deref(of.Namespace, gatewayv1.Namespace(key.Namespace))), Name: string(of.Name)}
		a.parent = fmt.Sprintf("Gateway %s", key)
		return a, g.ofGateway(ctx, key, &a)
	case group == gatewayv1.GroupName && kind == "Gateway":
		return a, g.ofGateway(ctx, key, &a)
	}
	a.silence = "nothing reports what " + a.parent + " can do"
	return a, nil
}

// ofGateway adds what the class of a Gateway lists.
func (g *router) ofGateway(ctx context.Context, key types.NamespacedName, a *abilities) error {
	gateway := &gatewayv1.Gateway{}
	if err := g.annotated(ctx, key, gateway, a); err != nil || gateway.UID == "" {
		return err
	}
	name := string(gateway.Spec.GatewayClassName)
	a.speaker = fmt.Sprintf("GatewayClass %s of Gateway %s", name, key)
	class := &gatewayv1.GatewayClass{}
	err := g.live.Get(ctx, types.NamespacedName{Name: name}, class)
	switch {
	case gone(err):
		a.silence = a.speaker + " does not exist"
		return nil
	case apierrors.IsForbidden(err):
		a.silence = unreadable + a.speaker
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", a.speaker, err)
	case len(class.Status.SupportedFeatures) == 0:
		a.silence = a.speaker + " lists none at all in status.supportedFeatures"
	}
	for _, f := range class.Status.SupportedFeatures {
		a.features = append(a.features, features.FeatureName(f.Name))
	}
	return nil
}

// annotated reads an object, and what its annotation says that its data plane
// can do. One that does not exist says nothing.
func (g *router) annotated(ctx context.Context, key types.NamespacedName, o client.Object, a *abilities) error {
	err := g.live.Get(ctx, key, o)
	switch {
	case gone(err):
		a.silence = a.parent + " does not exist (create it or correct spec.parentRefs)"
		return nil
	case apierrors.IsForbidden(err):
		a.silence = unreadable + a.parent
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", a.parent, err)
	}
	for name := range strings.SplitSeq(o.GetAnnotations()[v1alpha1.FeaturesAnnotation], ",") {
		a.features = append(a.features, features.FeatureName(strings.TrimSpace(name)))
	}
	return nil
}
