# shellcheck shell=bash
# The Claude CLI, fetched once into the cache and checked: it must be neither committed nor published in an image of ours.

# Prints the path of the program.
claude_cli() {
  local program=$CACHE/claude-code/$CLAUDE_CODE_VERSION/claude work
  if [[ ! -x $program ]]; then
    work=$(mktemp -d)
    echo "fetching the Claude CLI $CLAUDE_CODE_VERSION" >&2
    fetch_claude_package "$work" || fail "could not fetch the Claude CLI $CLAUDE_CODE_VERSION from the npm registry"
    tar -xzf "$work"/*.tgz -C "$work" package/claude
    echo "$CLAUDE_CODE_SHA256  $work/package/claude" | sha256sum --check --quiet >&2 ||
      fail "the fetched Claude CLI $CLAUDE_CODE_VERSION is not the pinned one"
    mkdir -p "${program%/*}"
    mv "$work/package/claude" "$program.partial"
    chmod 755 "$program.partial"
    mv "$program.partial" "$program"
    rm -rf "$work"
  fi
  echo "$program"
}

fetch_claude_package() { # directory
  local package=claude-code-linux-x64
  if command -v npm >/dev/null; then
    (cd "$1" && npm pack --silent "@anthropic-ai/$package@$CLAUDE_CODE_VERSION" >/dev/null)
  else
    curl --fail --silent --show-error --location --output "$1/$package.tgz" \
      "${NPM_CONFIG_REGISTRY:-https://registry.npmjs.org}/@anthropic-ai/$package/-/$package-$CLAUDE_CODE_VERSION.tgz"
  fi
}
