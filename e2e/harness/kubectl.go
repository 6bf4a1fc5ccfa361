// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Output is what a command printed, and how it ended.
type Output struct {
	// Stdout and Stderr as printed.
	Stdout, Stderr string
	// Code is the exit code.
	Code int
}

// Kubectl runs the kubectl of this machine in the shop's namespace, with the
// plugin built here as `kubectl sluice`. An exit code other than 0 is not an error.
func (w Witness) Kubectl(ctx context.Context, args ...string) (Output, error) {
	args = append(args, "--namespace", w.namespace)
	if name := w.cluster.Settings.Context; name != "" {
		args = append(args, "--context", name)
	}
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(w.cluster.Settings.Root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// titles of columns: words with one space between, where columns have more.
var titles = regexp.MustCompile(`\S+(?: \S+)*`)

// Table reads what `kubectl get` prints for one object: the value of each column by its title.
func Table(text string) (map[string]string, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("want a line of titles and one object, got:\n%s", text)
	}
	columns := titles.FindAllString(lines[0], -1)
	row := map[string]string{}
	from := 0
	for i, title := range columns {
		start := from + strings.Index(lines[0][from:], title)
		end := len(lines[1])
		if i+1 < len(columns) {
			next := strings.Index(lines[0][start+len(title):], columns[i+1])
			end = min(end, start+len(title)+next)
		}
		row[title] = strings.TrimSpace(lines[1][min(start, len(lines[1])):max(end, min(start, len(lines[1])))])
		from = start + len(title)
	}
	return row, nil
}
