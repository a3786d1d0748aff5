# Shell functions that bring what tests and benches need: packages, a Python environment, a Kafka to run.
# Sourced by tests/run, tests/kafka and bench/run. Each does nothing when its work is done already.
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/build.sh"

kafka_packages=(ca-certificates default-jre-headless maven python3)
test_packages=("${build_packages[@]}" ca-certificates libcmocka-dev kcat python3 python3-venv)

# Sets test_python to the interpreter of build/venv, made or renewed to match tests/requirements.txt.
setup_python() {
  local venv=$root/build/venv stamp=$root/build/venv/requirements.txt
  test_python=$venv/bin/python
  if cmp -s "$root/tests/requirements.txt" "$stamp" && "$test_python" -c '' 2>/dev/null; then
    return 0
  fi
  say "Making a Python environment in build/venv"
  mkdir -p "$root/build"
  # Debian's own interpreter first: python3-venv goes with it.
  local python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv --clear "$venv" || fail "python3 could not make build/venv (Debian package python3-venv)"
  "$test_python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: \
    -r "$root/tests/requirements.txt" || fail "pip could not install tests/requirements.txt"
  cp "$root/tests/requirements.txt" "$stamp"
}

# Prints the version of Kafka that tests use.
kafka_version() {
  sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$root/tests/kafka.pom.xml"
}

# Sets kafka_lib to the folder that holds a broker's jars, fetched from Maven Central once and kept in the user's cache.
setup_kafka() {
  local version cache partial
  version=$(kafka_version)
  cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/forestall
  kafka_lib=$cache/kafka-$version
  if cmp -s "$root/tests/kafka.pom.xml" "$kafka_lib/pom.xml"; then
    return 0
  fi
  command -v mvn >/dev/null 2>&1 || fail "fetching Kafka needs mvn (Debian package maven)"
  say "Fetching Apache Kafka $version from Maven Central into $kafka_lib"
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/partial.XXXXXX")
  if ! mvn -B -q -ntp -Dstyle.color=never -Dmaven.wagon.http.retryHandler.count=3 -f "$root/tests/kafka.pom.xml" \
       org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
       -DincludeScope=runtime -DoutputDirectory="$partial" </dev/null >"$partial/mvn.log" 2>&1; then
    cat "$partial/mvn.log" >&2
    rm -rf "$partial"
    fail "mvn could not fetch Kafka $version"
  fi
  rm "$partial/mvn.log"
  cp "$root/tests/kafka.pom.xml" "$partial/pom.xml"
  chmod 755 "$partial"
  rm -rf "$kafka_lib"
  # Another run may have put the folder there meanwhile; its jars are the same.
  mv -T "$partial" "$kafka_lib" 2>/dev/null || rm -rf "$partial"
}
