// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mountsUnder lists the mount points below a folder, the deepest first.
func mountsUnder(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	return parseMounts(string(text), dir), nil
}

func parseMounts(mountinfo, dir string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	lines := bufio.NewScanner(strings.NewReader(mountinfo))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescape.Replace(fields[4])
		if strings.HasPrefix(point, dir+"/") || point == dir {
			found = append(found, point)
		}
	}
	// Later mounts may lie on earlier ones: undo them in reverse.
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b string) int { return len(b) - len(a) })
	return found
}

// unmountUnder removes every mount below a folder.
func unmountUnder(dir string) error {
	for range 5 { // a mount may hide another one
		points, err := mountsUnder(dir)
		if err != nil {
			return err
		}
		if len(points) == 0 {
			return nil
		}
		for _, point := range points {
			if unix.Unmount(point, 0) != nil {
				_ = unix.Unmount(point, unix.MNT_DETACH)
			}
		}
	}
	points, err := mountsUnder(dir)
	if err != nil || len(points) == 0 {
		return err
	}
	return fmt.Errorf("these mounts cannot be removed: %s", strings.Join(points, ", "))
}
