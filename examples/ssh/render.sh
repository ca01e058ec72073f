#!/usr/bin/env bash
# One job over several machines that see the same folders, with nothing but ssh.
#
#     bash examples/ssh/render.sh BUNDLE/job.json FITS HOST...
#
# FITS is how many fits there are: `infusion-farm bundle` tells ("Fit 8"), and more does no harm.
# Give it again after any failure: what is finished is found.
set -u
if [ $# -lt 3 ] || [[ ! $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: render.sh BUNDLE/job.json FITS HOST..., with FITS a number from 1" >&2
    exit 2
fi
job=$1 fits=$2
shift 2
if [ ! -r "$job" ]; then
    echo "There is no job file $job." >&2
    exit 2
fi
hosts=("$@")
if grep -q '"fits_start": "previous"' "$job"; then # a chain: each fit goes on from the one before
    fitting=("${hosts[0]}")
else
    fitting=("${hosts[@]}")
fi
engine="infusion-render --job $(printf %q "$job") --events plain"

on() { # HOST ARGUMENTS...: one task on one machine
    local host=$1
    shift
    ssh "$host" "$engine $*"
}

share() { # N: every task of the N-th machine, one after the other
    local n=$1 fit
    for ((fit = n + 1; fit <= fits; fit += ${#fitting[@]})); do
        on "${fitting[n]}" --stage fit --interval "$fit" || return
    done
}

on "${hosts[0]}" --stage prepare || exit
on "${hosts[0]}" --stage base || exit # which says so where fits start from none
workers=()
for n in "${!fitting[@]}"; do
    share "$n" &
    workers+=($!)
done
for worker in "${workers[@]}"; do
    wait "$worker" || code=$?
done
[ "${code:-0}" -eq 0 ] || exit "$code"
takes=$(sed -n 's/^ *"takes": \([0-9]*\),*$/\1/p' "$job")
for ((take = 1; take <= ${takes:-1}; take++)); do
    on "${hosts[0]}" --stage sample --take "$take" || exit
done
on "${hosts[0]}" --stage write
