#!/usr/bin/env bash
# Starts a Ray cluster on your own machines, or ends it. Run it on the first of them.
#
#   docs/cluster/ray-own-machines.sh start FIRST SECOND THIRD…     the names or addresses of the machines
#   docs/cluster/ray-own-machines.sh stop FIRST SECOND THIRD…
#
# Each machine needs: ssh without a password from the first; the same environment at the same path ($VENV), with the same
# versions of Python, Ray and lowbackground; the credentials of the store; and, for a lake or a set in a folder, the same
# shared file system. The ports 6379 and 10001 of the first, and those above 10000 among all, must be open among them,
# and for nobody else: who reaches them can run programs there.
set -euo pipefail
VENV=${VENV:-$HOME/lowbackground}
action=$1 first=$2
shift 2
export RAY_USAGE_STATS_ENABLED=0

if [[ $action == stop ]]; then
  for machine in "$@"; do ssh "$machine" "$VENV/bin/ray stop"; done
  "$VENV/bin/ray" stop
  exit
fi

# A token that all machines share: without it, whoever reaches the ports could use the cluster.
token=$HOME/.ray/auth_token
if [[ ! -s $token ]]; then
  mkdir -p "$HOME/.ray"
  (umask 077 && "$VENV/bin/python" -c "import secrets; print(secrets.token_hex(32), end='')" >"$token")
fi
version="import sys, ray, importlib.metadata as m; print(sys.version_info[:3], ray.__version__, m.version('lowbackground'))"
ours=$("$VENV/bin/python" -c "$version")
for machine in "$@"; do
  theirs=$(ssh "$machine" "$VENV/bin/python -c \"$version\"")
  if [[ $theirs != "$ours" ]]; then echo "$machine has $theirs, this machine $ours" >&2; exit 1; fi
  ssh "$machine" 'mkdir -p .ray && chmod 700 .ray && umask 077 && cat >.ray/auth_token' <"$token"
done

# Workers get the variables of the shell that starts Ray on their machine: AWS_… must be set where ssh runs a command.
RAY_AUTH_MODE=token "$VENV/bin/ray" start --head --node-ip-address="$first" --port=6379 --include-dashboard=false
for machine in "$@"; do
  ssh "$machine" "RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token $VENV/bin/ray start --address=$first:6379"
done
echo "On $first: RAY_AUTH_MODE=token archive ingest … --engine ray"
