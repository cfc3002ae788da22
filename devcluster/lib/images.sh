# shellcheck shell=bash
# The two images every node needs, from Debian's static busybox: `pause` holds a pod's namespaces, `box` is a shell for tests.

base_images() {
  local key
  key=$(cat "$HERE/lib/images.sh" "$(command -v busybox)" | sha256sum | cut -c1-16)
  echo "$CACHE/$key/base-images.tar"
}

build_base_images() {
  local archive; archive=$(base_images)
  if [[ ! -e $archive ]]; then with_lock base-images write_base_images "$archive"; fi
}

write_base_images() { # archive
  local work=$1.partial layer applet name
  rm -rf "$work"; mkdir -p "$work/root/bin"
  cp "$(command -v busybox)" "$work/root/bin/busybox"
  for applet in $("$work/root/bin/busybox" --list); do
    [[ $applet == busybox ]] || ln -s busybox "$work/root/bin/$applet"
  done
  reproducible_tar -C "$work/root" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  mv "$work/layer.tar" "$work/$layer.tar"
  for name in pause box; do
    cat >"$work/$name.json" <<JSON
{"architecture":"$(dpkg --print-architecture)","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},
 "config":{"Env":["PATH=/bin"],$([[ $name == pause ]] && echo '"Entrypoint":["sleep","2147483647"]' || echo '"Cmd":["sh"]')}}
JSON
  done
  cat >"$work/manifest.json" <<JSON
[{"Config":"pause.json","RepoTags":["localhost/pause:dev"],"Layers":["$layer.tar"]},
 {"Config":"box.json","RepoTags":["localhost/box:dev"],"Layers":["$layer.tar"]}]
JSON
  reproducible_tar -C "$work" -cf "$work/archive.tar" manifest.json pause.json box.json "$layer.tar"
  mv "$work/archive.tar" "$1"
  rm -rf "$work"
}

reproducible_tar() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$@"; }
