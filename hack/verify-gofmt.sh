#!/usr/bin/env bash
# Fails when gofmt would change a Go file, in whichever module it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

files=$(git ls-files --cached --others --exclude-standard -- '*.go' | while IFS= read -r file; do
	if [[ -f $file && $file != */testdata/* ]]; then printf '%s\n' "$file"; fi
done)
unformatted=$(xargs gofmt -l <<<"$files")
if [[ -n $unformatted ]]; then
	printf 'verify-gofmt: run make fmt for:\n%s\n' "$unformatted" >&2
	exit 1
fi
