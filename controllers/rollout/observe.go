// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// seen is what one pass decides from.
type seen struct {
	plan.Snapshot
	// stored is the Rollout as it is stored; the snapshot's has the status that it would have by now.
	stored *v1alpha1.Rollout
	// before is what the pass before has seen of it.
	before *v1alpha1.Rollout
	// unread is why part of what only new things hang on is not known, and stands as a problem; nil as a rule.
	unread error
}

// compared is the status that a look compared with.
func (s seen) compared() (st v1alpha1.RolloutStatus) {
	if s.before != nil {
		st = s.before.Status
	}
	return st
}

// observe reads everything that a decision depends on: some kinds of objects
// from the API server, the others from the cache. What a person has to mend
// becomes a problem of the snapshot; an error means that it could not be read. What
// only new things hang on is a problem then, too: the way back does not wait for it.
// What an earlier look of the same pass has seen of endpoints is not forgotten.
func (r *Reconciler) observe(ctx context.Context, key types.NamespacedName, live plan.Kinds, compared, earlier v1alpha1.RolloutStatus) (seen, error) {
	from := readers{cached: r.cached, live: r.live, noted: r.noted, kinds: live}
	stored := &v1alpha1.Rollout{}
	if err := from.of(plan.Rollouts).Get(ctx, key, stored); err != nil {
		return seen{}, err
	}
	before := r.drafts.latest(stored)
	ro := plan.Glimpsed(before, compared, earlier)
	o := &observation{
		from: from, indexed: r.client, routers: r.routers, makes: r.writer.managed, vet: r.vet,
		bound: plan.Bindings(ro), problems: problems{leaving: plan.Rebinding(ro)}, rival: map[string]string{},
		s: plan.Snapshot{Now: r.clock.Now(), Watched: r.known.since(r.clock.Now()), Rollout: ro, Gate: r.gates.answer(ro.UID)},
	}
	own := func(ctx context.Context) error { return o.makes.observe(ctx, o) }
	for _, read := range []func(context.Context) error{o.rivals, o.source, o.revisions, o.template, o.services, own, o.routes, o.successors, o.analysis, o.jobs, o.pods, o.trouble} {
		if err := read(ctx); err != nil {
			return seen{}, err
		}
	}
	o.s.Missing = missing(ctx, o)
	o.found = append(o.found, r.gates.problems(ro)...)
	o.s.Problems = o.found
	return seen{o.s, stored, before, o.unread}, nil
}

// readers choose where a kind of object is read from.
type readers struct {
	cached, live, noted client.Reader
	// kinds that are read live.
	kinds plan.Kinds
}

func (r readers) of(kind plan.Kinds) client.Reader {
	switch {
	case !r.kinds.Has(kind):
		return r.cached
	case kind == plan.Endpoints, kind == plan.Rollouts, kind == plan.Routes:
		return r.noted
	}
	return r.live
}

// observation is a snapshot in the making.
type observation struct {
	from readers
	// indexed finds Rollouts by what they refer to; only the cache can.
	indexed client.Reader
	routers *routers.Registry
	makes   managed
	vet     plan.Vet
	// bound are the objects that carry the traffic.
	bound v1alpha1.Bindings
	s     plan.Snapshot
	problems
	// declared is the pod template as the spec or the workload has it.
	declared *corev1.PodTemplateSpec
	// absent Services were named and are not there.
	absent []string
	// rival Rollouts that steer Services with the better claim, by the Services' names.
	rival map[string]string
	// replicaSets by name, for telling whose pod an endpoint is.
	replicaSets map[string]string
}

func (o *observation) namespaced(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: o.s.Rollout.Namespace, Name: name}
}

// source finds the pod template in the spec or in the workload. Which revisions
// are the Rollout's may hang on the workload.
func (o *observation) source(ctx context.Context) error {
	spec := o.s.Rollout.Spec
	if spec.WorkloadRef == nil {
		o.s.Selector, o.declared = spec.Selector, spec.Template
		return nil
	}
	d := &appsv1.Deployment{}
	err := o.from.of(plan.Workloads).Get(ctx, o.namespaced(spec.WorkloadRef.Name), d)
	if apierrors.IsNotFound(err) {
		o.problem("spec.workloadRef.name", "Deployment %s does not exist in namespace %s; create it or correct the name", spec.WorkloadRef.Name, o.s.Rollout.Namespace)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read Deployment %s: %w", spec.WorkloadRef.Name, err)
	}
	o.s.Selector, o.s.Workload, o.declared = d.Spec.Selector, workload(d), &d.Spec.Template
	return nil
}

// template notes the pod template and its hash. Without the configuration that it
// tracks there is no telling which revision is wanted; copies that a revision notes
// keep their names.
func (o *observation) template(ctx context.Context) error {
	t := o.declared
	if t == nil {
		return nil
	}
	var err error
	if o.s.Rollout.Spec.TrackConfig {
		if o.s.AsWritten, err = plan.HashTemplate(*t); err != nil {
			return err
		}
		var complete bool
		if t, complete, err = track(ctx, o, t); err != nil || !complete {
			return err
		}
	}
	o.s.Template = t
	o.s.Target, err = plan.HashTemplate(*t)
	return err
}

