#!/bin/sh
# Makes what must be secret, once: run again, it leaves everything as it is. Takes the directories for the nodes, each KurrentDB server,
# the proxy and the first administrator; compose.yaml mounts one volume at each, and gives it to nobody else.
set -eu
umask 077
secrets=${1:-/secrets}
nodes=$secrets/carnet proxy=$secrets/proxy users=$secrets/users
carnet=${CARNET:-carnet}
[ -e "$nodes/ready" ] && exit 0

password() { openssl rand -hex 24; }

# certificate NAMES SUBJECT KEY CERTIFICATE: signed by the authority below. KurrentDB's servers know each other by the subject, which all
# have alike, and use the certificate both ways.
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$3" -out "$work/request" -subj "/CN=$2" 2>/dev/null
  printf 'subjectAltName=%s\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n' "$1" >"$work/names"
  openssl x509 -req -in "$work/request" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 825 -extfile "$work/names" -out "$4" 2>/dev/null
}

# Its key is thrown away: for another certificate, begin anew.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out "$work/ca.pem" -days 825 \
  -subj '/CN=Carnet example authority' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null

for number in 1 2 3; do
  server=$secrets/kurrentdb-$number
  certificate "DNS:kurrentdb-$number,IP:172.30.240.1$number" kurrentdb-node "$server/node.key" "$server/node.crt"
  mkdir -p "$server/ca"
  cp "$work/ca.pem" "$server/ca/ca.crt"
done
certificate DNS:localhost,IP:127.0.0.1 localhost "$work/proxy.key" "$work/proxy.crt"
cat "$work/proxy.crt" "$work/proxy.key" >"$proxy/proxy.pem"

password=$(password)
password >"$users/admin"
printf '%s\n' "$password" >"$users/carnet"
cp "$work/ca.pem" "$users/ca.pem"

cp "$work/ca.pem" "$nodes/ca.pem"
printf 'esdb://carnet:%s@kurrentdb-1:2113,kurrentdb-2:2113,kurrentdb-3:2113?tlsCaFile=/run/carnet-secrets/ca.pem\n' "$password" \
  >"$nodes/CARNET__STORE__URL"
openssl rand -hex 32 >"$nodes/CARNET__AUTH__HS256_SECRET"
[ -e "$nodes/keys" ] || "$carnet" keys new "$nodes/keys"

# The users of the images: the nodes', KurrentDB's, HAProxy's.
if [ "$(id -u)" = 0 ]; then
  chown -R 10001:10001 "$nodes" "$users"
  chown -R 1000:1000 "$secrets"/kurrentdb-*
  chown -R 99:99 "$proxy"
fi
touch "$nodes/ready"
