// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package names builds the name of every object that Sluice creates, and reads
// such names back. It is the only place that knows their shape.
package names

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// maxBase is the longest generateName that the API server keeps whole: 63
// characters less its five random ones. A ReplicaSet adds a dash for its pods.
const maxBase = 58 - 1

// maxName is the longest name of a ConfigMap or Secret.
const maxName = 253

// ReplicaSet names the ReplicaSet of a revision: <rollout>-<hash>. A rollout
// name that would not leave room for the whole hash in pod names is shortened
// and made unique again by a digest of the full name.
func ReplicaSet(rollout, hash string) string {
	return fit(rollout, maxBase-len(hash)-1) + "-" + hash
}

// AnalysisRun names the AnalysisRun of a Rollout's n-th release: <rollout>-<n>.
// Where a release has several, where tells them apart: <rollout>-<n>-pre.
func AnalysisRun(rollout string, release int64, where string) string {
	n := strconv.FormatInt(release, 10)
	if where != "" {
		n += "-" + where
	}
	return fit(rollout, maxBase-len(n)-1) + "-" + n
}

// Job names the Job of a job step: <rollout>-<release>-job-<step>, counted from 1.
func Job(rollout string, release int64, step int32) string {
	n := fmt.Sprintf("%d-job-%d", release, step+1)
	return fit(rollout, maxBase-len(n)-1) + "-" + n
}

// MetricJob names the Job of a metric of an AnalysisRun: <run>-<metric>. What
// can't stand in a name is replaced, and a digest tells such names apart, and from
// those of job steps.
func MetricJob(run, metric string) string {
	clean := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, metric), "-")
	if clean != metric || likeJob(run+"-"+clean) {
		clean = strings.TrimLeft(clean+"-"+digest(metric), "-")
	}
	return fit(run+"-"+clean, maxBase)
}

// likeJob reports whether a name has the shape of [Job]'s.
func likeJob(name string) bool {
	i := strings.LastIndex(name, "-job-")
	return i >= 0 && strings.Trim(name[i+len("-job-"):], "0123456789") == ""
}

// Cookie is the value by which a user of a release's canary is known: the
// revision, and a digest of the release, of the weights that it goes through and of how
// often its users were drawn anew. Another release of the revision, or other weights,
// have another.
func Cookie(revision string, release int64, weights []int32, redraws int) string {
	of := fmt.Sprint(release, weights)
	if redraws > 0 {
		of += fmt.Sprint("+", redraws)
	}
	return revision + "-" + digest(of)
}

// StickyCookie names the cookie of a Rollout that names none: sluice-<rollout>.
// Rollouts behind one host share its cookies, so each needs one of its own. What
// can stand in an object's name can stand in a cookie's.
func StickyCookie(rollout string) string { return "sluice-" + rollout }

// ConfigCopy names a Rollout's copy of a ConfigMap or Secret: <rollout>-<name>-<hash>.
// The hash covers the Rollout's name too, since a dash may be part of either name.
func ConfigCopy(rollout, name, hash string) string {
	return fit(rollout+"-"+name, maxName-len(hash)-1) + "-" + hash
}

// SharedConfigCopy names a copy as Sluice did before several Rollouts could track
// the same object: <name>-<hash of its content>.
func SharedConfigCopy(name, hash string) string { return fit(name, maxName-len(hash)-1) + "-" + hash }

// OwnsPod reports whether a pod's name says that it was made by the named ReplicaSet.
func OwnsPod(replicaSet, pod string) bool {
	suffix, ok := strings.CutPrefix(pod, replicaSet+"-")
	return ok && suffix != "" && !strings.Contains(suffix, "-")
}

func fit(name string, room int) string {
	if len(name) <= room {
		return name
	}
	unique := digest(name)
	return strings.TrimRight(name[:room-len(unique)-1], "-.") + "-" + unique
}

func digest(text string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%08x", h.Sum32())
}
