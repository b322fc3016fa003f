#!/usr/bin/env bash
# Starts the one-node SLURM of the script $1 in the folder $2, prints the environment in which it answers, and ends it
# when its own standard input ends, whatever became of who had started it.
set -uo pipefail
mkdir -p "$2" && cd "$2" || exit 1
# shellcheck disable=SC1090
. "$1" "$2" >&2
# jobs outlive the daemons, as they are meant to
stop() {
  scancel -u "$(id -un)" >&2
  for _ in $(seq 40); do squeue -h | grep -q . || break; sleep 0.25; done
  slurm_local_stop
}
trap stop EXIT
sinfo -h >&2 || exit 1
printf '%s\n' "PATH=$PATH" "LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "SLURM_CONF=$SLURM_CONF" ready
cat >/dev/null
