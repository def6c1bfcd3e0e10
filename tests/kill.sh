#!/usr/bin/env bash
# tests/run kill [N]: N rounds (200 unless told) of `kill -9` under load, on a release build, restarted on the same files.
# CARNET_CHAOS_SEED chooses the sequence of pauses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds="${1:-200}"
[[ "$rounds" =~ ^[1-9][0-9]*$ ]] || { sed -n '2,3p' "$0" >&2; exit 2; }

# The service itself is a release build; the harness around it needn't be.
cargo build --quiet --release --bin carnet
target="$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
export CARNET_BIN="$target/release/carnet"
export CARNET_KILL_ROUNDS="$rounds"
# Not by nextest, which ends a test after five minutes.
exec cargo test --quiet --package carnet --test carnet kill_9 -- --nocapture
