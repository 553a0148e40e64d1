#!/bin/sh
# What the image consists of, a step each; twice the same input gives twice the same files.
#
#   install.sh system                     git, on a Debian base; away with pip
#   install.sh packages SOURCE FOLDER     FOLDER/.venv, of SOURCE/requirements.lock
#   install.sh code SOURCE FOLDER         what runs of the source
#   install.sh compile FOLDER             a step of the two
#
# A virtual environment can't be moved: FOLDER is where it is used. PYTHON names another Python than python3.
set -eu
umask 022
PYTHON=${PYTHON:-python3}
# What is compiled has sets in the order of their hashes; what pip imports is not to be compiled yet.
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

system() {
    sources=/etc/apt/sources.list.d/debian.sources
    # The base names, in comments, Debian's archive as it was when the base was made: the same git at each build.
    if grep -q '^# http://snapshot' "$sources" 2>/dev/null; then
        sed -i -e 's|^# \(http://snapshot\)|URIs: \1|' -e t -e '/^URIs:/d' "$sources"
    fi
    apt-get --quiet --option Acquire::Check-Valid-Until=false update
    DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes install --no-install-recommends ca-certificates git
    "$PYTHON" -m pip uninstall --yes --quiet --root-user-action=ignore pip
    rm -rf "$("$PYTHON" -c 'import ensurepip; print(*ensurepip.__path__)')" \
        /root/.cache /var/cache/apt /var/cache/ldconfig /var/cache/debconf /var/lib/apt/lists /var/log/apt \
        /var/log/dpkg.log /var/log/alternatives.log /var/lib/dpkg/*-old
}

packages() { # SOURCE FOLDER
    "$PYTHON" -m venv --without-pip "$2/.venv"
    # The lock file has every package: nothing to resolve, which `check` confirms. Wheels only: nothing is compiled.
    folder=$2
    pip() { "$PYTHON" -m pip --disable-pip-version-check --python "$folder/.venv/bin/python" "$@"; }
    pip install --quiet --no-deps --require-hashes --only-binary=:all: --no-compile --requirement "$1/requirements.lock"
    pip check
    compile "$2/.venv/lib"
    readable "$2"
}

code() { # SOURCE FOLDER
    mkdir -p "$2"
    for part in flows tasks change connections systems runbook deployments prefect.yaml LICENSE; do
        cp -R "$1/$part" "$2/"
        case $part in *.yaml | LICENSE) ;; *) compile "$2/$part" ;; esac
    done
    readable "$2"
}

# Imports then compile nothing, and don't look at the source's date, which an image need not keep. By one process:
# what a file compiles to depends, in shared constants, on those that the process has compiled before. What can't be
# compiled stays as it is: some packages have files for newer Pythons too.
compile() { # FOLDER
    "$PYTHON" -m compileall -q -j 1 --invalidation-mode unchecked-hash "$1" >/dev/null || true
}

# By everybody, whatever the source's modes were.
readable() { # FOLDER
    chmod -R u=rwX,go=rX "$1"
}

"$@"
