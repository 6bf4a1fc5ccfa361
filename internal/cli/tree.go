// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/view"
)

// drawTree writes a tree as text.
func drawTree(out io.Writer, t view.Tree, l look) {
	fmt.Fprintf(out, "%s  %s  %s\n", l.paint(t.Name, bold), l.paint(phaseWord(t.Phase), phaseStyle(t.Phase)), header(t))
	for _, text := range []string{t.Stale, t.Message} {
		if text != "" {
			fmt.Fprintln(out, text)
		}
	}
	var nodes []node
	nodes = append(nodes, trafficNodes(t)...)
	nodes = append(nodes, workloadNodes(t)...)
	nodes = append(nodes, revisionNodes(t, l)...)
	nodes = append(nodes, stepNodes(t)...)
	nodes = append(nodes, analysisNodes(t, l)...)
	nodes = append(nodes, abortNodes(t)...)
	nodes = append(nodes, commandNodes(t)...)
	nodes = append(nodes, conditionNodes(t)...)
	said := []string{t.Message}
	l.draw(out, unrepeated(nodes, &said), "")
}

// unrepeated leaves out the lines of nodes that say what has been said above them.
func unrepeated(nodes []node, said *[]string) []node {
	for i := range nodes {
		var lines []cell
		for _, line := range nodes[i].lines {
			text := strings.TrimSuffix(line.text, "…")
			if !slices.ContainsFunc(*said, func(s string) bool { return strings.Contains(s, text) }) {
				lines = append(lines, line)
				*said = append(*said, line.text)
			}
		}
		nodes[i].lines = lines
		nodes[i].children = unrepeated(nodes[i].children, said)
	}
	return nodes
}

func header(t view.Tree) string {
	parts := []string{"namespace " + t.Namespace}
	if t.Strategy != "" {
		parts = append(parts, "strategy "+t.Strategy)
	}
	if t.Release > 0 && t.StartedAt != nil {
		parts = append(parts, fmt.Sprintf("release %d, started %s ago", t.Release, age(t.At, *t.StartedAt)))
	}
	parts = append(parts, fmt.Sprintf("%s wanted, %d ready", count(t.Desired, "pod", "pods"), t.Ready))
	return strings.Join(parts, " · ")
}

// trafficNodes shows the split by Service. Confirmed weights are shown where they differ.
func trafficNodes(t view.Tree) []node {
	if t.Traffic == nil {
		return nil
	}
	n := node{cells: title("Traffic", "")}
	if t.Traffic.Since != nil {
		n = node{cells: title("Traffic", "since "+age(t.At, *t.Traffic.Since))}
	}
	if text := confirmation(t.Traffic); text != "" {
		n.cells = append(n.cells, cell{text, faint})
	}
	if t.Traffic.Message != "" {
		n.lines = append(n.lines, cell{t.Traffic.Message, odd})
	}
	for _, s := range t.Traffic.Shares {
		to, behind := behindShare(s)
		n.children = append(n.children, node{cells: []cell{to[0], to[1], {weights(&s.Requested, s.Confirmed), plain}, {behind, faint}}})
	}
	return []node{n}
}

// behindShare names what a share goes to, and which revision that is unless its name says so.
func behindShare(s view.Share) (to [2]cell, revision string) {
	switch {
	case s.Service == "" && s.Revision == "":
		return [2]cell{{"Pods", faint}, {"of no revision yet", plain}}, ""
	case s.Service == "":
		return [2]cell{{"Pods", faint}, {"of revision " + s.Revision, plain}}, ""
	case s.Revision == "":
		return [2]cell{{"Service", faint}, {s.Service, plain}}, "all revisions: not narrowed to one yet"
	}
	return [2]cell{{"Service", faint}, {s.Service, plain}}, "revision " + s.Revision
}

// confirmation says what the confirmed weights rest on.
func confirmation(t *view.Traffic) string {
	o := t.Observed
	switch {
	case t.ConfirmedBy == "":
		return ""
	case o == nil || t.ConfirmedBy != v1alpha1.EvidenceObservedShare:
		return fmt.Sprintf("confirmed by %s", t.ConfirmedBy)
	}
	return fmt.Sprintf("confirmed by %s: the canary got %s of %d requests (metric %s, until %s)",
		t.ConfirmedBy, strings.Replace(string(o.Share), "%", " %", 1), o.Requests, o.Metric, o.Until.UTC().Format("15:04:05 MST"))
}

