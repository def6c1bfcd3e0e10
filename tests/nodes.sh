#!/usr/bin/env bash
# tests/run nodes [N]: N rounds (40 unless told) of three nodes under load on one event store, killed, paused past their
# leases, restarted, their store restarted beneath them; on a release build. CARNET_CHAOS_SEED chooses the sequence.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds="${1:-40}"
[[ "$rounds" =~ ^[1-9][0-9]*$ ]] || { sed -n '2,3p' "$0" >&2; exit 2; }

# The service itself is a release build; the harness around it needn't be.
cargo build --quiet --release --bin carnet
target="$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
export CARNET_BIN="$target/release/carnet"
export CARNET_NODES_ROUNDS="$rounds"
# Not by nextest, which ends a test after five minutes.
exec cargo test --quiet --package carnet --test carnet three_nodes -- --nocapture --test-threads 1
