// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strconv"
	"strings"
)

// decimal reads what APIs write as a string: a decimal number, NaN or an infinity.
func decimal(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "xX_") { // hexadecimal, which nobody means
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}
