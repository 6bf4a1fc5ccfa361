// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestSame changes every field of a status, however deep, one at a time: no
// change goes unnoticed, and each is told at once or later as a comparison by
// reflection of what is left after cutting the rest away says.
func TestSame(t *testing.T) {
	for name, prepare := range map[string]func(*v1alpha1.RolloutStatus){
		"Canary":    func(*v1alpha1.RolloutStatus) {},
		"BlueGreen": func(s *v1alpha1.RolloutStatus) { s.Strategy, s.Traffic.Since = StrategyBlueGreen, nil },
		"Converged": func(s *v1alpha1.RolloutStatus) { s.Conditions[0].Type = v1alpha1.ConditionTrafficConverged },
	} {
		t.Run(name, func(t *testing.T) {
			full := func() *v1alpha1.RolloutStatus {
				var s v1alpha1.RolloutStatus
				fill(reflect.ValueOf(&s).Elem())
				prepare(&s)
				return &s
			}
			before, now := full(), full()
			if !Same(before, now) || !sameEssence(before, now) {
				t.Fatal("equal statuses differ")
			}
			changes := 0
			vary(reflect.ValueOf(now).Elem(), "status", func(path string) {
				changes++
				if Same(before, now) || Same(now, before) {
					t.Errorf("%s: the change is not noticed", path)
				}
				want := equality.Semantic.DeepEqual(atOnce(*before), atOnce(*now))
				if sameEssence(before, now) != want || sameEssence(now, before) != want {
					t.Errorf("%s: may it be told later? %t, want %t", path, !want, want)
				}
			})
			if changes < 100 || !Same(before, now) {
				t.Fatalf("%d fields changed, and put back: %t", changes, Same(before, now))
			}
		})
	}
}

// fill gives every field a value: one element to a slice, and something behind a pointer.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			v.Set(reflect.ValueOf(metav1.NewTime(noon)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("some")
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(7)
	}
}

// vary changes each field in turn, and puts it back.
func vary(v reflect.Value, path string, see func(path string)) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice:
		if v.IsNil() {
			fill(v)
			see(path + " comes")
			break
		}
		v.SetZero()
		see(path + " goes")
		v.Set(was)
		if v.Kind() == reflect.Slice {
			v.Set(reflect.Append(v, v.Index(0)))
			see(path + " grows")
			v.Set(was)
			vary(v.Index(0), path+"[0]", see)
			break
		}
		vary(v.Elem(), path, see)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			v.Set(reflect.ValueOf(metav1.NewTime(noon.Add(time.Second))))
			see(path)
			break
		}
		for i := range v.NumField() {
			vary(v.Field(i), path+"."+v.Type().Field(i).Name, see)
		}
	case reflect.String:
		v.SetString("other")
		see(path)
	case reflect.Bool:
		v.SetBool(false)
		see(path)
	default:
		v.SetInt(8)
		see(path)
	}
	v.Set(was)
}

// atOnce is a status without what may be told later.
func atOnce(s v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	if t := s.Traffic; t != nil {
		var kept v1alpha1.TrafficStatus
		for _, e := range t.Endpoints {
			if e.Evicted != "" || e.Ending > 0 {
				kept.Endpoints = append(kept.Endpoints, v1alpha1.ServiceEndpoints{Service: e.Service, Revision: e.Revision, Evicted: e.Evicted, Ending: e.Ending})
			}
		}
		if s.Strategy == StrategyBlueGreen && t.Since == nil {
			kept.Requested, kept.Confirmed = t.Requested, t.Confirmed
		}
		s.Traffic = &kept
	}
	s.Message, s.Summary, s.Revisions, s.Analysis, s.WaitingSince, s.AvailableSoFar = "", "", nil, nil, nil, nil
	s.Replicas, s.ReadyReplicas, s.UpdatedReplicas = 0, 0, 0
	if s.CurrentStep != nil {
		step := *s.CurrentStep
		step.WaitingSince = nil
		s.CurrentStep = &step
	}
	var verdicts []metav1.Condition
	for _, c := range s.Conditions {
		if c.Type != v1alpha1.ConditionTrafficConverged {
			verdicts = append(verdicts, metav1.Condition{Type: c.Type, Status: c.Status, ObservedGeneration: c.ObservedGeneration})
		}
	}
	s.Conditions = verdicts
	return s
}
