#!/usr/bin/env bash
# Puts the transcript of a demo, the first argument, into README.md between its
# markers. The README never shows what was not printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

awk -v transcript="$1" '
	/<!-- demo:end -->/ {inside = 0}
	!inside {print}
	/<!-- demo:begin -->/ {
		inside = 1
		print "```text"
		while ((getline line < transcript) > 0) { sub(/[ \t]+$/, "", line); print line }
		print "```"
	}
' README.md >README.md.tmp
mv README.md.tmp README.md
