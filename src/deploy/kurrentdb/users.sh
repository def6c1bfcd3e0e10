#!/bin/sh
# Runs once the cluster answers: gives the administrator a password of its own, and makes the user that Carnet signs in as. It reads $all,
# which by default only members of $admins may.
set -eu
users=${1:-/run/users}
server=https://kurrentdb-1:2113

# request USER PASSWORD METHOD PATH BODY: prints the status. Passwords go by a file, for arguments are seen by everybody.
request() {
  printf 'user = "%s:%s"\n' "$1" "$2" |
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 --location-trusted --cacert "$users/ca.pem" --config - \
      --request "$3" --header 'Content-Type: application/json' --data "@$work/body" "$server$4"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
admin=$(cat "$users/admin")

# The cluster may still be choosing its leader.
for try in $(seq 60); do
  printf '{"currentPassword":"changeit","newPassword":"%s"}' "$admin" >"$work/body"
  changed=$(request admin changeit POST /users/admin/command/change-password) || true
  printf '{"loginName":"carnet","fullName":"Carnet","groups":["$admins"],"password":"%s"}' "$(cat "$users/carnet")" >"$work/body"
  made=$(request admin "$admin" POST /users/) || true
  case $made in
    201 | 409) exit 0 ;;
  esac
  sleep 2
done
echo "the user was not made: password $changed, user $made" >&2
exit 1
