#!/usr/bin/env bash
# tests/run esdb URL: the conformance suite and the node tests against a real cluster of EventStoreDB or KurrentDB, releases
# 22.10 to 26. URL is as in `[store]`:
#   tests/run esdb 'esdb://admin:changeit@node1:2113,node2:2113,node3:2113?tlsCaFile=/etc/kurrentdb/ca.pem'
# Each case writes to a namespace of its own and leaves it behind; a server for tests is best. The user must be an administrator:
# the node tests have the leader resign, which makes every other user of the cluster wait for an election.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ "${1:-}" =~ ^(esdb|kurrentdb)(\+discover)?:// ]] || { sed -n '2,6p' "$0" >&2; exit 2; }
export CARNET_TEST_ESDB="$1"
shift

command -v cargo-nextest >/dev/null || cargo install --quiet --locked cargo-nextest --debug
# A few at once: all of them share one server, whose leader now and then resigns.
cargo nextest run --package carnet-events --test esdb --test-threads 4 -E 'test(/^server::/)' "$@"
cargo nextest run --package carnet-events --test esdb --test-threads 1 -E 'test(/^(crash|resigning)::/)' "$@"
cargo nextest run --package carnet --test carnet --test-threads 2 -E 'test(/kurrentdb/)' "$@"