func workloadNodes(t view.Tree) []node {
	w := t.Workload
	if w == nil {
		return nil
	}
	if !w.Found {
		return []node{{cells: []cell{{"Workload", bold}, {w.Kind + "/" + w.Name, plain}, {"not found", bad}}}}
	}
	own := fmt.Sprintf("lends its template; %d/%d pods of its own ready", w.Ready, w.Desired)
	if w.Desired == 0 && w.Ready == 0 {
		own = "lends its template; no pods of its own"
	}
	return []node{{cells: []cell{{"Workload", bold}, {w.Kind + "/" + w.Name, plain}, {own, faint}}}}
}

// revisionNodes leaves out retired revisions without pods, unless asked for everything.
func revisionNodes(t view.Tree, l look) []node {
	var out []node
	var empty int32
	for _, r := range t.Revisions {
		if !l.wide && r.Role == v1alpha1.RoleRetired && r.Desired == 0 && len(r.Pods) == 0 {
			empty++
			continue
		}
		out = append(out, revisionNode(t, r, l))
	}
	if empty > 0 {
		text := count(empty, "retired revision", "retired revisions") + " without pods, kept for a way back (-o wide shows them)"
		out = append(out, node{cells: []cell{{text, faint}}})
	}
	return out
}

func revisionNode(t view.Tree, r view.Revision, l look) node {
	name := "revision " + r.Hash
	if r.Number > 0 {
		name = fmt.Sprintf("revision %d (%s)", r.Number, r.Hash)
	}
	n := node{cells: []cell{{string(r.Role), bold}, {name, plain}}}
	if t.Traffic != nil && r.Role != v1alpha1.RoleRetired {
		n.cells = append(n.cells, cell{weights(r.Requested, r.Confirmed), plain})
	}
	ready := fmt.Sprintf("%d/%d pods ready", r.Ready, r.Desired)
	if r.Available < r.Ready {
		ready += fmt.Sprintf(", %d available", r.Available)
	}
	n.cells = append(n.cells, cell{ready, plain})
	if r.ScaleDownAt != nil && r.Desired > 0 {
		n.cells = append(n.cells, cell{"pods leave " + ahead(t.At, *r.ScaleDownAt), odd})
	}
	for _, image := range r.Images {
		n.lines = append(n.lines, cell{image, faint})
	}
	for _, p := range r.Pods {
		n.children = append(n.children, podNode(t, p, l))
	}
	return n
}

func podNode(t view.Tree, p view.Pod, l look) node {
	m := cell{"○", odd}
	switch {
	case p.Ready && p.State == "Running":
		m = cell{"✔", good}
	case p.Restarts > 0:
		m = cell{"✖", bad}
	}
	restarts := ""
	if p.Restarts > 0 {
		restarts = count(p.Restarts, "restart", "restarts")
	}
	cells := []cell{m, {p.Name, plain}, {p.State, plain}, {fmt.Sprintf("%d/%d ready", p.ReadyContainers, p.Containers), plain},
		{age(t.At, p.Created), faint}, {restarts, odd}}
	if l.wide {
		cells = append(cells, cell{orDash(p.Node), faint})
	}
	n := node{cells: cells}
	if p.Message != "" {
		n.lines = append(n.lines, cell{l.fit(oneLine(p.Message)), faint})
	}
	return n
}

// title starts a section.
func title(name, rest string) []cell { return []cell{{name, bold}, {rest, plain}} }

func stepNodes(t view.Tree) []node {
	if len(t.Steps) == 0 {
		return nil
	}
	n := node{cells: title("Steps", stepSummary(t.Steps))}
	for _, s := range t.Steps {
		m, as := stepMark(s.State)
		n.children = append(n.children, node{cells: []cell{
			m, {fmt.Sprintf("%2d", s.Index+1), as}, {s.Words, as}, {stepTimes(t.At, s), odd},
		}})
	}
	return []node{n}
}

func stepSummary(steps []view.Step) string {
	done := int32(0)
	for _, s := range steps {
		if s.State == view.StepDone {
			done++
		}
	}
	if steps[0].State == view.StepIdle {
		return "no release is under way"
	}
	return fmt.Sprintf("%d of %d done", done, len(steps))
}

func stepMark(state view.StepState) (cell, style) {
	switch state {
	case view.StepDone:
		return cell{"✔", good}, plain
	case view.StepCurrent:
		return cell{"▶", busy}, bold
	case view.StepStopped:
		return cell{"✖", bad}, bold
	case view.StepRemaining, view.StepIdle:
	}
	return cell{"·", faint}, faint
}

