#!/usr/bin/env bash
# tests/run bench [NAME…]: the measured promises (export, postgres_export, s3, appends, replay, queries, http, nodes, artifact, pages), each with its peer in the same run.
# Installs the peers that are missing. Wants a machine with nothing else to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

need() {
  command -v "$1" >/dev/null && return
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq "$2" >/dev/null
}

need sqlite3 sqlite3
need pigz pigz
need wrk wrk
need curl curl
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql

[ $# -gt 0 ] || set -- export postgres_export s3 appends replay queries http nodes artifact pages
for name in "$@"; do
  printf '\n== %s\n' "$name"
  case $name in
    replay | queries) cargo bench --quiet -p carnet-projections --bench "$name" ;;
    *) cargo bench --quiet --bench "$name" ;;
  esac
done
