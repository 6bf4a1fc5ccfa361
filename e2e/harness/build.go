// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// Name is the name of the Rollout, the HTTPRoute and the workload in a shop's namespace.
	Name = "shop"
	// StableService is the Service behind the stable slot of a shop.
	StableService = "shop-stable"
	// CanaryService is the Service behind the canary slot.
	CanaryService = "shop-canary"
	// ErrorShare is the query for the share of a canary's requests that it answered with 5xx. No such answer counts
	// as 0, while no traffic at all gives no value.
	ErrorShare = `(sum(rate(http_requests_total{namespace="$(namespace)",revision="$(canary)",code=~"5.."}[10s])) or vector(0))` +
		` / sum(rate(http_requests_total{namespace="$(namespace)",revision="$(canary)"}[10s]))`
	// drain is how long a pod that is told to stop goes on serving: until the gateway has surely heard of it, even on
	// a machine that is short of time.
	drain = "12s"
	// port is where the shop's containers listen.
	port = 8080
)

// Modifier changes a Rollout under construction.
type Modifier func(*v1alpha1.Rollout)

// Rollout gives a Rollout of the shop, changed by modifiers in order. Without
// any it has two pods of version v1, no steps and no analysis.
func Rollout(namespace, image string, mods ...Modifier) *v1alpha1.Rollout {
	labels := map[string]string{"app": Name}
	r := &v1alpha1.Rollout{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Rollout"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To[int32](2),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: ptr.To(Template(image, "v1")),
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
				StableService: StableService,
				CanaryService: CanaryService,
				Routes: []v1alpha1.RouteRef{{
					APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute", Name: Name,
				}},
				ScaleDownDelaySeconds:      ptr.To[int32](3),
				AbortScaleDownDelaySeconds: ptr.To[int32](3),
			}},
		},
	}
	for _, m := range mods {
		m(r)
	}
	return r
}

// Template gives the pod template of a version of the shop.
func Template(image, version string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{"app": Name},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
		},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{
				Name:            Name,
				Image:           image,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Env:             []corev1.EnvVar{{Name: "VERSION", Value: version}, {Name: "DRAIN", Value: drain}},
				Ports:           []corev1.ContainerPort{{Name: "http", ContainerPort: port}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(port)}},
					PeriodSeconds: 1,
					// On a machine that is short of time an answer may be late. A shop that is slow for a moment is not to
					// lose all its endpoints at once.
					TimeoutSeconds: 5,
				},
				// As much as the controller asks for. Pods that ask for nothing get hardly any time on a busy node.
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}},
			}},
		},
	}
}

// Env sets an environment variable of the shop, which makes it another revision.
func Env(name, value string) Modifier {
	return func(r *v1alpha1.Rollout) { SetEnv(r.Spec.Template, name, value) }
}

// Version makes the shop answer as a version.
func Version(version string) Modifier { return Env("VERSION", version) }

// Faulty makes the shop answer a share of requests, such as "0.3", with an injected fault.
func Faulty(share string) Modifier { return Env("ERROR_RATE", share) }

// SetEnv sets an environment variable of a template's first container.
func SetEnv(t *corev1.PodTemplateSpec, name, value string) {
	c := &t.Spec.Containers[0]
	c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
}

// Steps sets the steps.
func Steps(steps ...v1alpha1.Step) Modifier {
	return func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Steps = steps }
}

// Weight is a step that sets the canary's weight in percent.
func Weight(percent int32) v1alpha1.Step { return v1alpha1.Step{SetWeight: &percent} }

// Baseline is a step that starts fresh pods of stable with a share of their own; without pods it ends them.
func Baseline(pods, percent int32) v1alpha1.Step {
	return v1alpha1.Step{Baseline: &v1alpha1.Baseline{Replicas: pods, Weight: percent}}
}

// Pause is a step that waits until promoted.
func Pause() v1alpha1.Step { return v1alpha1.Step{Pause: &v1alpha1.Pause{}} }

// PauseFor is a step that waits for a time.
func PauseFor(d time.Duration) v1alpha1.Step {
	return v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: d}}}
}

