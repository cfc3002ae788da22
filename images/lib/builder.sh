# shellcheck shell=bash
# buildah where it is installed, else docker where its engine answers, else buildah from Debian's packages.

choose_builder() {
  if command -v buildah >/dev/null; then
    BUILDER=buildah
  elif docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    BUILDER=docker
  else
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || fail "neither buildah nor a docker engine found: install one"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah mmdebstrap >/dev/null
    BUILDER=buildah
  fi
}

# write_image TAG CONTEXT ARCHIVE
write_image() {
  local tag=$1 context=$2 archive=$3
  rm -f "$archive"
  if [[ $BUILDER == docker ]]; then
    docker build --quiet --build-arg DEBIAN="$DEBIAN_IMAGE" --file "$context/Containerfile" --tag "$tag" "$context" >/dev/null
    docker save --output "$archive" "$tag"
  else
    ! grep -q '^ARG DEBIAN' "$context/Containerfile" || bootstrap_debian
    in_store build --quiet --layers --timestamp 0 --build-arg DEBIAN="localhost/debian:$DEBIAN_RELEASE" \
      --file "$context/Containerfile" --tag "$tag" "$context" >/dev/null
    in_store push --quiet "$tag" "docker-archive:$archive:$tag"
    in_store rmi --prune >/dev/null
  fi
}

# No daemon, no systemd, no user namespaces: plain chroot, in a store of our own.
in_store() {
  BUILDAH_ISOLATION=chroot buildah --root "$CACHE/buildah" --runroot "$CACHE/buildah-run" "$@"
}

bootstrap_debian() {
  local work tag=localhost/debian:$DEBIAN_RELEASE
  [[ -z $(in_store images --quiet "$tag" 2>/dev/null) ]] || return 0
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
  echo "bootstrapping Debian $DEBIAN_RELEASE, about half a minute"
  work=$(mktemp -d)
  mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$DEBIAN_RELEASE" "$work/debian.tar"
  printf 'FROM scratch\nADD debian.tar /\n' >"$work/Containerfile"
  in_store build --quiet --timestamp 0 --tag "$tag" "$work" >/dev/null
  rm -rf "$work"
}
