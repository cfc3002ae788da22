# shellcheck shell=bash
# buildah where it is installed, else docker where its engine answers, else buildah from Debian's packages.

choose_builder() {
  if command -v buildah >/dev/null; then
    BUILDER=buildah
  elif docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    BUILDER=docker
  else
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || fail "neither buildah nor a docker engine found: install one"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah mmdebstrap >/dev/null 2>&1 ||
      fail "apt-get could not install buildah and mmdebstrap"
    BUILDER=buildah
  fi
}

run_build() { # tag context [argument]...
  local tag=$1 context=$2 build output; shift 2
  build=(docker build)
  # The layers worth keeping are images of their own; a cache of all steps would only grow.
  [[ $BUILDER == docker ]] || build=(in_store build --layers=false --timestamp 0)
  output=$("${build[@]}" --quiet "$@" --file "$context/Containerfile" --tag "$tag" "$context" 2>&1) || fail "building $tag failed: $output"
}

has_image() { # tag
  if [[ $BUILDER == docker ]]; then
    docker image inspect "$1" >/dev/null 2>&1
  else
    [[ -n $(in_store images --quiet "$1" 2>/dev/null) ]]
  fi
}

save_image() { # tag archive
  rm -f "$2"
  if [[ $BUILDER == docker ]]; then
    docker save --output "$2" "$1"
  else
    in_store push --quiet "$1" "docker-archive:$2:$1"
    in_store rmi --prune >/dev/null
  fi
}

push_image() { # archive tag destination
  if [[ $BUILDER == docker ]]; then
    docker load --quiet --input "$1" >/dev/null
    docker tag "$2" "$3"
    docker push --quiet "$3" >/dev/null
  else
    in_store pull --quiet "docker-archive:$1" >/dev/null
    in_store push --quiet "$2" "docker://$3"
    in_store rmi "$2" >/dev/null
  fi
}

# Sets DEBIAN, the base of the images that have one.
provide_debian() {
  DEBIAN=$DEBIAN_IMAGE
  [[ $BUILDER == buildah ]] || return 0
  DEBIAN=localhost/komputer-debian:$DEBIAN_RELEASE
  if ! has_image "$DEBIAN"; then bootstrap_debian; fi
}

# No daemon, no systemd, no user namespaces: plain chroot, in a store of our own.
in_store() {
  BUILDAH_ISOLATION=chroot buildah --root "$CACHE/buildah" --runroot "$CACHE/buildah-run" "$@"
}

bootstrap_debian() {
  local work
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
  echo "bootstrapping Debian $DEBIAN_RELEASE, about half a minute"
  work=$(mktemp -d)
  mmdebstrap --quiet --variant=minbase --include=ca-certificates --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$DEBIAN_RELEASE" "$work/debian.tar"
  printf 'FROM scratch\nADD debian.tar /\n' >"$work/Containerfile"
  run_build "$DEBIAN" "$work"
  rm -rf "$work"
}
