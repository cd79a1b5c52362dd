# What the scripts for people share. Source it; it changes to the project's directory.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
project=$PWD

say() {
  printf '%s\n' "$*" >&2
}

fail() {
  say "$(basename "$0"): $*"
  exit 1
}

require_node() {
  command -v node >/dev/null || fail 'Node 20.19 or later is needed: https://nodejs.org/en/download'
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
    fail "Node 20.19 or later is needed; this is $(node --version)"
}

# Compilers only where no prebuilt binary fits this machine.
install_dependencies() {
  local log
  log=$(mktemp)
  if [ -d node_modules ] && [ node_modules/.package-lock.json -nt package-lock.json ] && works_native; then
    rm -f "$log"
    return
  fi
  if ! npm ci --no-fund --no-audit >"$log" 2>&1 || ! works_native; then
    say 'no prebuilt binary for this machine: building it'
    scripts/install-packages g++ make python3
    npm ci --no-fund --no-audit >"$log" 2>&1 || { cat "$log" >&2; fail 'npm ci failed'; }
  fi
  rm -f "$log"
}

works_native() {
  # The major of better-sqlite3 that registry/sqlite/driver.ts takes.
  node -e '
    const major = Number(process.versions.node.split(".")[0]);
    new (require(major >= 22 ? "better-sqlite3-13" : "better-sqlite3"))(":memory:").close();
    require("koffi");
  ' 2>/dev/null
}
