#!/usr/bin/env bash
# Simulated lives of three nodes, their store and their bucket, with everything going wrong that can:
#   tests/run simulation N [SEED]   N seeds from SEED (1) on
# A seed makes the same history every time. One that breaks a promise is named, with what led to it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Optimised: lives are many and the build is one.
CARGO_PROFILE_DEV_OPT_LEVEL=1 CARNET_SIMULATION="${1:-1000} ${2:-1}" \
  cargo test --quiet --package carnet-actors --test simulation -- --nocapture whatever_goes_wrong