// Analyze is a step that waits for the analysis, at least for a time.
func Analyze(least time.Duration) v1alpha1.Step {
	return v1alpha1.Step{Analyze: &v1alpha1.Analyze{MinDuration: &v1alpha1.Duration{Duration: least}}}
}

// Analysis judges the canary every second by its share of 5xx answers, with 5 % as the bound.
func Analysis(prometheus string) Modifier {
	return AnalysisOf(prometheus, ErrorShare)
}

// AnalysisOf judges by a query for the share of errors.
func AnalysisOf(prometheus, query string) Modifier {
	return func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Analysis = errorAnalysis(prometheus, query) }
}

// ByPods splits by the number of pods behind one Service, without a route.
func ByPods() Modifier {
	return func(r *v1alpha1.Rollout) {
		c := r.Spec.Strategy.Canary
		c.Service, c.StableService, c.CanaryService, c.Routes = StableService, "", "", nil
	}
}

func errorAnalysis(prometheus, query string) *v1alpha1.Analysis {
	return &v1alpha1.Analysis{
		Prometheus: &v1alpha1.Prometheus{Address: prometheus},
		Block:      &v1alpha1.Duration{Duration: time.Second},
		WarmUp:     &v1alpha1.Duration{Duration: 3 * time.Second},
		Metrics: []v1alpha1.Metric{{
			Name:      "server-errors",
			Threshold: &v1alpha1.Threshold{Query: query, Max: ptr.To("0.05"), Consecutive: 3},
		}},
	}
}

// BlueGreen switches all traffic at once, by the selector of the active
// Service. The preview has a pod of its own until somebody promotes, and what
// was active keeps its pods for a while.
func BlueGreen(mods ...func(*v1alpha1.BlueGreenStrategy)) Modifier {
	return func(r *v1alpha1.Rollout) {
		b := &v1alpha1.BlueGreenStrategy{
			ActiveService:              StableService,
			PreviewService:             CanaryService,
			PreviewReplicas:            ptr.To[int32](1),
			AutoPromote:                ptr.To(false),
			ScaleDownDelaySeconds:      ptr.To[int32](20),
			AbortScaleDownDelaySeconds: ptr.To[int32](3),
		}
		for _, m := range mods {
			m(b)
		}
		r.Spec.Strategy = v1alpha1.Strategy{BlueGreen: b}
	}
}

// Watched judges a blue-green release after the switch, at least for a time.
func Watched(prometheus string, least time.Duration) func(*v1alpha1.BlueGreenStrategy) {
	return func(b *v1alpha1.BlueGreenStrategy) {
		b.PostPromotion = &v1alpha1.PostPromotion{Analysis: *errorAnalysis(prometheus, ErrorShare), Analyze: Analyze(least).Analyze}
	}
}

// Replicas sets the number of pods.
func Replicas(n int32) Modifier {
	return func(r *v1alpha1.Rollout) { r.Spec.Replicas = &n }
}

// Objectives judges the canary by what the shop promises, compared with stable:
// 99 % of requests do not fail. Blocks are as short as sampling every second allows.
func Objectives(prometheus string, preset v1alpha1.Preset, mods ...func(*v1alpha1.Analysis)) Modifier {
	a := &v1alpha1.Analysis{
		Judgement: v1alpha1.Judgement{
			Preset: preset, Objectives: &v1alpha1.Objectives{Availability: "99%"},
			Settle: &v1alpha1.Duration{Duration: 3 * time.Second},
		},
		Prometheus: &v1alpha1.Prometheus{Address: prometheus},
		Block:      &v1alpha1.Duration{Duration: 5 * time.Second},
		WarmUp:     &v1alpha1.Duration{Duration: 5 * time.Second},
	}
	for _, m := range mods {
		m(a)
	}
	return func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Analysis = a }
}

// AnalyzeWithin is a step that waits for evidence, at most for a time.
func AnalyzeWithin(most time.Duration) v1alpha1.Step {
	return v1alpha1.Step{Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: most}}}
}
