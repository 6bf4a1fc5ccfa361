// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// defaultJobTimeout serves metrics that never met the API server's defaults.
const defaultJobTimeout = time.Hour

// JobState is how far the Job of a metric is.
type JobState struct {
	// Name of the Job once it exists.
	Name string
	// Succeeded and Failed are ends of it, and never both.
	Succeeded, Failed bool
	// Suspended Jobs have no pods, and their time does not run.
	Suspended bool
	// Message says why it failed.
	Message string
	// Problem says why there is no Job and what to do about it. Empty when there is none.
	Problem string
}

// Done reports whether a Job has come to an end.
func (s JobState) Done() bool { return s.Succeeded || s.Failed }

// JobTimeout is how long the Job of a metric may take.
func JobTimeout(m v1alpha1.Metric) time.Duration {
	if m.Job == nil || m.Job.Timeout == nil || m.Job.Timeout.Duration <= 0 {
		return defaultJobTimeout
	}
	return m.Job.Timeout.Duration
}

// JobOver reports whether the Job of a metric has spoken: either word of it is final.
func JobOver(st v1alpha1.MetricStatus) bool {
	return st.Verdict == v1alpha1.MetricPassing || st.Verdict == v1alpha1.MetricFailed
}

// ran judges a metric by its Job. A Job runs once; while it does the metric is
// Pending, and one that could not be started is a lack of data.
func ran(in Input, j Judged, st v1alpha1.MetricStatus) v1alpha1.MetricStatus {
	if JobOver(st) {
		return st
	}
	s := in.Jobs[j.Name]
	if s.Name != "" {
		st.Job = s.Name
	}
	if s.Problem == "" {
		st.NoDataSince = nil
	} else if st.NoDataSince == nil {
		st.NoDataSince = ptrTime(in.Now)
	}
	switch {
	case s.Succeeded:
		st.Verdict, st.Message = v1alpha1.MetricPassing, fmt.Sprintf("Job %s succeeded", s.Name)
	case s.Failed:
		st.Verdict, st.Message = v1alpha1.MetricFailed, fmt.Sprintf("Job %s failed: %s; see the logs of its pods", s.Name, clip(s.Message))
	case s.Problem != "":
		st.Verdict, st.Message = patient(in, st, v1alpha1.MetricNoData), clip(s.Problem)
	case s.Suspended:
		st.Verdict, st.Message = v1alpha1.MetricPending, fmt.Sprintf("Job %s is suspended; resume it, or have the queue admit it that suspended it", s.Name)
	case s.Name != "":
		st.Verdict, st.Message = v1alpha1.MetricPending, fmt.Sprintf("Job %s runs, for %s at most", s.Name, span(JobTimeout(j.Metric)))
	default:
		st.Verdict, st.Message = v1alpha1.MetricPending, "its Job is not started yet"
	}
	return st
}
