# Shell functions for installing Debian packages and building a preset, sourced by deploy/quickstart and tests/setup.sh.
# They ask nothing, say what they install, and install nothing that is there already.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What the compiler and the linker need, by Debian's names; the same in Debian 12 and 13.
build_packages=(
  build-essential cmake ninja-build pkg-config
  librdkafka-dev libavro-dev librocksdb-dev libyaml-dev libjansson-dev libsimdjson-dev libvectorscan-dev libxxhash-dev
)

say() { printf '== %s\n' "$*"; }
fail() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Prints those of the given packages that are not installed, one a line.
packages_missing() {
  local package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      printf '%s\n' "$package"
    fi
  done
}

# Installs those of the given packages that are missing, as root or through sudo.
packages_install() {
  local missing as_root=() log patience=(-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  command -v dpkg-query >/dev/null 2>&1 || fail "this needs Debian 12 or 13 (no dpkg here); install by hand what these provide: $*"
  mapfile -t missing <<<"$(packages_missing "$@")"
  [ -n "${missing[0]}" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 ||
      fail "neither root nor sudo: run this as root, or have somebody run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing Debian packages: ${missing[*]}"
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get "${patience[@]}" update &&
         "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${patience[@]}" install -y --no-install-recommends \
           "${missing[@]}"
       } </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install ${missing[*]}"
  fi
  rm -f "$log"
}

# Prints how many compilers may run at once: one a core, and 1 GiB of memory for each.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null)
  [ "${memory:-$cores}" -ge 1 ] || memory=1
  [ "${memory:-$cores}" -lt "$cores" ] && cores=$memory
  printf '%s\n' "$cores"
}

# Configures and builds a preset into build/<preset>: all of it, or the named targets.
build_preset() {
  local preset=$1 log
  shift
  say "Building the $preset preset in build/$preset"
  log=$(mktemp)
  if ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "cmake could not configure the $preset preset"
  fi
  rm -f "$log"
  (cd "$root" && cmake --build --preset "$preset" --parallel "$(build_jobs)" ${1:+--target "$@"}) ||
    fail "the $preset preset does not build"
}
