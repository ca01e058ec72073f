#!/usr/bin/env bash
# One job over several machines that see the same folders, with nothing but ssh.
#
#     bash examples/ssh/render.sh BUNDLE/job.json FITS HOST...
#
# FITS is how many fits there are: `infusion-farm bundle` tells ("Fit 8"), and more does no harm.
# Give it again after any failure: what is finished is found.
set -u
job=$1 fits=$2
shift 2
hosts=("$@")
engine="infusion-render --job $(printf %q "$job") --events plain"

on() { # HOST ARGUMENTS...: one task on one machine
    local host=$1
    shift
    ssh "$host" "$engine $*"
}

share() { # N: every task of the N-th machine, one after the other
    local n=$1 fit
    for ((fit = n + 1; fit <= fits; fit += ${#hosts[@]})); do
        on "${hosts[n]}" --stage fit --interval "$fit" || return
    done
}

on "${hosts[0]}" --stage prepare || exit
on "${hosts[0]}" --stage base || exit # which says so where fits start from none
workers=()
for n in "${!hosts[@]}"; do
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
