#!/bin/sh
# Makes what must be secret, once: run again, it leaves everything as it is. Takes the directories for the nodes, PostgreSQL and the
# proxy; compose.yaml mounts one volume at each, and gives it to nobody else.
set -eu
umask 077
nodes=${1:-/secrets/carnet} database=${2:-/secrets/postgres} proxy=${3:-/secrets/proxy}
carnet=${CARNET:-carnet}
[ -e "$nodes/ready" ] && exit 0

password() { openssl rand -hex 24; }

# certificate NAMES KEY CERTIFICATE: signed by the authority below.
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2" -out "$work/request" -subj /CN=carnet-example 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$1" >"$work/names"
  openssl x509 -req -in "$work/request" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 825 -extfile "$work/names" -out "$3" 2>/dev/null
}

# Its key is thrown away: for another certificate, begin anew.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/ca.key" -out "$work/ca.pem" -days 825 \
  -subj '/CN=Carnet example authority' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null

owner=$(password) reader=$(password)
password >"$database/postgres"
printf '%s\n' "$owner" >"$database/carnet"
printf '%s\n' "$reader" >"$database/carnet_reader"
certificate DNS:postgres "$database/server.key" "$database/server.crt"

certificate DNS:localhost,IP:127.0.0.1 "$work/proxy.key" "$work/proxy.crt"
cat "$work/proxy.crt" "$work/proxy.key" >"$proxy/proxy.pem"

tls='sslmode=verify-full&sslrootcert=/run/carnet-secrets/ca.pem'
cp "$work/ca.pem" "$nodes/ca.pem"
printf 'postgres://carnet:%s@postgres:5432/carnet?%s\n' "$owner" "$tls" >"$nodes/CARNET__STORE__URL"
printf '[{ name = "crm", url = "postgres://carnet_reader:%s@postgres:5432/crm?%s" }]\n' "$reader" "$tls" >"$nodes/CARNET__SOURCE"
openssl rand -hex 32 >"$nodes/CARNET__AUTH__HS256_SECRET"
[ -e "$nodes/keys" ] || "$carnet" keys new "$nodes/keys"

# The users of the images: the nodes', PostgreSQL's, HAProxy's.
if [ "$(id -u)" = 0 ]; then
  chown -R 10001:10001 "$nodes"
  chown -R 999:999 "$database"
  chown -R 99:99 "$proxy"
fi
touch "$nodes/ready"
