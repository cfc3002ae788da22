# shellcheck shell=bash
# Images enter containerd from archives, and only what it does not have yet is sent. So that a new cluster need not unpack them again,
# the cache holds a containerd root with every image that `up` was ever given; a cluster starts with hard links to it.

STORE=$CACHE/image-store

# fill_image_store ARCHIVE...
fill_image_store() { with_lock image-store fill_image_store_locked "$@"; }

fill_image_store_locked() {
  local archive stale=()
  for archive; do
    is_loaded "$STORE" "$archive" || stale+=("$archive")
  done
  [[ ${#stale[@]} -gt 0 ]] || return 0
  mkdir -p "$STORE/loaded"
  write_store_config
  (load_into_store "${stale[@]}")
}

# Runs a containerd for as long as it takes; it dies with this shell, however that ends.
load_into_store() { # archives
  local archive socket=$STORE/containerd.sock
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc containerd --config "$STORE/config.toml" </dev/null >"$STORE/log" 2>&1 &
  containerd=$!
  trap 'kill -9 $containerd; wait $containerd 2>/dev/null || true' EXIT
  wait_until 30 containerd_ready "$socket" || fail "containerd does not start for the image store, see $STORE/log"
  for archive; do load_archive "$STORE" "$socket" "$archive"; done
}

write_store_config() {
  cat >"$STORE/config.toml" <<TOML
version = 2
root = "$STORE/containerd"
state = "$STORE/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$STORE/containerd.sock"
TOML
}

# Gives a new cluster the store's images: files by hard link, databases by copy, since those are written in place.
copy_image_store() { with_lock image-store copy_image_store_locked; }

copy_image_store_locked() {
  cp -a "$STORE/loaded" "$DATA/loaded"
  cp -al "$STORE/containerd" "$DATA/containerd" 2>/dev/null ||
    { rm -rf "$DATA/containerd"; cp -a "$STORE/containerd" "$DATA/containerd"; }
  find "$DATA/containerd" -name '*.db' -exec sh -c 'cp "$1" "$1.copy" && mv "$1.copy" "$1"' _ {} \;
}

archive_member() { tar -xOf "$1" "$2"; }
archive_tags() { archive_member "$1" manifest.json | jq -r '[.[].RepoTags[]] | join(" ")'; }
archive_digest() { archive_member "$1" manifest.json | sha256sum | cut -d' ' -f1; }

# DIRECTORY/loaded remembers, for each archive's tags, the content they had last.
is_loaded() { # directory archive
  archive_member "$2" manifest.json >/dev/null 2>&1 || fail "$2 is not a readable docker archive (docker save, buildah push docker-archive:)"
  [[ $(cat "$(loaded_mark "$@")" 2>/dev/null) == $(archive_digest "$2") ]]
}
loaded_mark() { echo "$1/loaded/$(archive_tags "$2" | tr / _)"; }

# load_image ARCHIVE...: into the running cluster
load_image() {
  [[ ! -e $RUN/light ]] || fail "the light cluster '$NAME' has no node to load images into"
  local archive
  for archive; do
    if ! is_loaded "$DATA" "$archive"; then load_archive "$DATA" "$RUN/containerd.sock" "$archive"; fi
  done
}

# load_archive DIRECTORY SOCKET ARCHIVE: a docker archive whose layers bear their digests as names goes as an OCI archive without the
# layers that are there already; any other archive goes whole.
load_archive() {
  local directory=$1 socket=$2 archive=$3 work
  echo "loading $(archive_tags "$archive")"
  work=$(mktemp -d -p "$directory")
  if write_oci_layout "$socket" "$archive" "$work" 2>/dev/null; then
    tar -C "$work" -cf - . | images_import "$socket" -
  else
    images_import "$socket" "$archive"
  fi
  rm -rf "$work"
  archive_digest "$archive" >"$(loaded_mark "$directory" "$archive")"
}

images_import() { ctr --address "$1" --namespace k8s.io images import "$2" >/dev/null; }

write_oci_layout() { # socket archive directory
  local socket=$1 archive=$2 directory=$3 present sizes images image manifests=()
  mkdir -p "$directory/blobs/sha256"
  present=$(ctr --address "$socket" --namespace k8s.io content ls --quiet)
  sizes=$(tar -tvf "$archive" | awk '{print $6, $3}')
  images=$(archive_member "$archive" manifest.json | jq -c '.[]') || return
  while read -r image; do
    manifests+=("$(write_oci_manifest "$archive" "$directory" "$image" "$present" "$sizes")") || return
  done <<<"$images"
  echo '{"imageLayoutVersion": "1.0.0"}' >"$directory/oci-layout"
  jq -cs '{schemaVersion: 2, manifests: .}' <<<"${manifests[*]}" >"$directory/index.json"
}

# Adds the blobs of one image and prints the descriptors of its manifest, one a tag.
write_oci_manifest() { # archive directory image present sizes
  local archive=$1 blobs=$2/blobs/sha256 image=$3 present=$4 sizes=$5 layer digest layers=() config manifest
  archive_member "$archive" "$(jq -r .Config <<<"$image")" >"$blobs/config" || return
  config=$(adopt_blob "$blobs/config" application/vnd.oci.image.config.v1+json)
  for layer in $(jq -r '.Layers[]' <<<"$image"); do
    digest=$(basename "$layer" .tar)
    jq -e --arg digest "sha256:$digest" '.rootfs.diff_ids | index($digest) != null' "$blobs/$(jq -r .digest <<<"$config" | cut -d: -f2)" >/dev/null || return
    grep -q "$digest" <<<"$present" || archive_member "$archive" "$layer" >"$blobs/$digest" || return
    layers+=("$(descriptor application/vnd.oci.image.layer.v1.tar "$digest" "$(awk -v layer="$layer" '$1 == layer {print $2}' <<<"$sizes")")")
  done
  jq -cn --argjson config "$config" --argjson layers "$(jq -cs . <<<"${layers[*]}")" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: $layers}' >"$blobs/manifest"
  manifest=$(adopt_blob "$blobs/manifest" application/vnd.oci.image.manifest.v1+json)
  jq -c --argjson manifest "$manifest" '.RepoTags[] as $tag | $manifest + {annotations: {"io.containerd.image.name": $tag}}' <<<"$image"
}

# Names a blob by its digest and prints its descriptor.
adopt_blob() { # file type
  local digest; digest=$(sha256sum "$1" | cut -d' ' -f1)
  descriptor "$2" "$digest" "$(stat -c %s "$1")"
  mv "$1" "$(dirname "$1")/$digest"
}

descriptor() { jq -cn --arg type "$1" --arg digest "sha256:$2" --argjson size "$3" '{mediaType: $type, digest: $digest, size: $size}'; }
