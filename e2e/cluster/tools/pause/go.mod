module github.com/sluice-dev/sluice/e2e/cluster/tools/pause

go 1.26.0
