#!/bin/sh
# Make .venv with everything that development and the local stack need. Says in one sentence each
# what the machine lacks, before anything is fetched.
set -eu
cd "$(dirname "$0")/../.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH || true

lacking=0
lack() {
    printf '%s\n' "$1" >&2
    lacking=1
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
    lack "Linux on x86-64 is needed; this is $(uname -s) on $(uname -m)."
getconf GNU_LIBC_VERSION >/dev/null 2>&1 || lack "The glibc C library is needed; this system has another."
free=$(df -Pk . | awk 'NR == 2 { print $4 }')
[ "$free" -ge 2000000 ] || lack "2 GB of free disk are needed in $(pwd); there are $((free / 1000)) MB."

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c '
import sys, venv, ensurepip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] ||
    lack "Python 3.11, 3.12 or 3.13 with venv is needed (on Debian: apt-get install python3-venv)."
[ "$lacking" = 0 ] || exit 1

if [ -e .venv/bin/python ] && ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    printf 'The .venv that is there does not work any more; it is made anew.\n' >&2
    rm -rf .venv
fi
[ -e .venv/bin/python ] || "$python" -m venv .venv
printf 'Installing into .venv with %s: about 240 MB to fetch, 900 MB on disk ...\n' "$(.venv/bin/python -V)" >&2
quiet=--quiet
[ -t 2 ] && quiet=
# shellcheck disable=SC2086
.venv/bin/python -m pip install $quiet --disable-pip-version-check -e '.[dev,local]'
touch .venv/complete