func workload(d *appsv1.Deployment) *plan.Workload {
	w := &plan.Workload{
		Name: d.Name, UID: d.UID, Replicas: 1, Current: d.Status.Replicas, Available: d.Status.AvailableReplicas,
		MinReadySeconds: d.Spec.MinReadySeconds,
	}
	if d.Spec.Replicas != nil {
		w.Replicas = *d.Spec.Replicas
	}
	w.Paused, w.Trouble = d.Spec.Paused, unavailable(d)
	w.Before, w.ScaledTo = noted(d, v1alpha1.WorkloadReplicasAnnotation), noted(d, v1alpha1.WorkloadScaledToAnnotation)
	return w
}

// noted reads a number that is remembered on a workload; nil when there is none.
func noted(d *appsv1.Deployment, annotation string) *int32 {
	n, err := strconv.ParseInt(d.Annotations[annotation], 10, 32)
	if err != nil {
		return nil
	}
	number := int32(n)
	return &number
}

// revisions lists the ReplicaSets that this very Rollout controls.
func (o *observation) revisions(ctx context.Context) error {
	var list appsv1.ReplicaSetList
	if err := o.from.of(plan.ReplicaSets).List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), client.MatchingLabels{v1alpha1.RolloutLabel: o.s.Rollout.Name}); err != nil {
		return fmt.Errorf("list ReplicaSets of %s: %w", o.s.Rollout.Name, err)
	}
	o.replicaSets = map[string]string{}
	for i := range list.Items {
		rs := &list.Items[i]
		if !ours(o.s, rs) || rs.DeletionTimestamp != nil {
			continue
		}
		o.s.Revisions = append(o.s.Revisions, revision(rs))
		o.replicaSets[rs.Name] = rs.Labels[v1alpha1.RevisionLabel]
	}
	return nil
}

func revision(rs *appsv1.ReplicaSet) plan.Revision {
	number, _ := strconv.ParseInt(rs.Annotations[v1alpha1.RevisionNumberAnnotation], 10, 64) // 0 sorts first
	r := plan.Revision{
		Hash: rs.Labels[v1alpha1.RevisionLabel], Name: rs.Name, Number: number, Replicas: 1, Mark: rs.Annotations[v1alpha1.RoleAnnotation],
		Config:  readConfigNote(rs.Annotations[v1alpha1.ConfigAnnotation]),
		Current: rs.Status.Replicas, Ready: rs.Status.ReadyReplicas, Available: rs.Status.AvailableReplicas,
		MinReadySeconds: rs.Spec.MinReadySeconds,
		Trouble:         uncreated(rs),
	}
	if rs.Spec.Replicas != nil {
		r.Replicas = *rs.Spec.Replicas
	}
	for _, c := range rs.Spec.Template.Spec.Containers {
		r.Images = append(r.Images, c.Image)
	}
	return r
}

// routes asks each route's router what the route says. One that is not there sends
// nothing, and must not keep the others from being steered.
func (o *observation) routes(ctx context.Context) error {
	var seen []traffic.Observed
	unknown := false
	for i := range o.bound.Routes {
		route := routeAt(o.s, o.bound, i)
		if err := carriable(ctx, o, route); err != nil {
			return err
		}
		observed, err := o.route(ctx, route)
		var p *routers.Problem
		switch {
		case err == nil:
			seen = append(seen, observed)
		case !errors.As(err, &p):
			return err
		case outdated(o.s.Managed, route.Ref):
			unknown = true // and no mistake of anybody's: it is about to be written anew
		default:
			unsteered(o, p)
			unknown = unknown || !p.Gone
		}
	}
	if !unknown { // part of the truth would look like the whole
		o.s.Traffic = traffic.Merge(seen...)
		o.s.NoRoutes = len(seen) == 0 && len(o.bound.Routes) > 0
	}
	return nil
}

// unsteered tells of a route that can't be steered. A wrong name of a Service is one
// mistake, which is told already, and not another one of each route.
func unsteered(o *observation, p *routers.Problem) {
	if !p.Unreferred || len(o.absent) == 0 {
		o.routed(p)
	}
}

// carriable finds what the steps ask for and the kind of a route, or a data
// plane of it, can't carry. It keeps nothing that is under way from being taken
// back, and concerns nobody once the Rollout is deleted or the route is left: what
// its data plane can do, or whether that can be read, must not keep it from being
// given back.
func carriable(ctx context.Context, o *observation, route routers.Route) error {
	if _, err := o.routers.For(route); err != nil || o.leaving || o.s.Rollout.DeletionTimestamp != nil {
		return nil //nolint:nilerr // reading it says so
	}
	wants := plan.Asked(o.s.Rollout)
	var p *routers.Problem
	for _, asked := range wants {
		if errors.As(o.routers.Refuses(route, asked), &p) {
			o.routed(p)
			return nil
		}
	}
	err := o.unsure(route.Field, o.routers.Unable(ctx, o.from.of(plan.Routes), route, nil, wants))
	if errors.As(err, &p) {
		o.routed(p)
		return nil
	}
	return err
}

