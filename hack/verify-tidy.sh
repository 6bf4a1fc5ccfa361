#!/usr/bin/env bash
# Fails when go mod tidy would change the go.mod or go.sum of one of our modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tidying follows the tests of dependencies; where those ask for what no build
# needs and not every proxy has, go.sum is recorded by building instead.
exempt=(
	analysis/lokitest/server     # tests of the clients of every cloud's object store
	e2e/cluster/tools/prometheus # service discovery clients that the build leaves out
	e2e/cluster/tools/traefik    # test helpers of the cloud DNS providers behind its ACME client
)

failed=0
while IFS= read -r mod; do
	dir=$(dirname "$mod")
	if [[ " ${exempt[*]} " == *" $dir "* ]]; then
		continue
	fi
	if ! (cd "$dir" && GOWORK=off go mod tidy -diff); then
		echo "verify-tidy: run go mod tidy in $dir" >&2
		failed=1
	fi
done < <(git ls-files --cached --others --exclude-standard -- 'go.mod' '*/go.mod')
exit "$failed"
