#!/usr/bin/env bash
# Generates everything again and fails when that changes a checked-in file or
# makes one that is not checked in. The arguments are the generated paths.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

make --no-print-directory generate

failed=0
if ! git diff --exit-code -- "$@"; then
	echo "verify-generated: the files above are out of date; run make generate and add them" >&2
	failed=1
fi
untracked=$(git ls-files --others --exclude-standard -- "$@")
if [[ -n $untracked ]]; then
	printf 'verify-generated: generated but not checked in; git add them:\n%s\n' "$untracked" >&2
	failed=1
fi
exit "$failed"