func (o *observation) route(ctx context.Context, route routers.Route) (traffic.Observed, error) {
	router, err := o.routers.For(route)
	if err != nil {
		return traffic.Observed{}, err
	}
	observed, err := router.Observe(ctx, o.from.of(plan.Routes), route)
	if err != nil {
		return traffic.Observed{}, fmt.Errorf("read %s: %w", route, err)
	}
	return observed, nil
}

// successors finds what is wrong with the objects that the spec names in place
// of those that carry the traffic: nothing is released for what does not work.
func (o *observation) successors(ctx context.Context) error {
	if !o.leaving {
		return nil
	}
	next := &observation{
		from: o.from, routers: o.routers, makes: o.makes, bound: plan.WantedBindings(o.s.Rollout), replicaSets: o.replicaSets,
		s: plan.Snapshot{Now: o.s.Now, Rollout: o.s.Rollout, Template: o.s.Template, Selector: o.s.Selector, Managed: o.s.Managed},
	}
	for _, read := range []func(context.Context) error{next.services, next.routes} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	o.found, o.unread = append(o.found, next.found...), cmp.Or(o.unread, next.unread)
	return nil
}

// routeAt is the i-th route of some bindings of a Rollout, as routers know it.
func routeAt(s plan.Snapshot, b v1alpha1.Bindings, i int) routers.Route {
	field := fmt.Sprintf("%s.routes[%d]", strategyPath(b), i)
	if own := len(b.Routes) - int(b.Managed); i >= own {
		field = fmt.Sprintf("%s.managedRoutes[%d]", strategyPath(b), i-own)
	}
	return routeTo(s, b, b.Routes[i], field)
}

func routeTo(s plan.Snapshot, b v1alpha1.Bindings, ref v1alpha1.RouteRef, field string) routers.Route {
	return routers.Route{
		Namespace: s.Rollout.Namespace, Ref: ref, Field: field,
		StableService: b.StableService, CanaryService: b.CanaryService, BaselineService: b.BaselineService,
		StableRevision: s.StableService.Selects, CanaryRevision: s.CanaryService.Selects,
		Own: plan.Originals(s.Rollout.Status),
	}
}

// strategyPath is where in a Rollout the bindings are written.
func strategyPath(b v1alpha1.Bindings) string {
	if b.Strategy == plan.StrategyBlueGreen {
		return "spec.strategy.blueGreen"
	}
	return "spec.strategy.canary"
}

// analysis reads the templates that the analysis refers to, and the runs.
func (o *observation) analysis(ctx context.Context) error {
	var runs v1alpha1.AnalysisRunList
	if err := o.from.of(plan.Runs).List(ctx, &runs, client.InNamespace(o.s.Rollout.Namespace), client.MatchingLabels{v1alpha1.RolloutLabel: o.s.Rollout.Name}); err != nil {
		return fmt.Errorf("list AnalysisRuns of %s: %w", o.s.Rollout.Name, err)
	}
	for i := range runs.Items {
		if metav1.IsControlledBy(&runs.Items[i], o.s.Rollout) && runs.Items[i].DeletionTimestamp == nil {
			o.s.Runs = append(o.s.Runs, runs.Items[i])
		}
	}
	var refs []v1alpha1.TemplateRef
	for _, a := range plan.Analyses(o.s.Rollout.Spec) {
		refs = append(refs, a.Templates...)
	}
	if err := readTemplates(ctx, o, refs); err != nil {
		return err
	}
	o.found = append(o.found, plan.CheckAnalysis(o.s.Rollout, o.s.Templates, o.vet)...)
	o.found = append(o.found, plan.CheckPlaces(o.s)...)
	return nil
}

// readTemplates reads the templates referred to, and those that they build on. One
// that does not exist is left out, and CheckAnalysis names it.
func readTemplates(ctx context.Context, o *observation, refs []v1alpha1.TemplateRef) error {
	seen := map[v1alpha1.TemplateRef]bool{}
	for len(refs) > 0 {
		ref := refs[0]
		ref.Kind = cmp.Or(ref.Kind, v1alpha1.KindAnalysisTemplate)
		refs = refs[1:]
		if seen[ref] {
			continue
		}
		seen[ref] = true
		spec, err := readTemplate(ctx, o, ref)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s %s: %w", ref.Kind, ref.Name, err)
		}
		o.s.Templates = append(o.s.Templates, plan.Template{Kind: ref.Kind, Name: ref.Name, Spec: spec})
		refs = append(refs, spec.Templates...)
	}
	return nil
}

func readTemplate(ctx context.Context, o *observation, ref v1alpha1.TemplateRef) (v1alpha1.AnalysisTemplateSpec, error) {
	if ref.Kind == v1alpha1.KindClusterAnalysisTemplate {
		var t v1alpha1.ClusterAnalysisTemplate
		err := o.from.of(plan.Runs).Get(ctx, types.NamespacedName{Name: ref.Name}, &t)
		return t.Spec, err
	}
	var t v1alpha1.AnalysisTemplate
	err := o.from.of(plan.Runs).Get(ctx, o.namespaced(ref.Name), &t)
	return t.Spec, err
}
