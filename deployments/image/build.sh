#!/bin/sh
# `make image`: an image of the commit that is checked out, and of nothing else that lies in the checkout.
#
# IMAGE is its name, BASE another base image (a mirror's), SOURCE the repository's address for its label.
set -eu
cd "$(dirname "$0")/../.."

if command -v podman >/dev/null; then
    build() { podman build --layers --format oci --timestamp "$epoch" "$@"; }
elif command -v buildah >/dev/null; then
    build() { buildah build --layers --format oci --timestamp "$epoch" "$@"; }
elif docker version >/dev/null 2>&1; then
    # Docker keeps the files' own times in the layers, unless its builder rewrites them.
    build() { docker build --build-arg "SOURCE_DATE_EPOCH=$epoch" "$@"; }
else
    echo "An image is built by podman, buildah, or docker with its daemon, and none of them is here. Install one." >&2
    exit 1
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD)
epoch=$(git log -1 --format=%ct)
image=${IMAGE:-vault-enablement}
[ -z "$(git status --porcelain)" ] || echo "What is not committed does not get into the image." >&2

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
git archive HEAD | tar -x -C "$context"
build --file "$context/deployments/image/Containerfile" --tag "$image" ${BASE:+--build-arg "BASE=$BASE"} \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=${SOURCE:-}" "$context"
echo "$image"
