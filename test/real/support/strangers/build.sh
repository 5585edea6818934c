#!/bin/sh
# Builds images as strangers do, with mmdebstrap and Dockerfiles, and nothing of Sheaf's.
#
#   build.sh TARGET ARCHIVES     ARCHIVES keeps downloaded packages
#
# TARGET/debian and TARGET/bare become OCI image layouts, TARGET/small the parts of an image of Docker's own format.
set -eu
target=$1
archives=$2
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "$target.XXXXXX")
clean() {
  cut -d' ' -f2 /proc/mounts | grep "^$work/" | sort -r | xargs -r umount -l
  rm -rf "$work"
}
trap clean EXIT
mkdir -p "$archives" "$work/made"
export ARCHIVES="$archives"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
cp -r "$here/debian" "$here/small" "$here/bare" "$work/"

mmdebstrap --mode=root --variant=minbase --architectures=amd64 --dpkgopt=force-unsafe-io --skip=essential/unlink \
  --aptopt='Acquire::Languages "none"' --include=nginx-light \
  --setup-hook='mkdir -p "$1/var/cache/apt/archives"; find "$ARCHIVES" -maxdepth 1 -name "*.deb" -exec cp --preserve=timestamps -t "$1/var/cache/apt/archives" {} +' \
  --customize-hook='find "$1/var/cache/apt/archives" -maxdepth 1 -name "*.deb" -exec cp --update --preserve=timestamps -t "$ARCHIVES" {} +' \
  bookworm "$work/debian/base.tar" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
cp /bin/busybox "$work/small/busybox"
cp /bin/busybox "$work/bare/server"

buildah() {
  command buildah --root "$work/store" --runroot "$work/run" --storage-driver overlay "$@"
}
for image in debian small bare; do
  buildah bud --isolation chroot --layers --format docker --signature-policy "$work/policy.json" -t "$image" \
    "$work/$image" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
done
push() {
  buildah push --quiet --signature-policy "$work/policy.json" "$@"
}
push --format oci debian "oci:$work/made/debian:latest"
push --format oci bare "oci:$work/made/bare:latest"
push --format v2s2 small "dir:$work/made/small"
mv "$work/made" "$target"