func stepTimes(now metav1.Time, s view.Step) string {
	if s.Since == nil {
		return ""
	}
	text := "for " + age(now, *s.Since)
	if s.Until != nil {
		text += ", ends " + ahead(now, *s.Until)
	}
	return text
}

func analysisNodes(t view.Tree, l look) []node {
	a := t.Analysis
	if a == nil {
		return nil
	}
	n := node{cells: []cell{{"Analysis", bold}, {a.Run, plain}, {string(a.Phase), analysisStyle(a.Phase)}}}
	if a.StartedAt != nil && a.CompletedAt == nil {
		n.cells = append(n.cells, cell{"for " + age(t.At, *a.StartedAt), faint})
	}
	if a.Message != "" {
		n.lines = append(n.lines, cell{l.fit(oneLine(a.Message)), plain})
	}
	if a.Answer != nil {
		text := fmt.Sprintf("step %d asked: %s%s", a.Answer.Step+1, a.Answer.Verdict, after(": ", oneLine(a.Answer.Message)))
		n.lines = append(n.lines, cell{l.fit(text), plain})
	}
	for _, m := range a.Metrics {
		n.children = append(n.children, metricNode(m, l))
	}
	return []node{n}
}

func metricNode(m view.Metric, l look) node {
	mark := metricMark(m.Verdict)
	value := "no value"
	if m.Value != "" {
		value = measured(m.Value)
	}
	counts := fmt.Sprintf("%d in, %d out", m.InBounds, m.OutOfBounds)
	if m.NoData > 0 {
		counts += fmt.Sprintf(", %d without data", m.NoData)
	}
	name := m.Name
	if m.DryRun {
		name += " (dry run)"
	}
	n := node{cells: []cell{mark, {name, plain}, {string(m.Verdict), mark.as}, {value, bold}, {m.Bounds, plain}, {counts, faint}}}
	if m.Message != "" {
		n.lines = append(n.lines, cell{l.fit(oneLine(m.Message)), faint})
	}
	return n
}

func metricMark(v v1alpha1.MetricVerdict) cell {
	switch v {
	case v1alpha1.MetricPassing:
		return cell{"✔", good}
	case v1alpha1.MetricFailed:
		return cell{"✖", bad}
	case v1alpha1.MetricNoData, v1alpha1.MetricHolding:
		return cell{"?", odd}
	case v1alpha1.MetricPending, v1alpha1.MetricUndecided:
	}
	return cell{"○", busy}
}

func analysisStyle(p v1alpha1.AnalysisPhase) style {
	switch p {
	case v1alpha1.AnalysisPassed:
		return good
	case v1alpha1.AnalysisFailed, v1alpha1.AnalysisError:
		return bad
	case v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisTerminated:
		return odd
	case v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
	}
	return busy
}

func abortNodes(t view.Tree) []node {
	a := t.Abort
	if a == nil {
		return nil
	}
	text := "revision " + a.Revision + ", " + age(t.At, a.At) + " ago" + after(", by ", a.By)
	return []node{{
		cells: []cell{{"Aborted", bad}, {text, plain}, {a.Reason, bad}},
		lines: []cell{{a.Message, plain}},
	}}
}

func commandNodes(t view.Tree) []node {
	c := t.LastCommand
	if c == nil {
		return nil
	}
	as := good
	if c.Result != v1alpha1.CommandAccepted {
		as = bad
	}
	text := string(c.Verb) + after(" of revision ", c.Revision) + ", " + age(t.At, c.At) + " ago" + after(", by ", c.By)
	n := node{cells: []cell{{"Last command", bold}, {text, plain}, {string(c.Result), as}}}
	if c.Message != "" {
		n.lines = []cell{{c.Message, plain}}
	}
	return []node{n}
}

func conditionNodes(t view.Tree) []node {
	if len(t.Conditions) == 0 {
		return nil
	}
	n := node{cells: []cell{{"Conditions not as they should be", bold}}}
	for _, c := range t.Conditions {
		child := node{cells: []cell{{"!", odd}, {c.Type, plain}, {string(c.Status), plain}, {c.Reason, odd}}}
		if c.Message != "" && c.Message != t.Message {
			child.lines = []cell{{c.Message, plain}}
		}
		n.children = append(n.children, child)
	}
	return []node{n}
}

// maxLine is as much of a foreign message as fits beside the branches of most terminals.
const maxLine = 110

// fit shortens a message that comes from elsewhere, unless everything is wanted.
func (l look) fit(text string) string {
	runes := []rune(text)
	if l.wide || len(runes) <= maxLine {
		return text
	}
	return string(runes[:maxLine-1]) + "…"
}
