"""Fixtures over tests/harness.py for tests of the running program against a real Kafka."""

import json
import os
import pathlib
import subprocess

import pytest

import fleet
import harness
import members
import seeded


@pytest.fixture(scope="session")
def bootstrap():
    """The address of the Kafka that tests/run started."""
    address = os.environ.get("TEST_BOOTSTRAP")
    if not address:
        pytest.fail("TEST_BOOTSTRAP is not set: run this through tests/run, or start one with tests/kafka")
    return address


@pytest.fixture(scope="session")
def binary():
    """The program under test."""
    path = pathlib.Path(os.environ.get("TEST_BIN", harness.SOURCE / "build/dev/forestall"))
    if not path.exists():
        pytest.fail(f"{path} does not exist: build it, or run this through tests/run")
    return path


@pytest.fixture
def forestall_does(binary, tmp_path):
    """Runs `forestall ARGUMENTS…` in tmp_path to its end, which must be with `status` (None: any)."""

    def run(*arguments, status=0, **options):
        options = {"cwd": tmp_path, "timeout": 60, **options}
        done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, **options)
        assert status in (None, done.returncode), f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture
def topics(bootstrap):
    """harness.Topics, emptied after the test."""
    made = harness.Topics(bootstrap)
    yield made
    made.remove()


@pytest.fixture
def writer(bootstrap):
    """harness.Writer; what it was given has arrived once `flush` returns."""
    return harness.Writer(bootstrap)


@pytest.fixture
def reader(bootstrap):
    """Makes a harness.Reader of a topic."""
    readers = []

    def make(topic, **options):
        readers.append(harness.Reader(bootstrap, topic, **options))
        return readers[-1]

    yield make
    for each in readers:
        each.close()


@pytest.fixture
def drain(reader):
    """Everything that is committed on a topic now, as a list of harness.Record."""
    return lambda topic, **options: reader(topic, **options).drain()


@pytest.fixture
def write_config(tmp_path, bootstrap, topics):
    """Writes a configuration and returns its path.

    `sources` is the list of the file; `rules` maps file names to rule text (or paths to use as they are). Other keys
    override nested ones: write_config(sources, rules, time={"idle_lag": "1s"}); None removes one. The configuration is
    JSON, which is YAML.
    """

    def write(sources, rules, name="forestall.yaml", **overrides):
        if isinstance(rules, dict):
            folder = tmp_path / "rules"
            folder.mkdir(exist_ok=True)
            for file, text in rules.items():
                (folder / file).write_text(text)
            paths = [str(folder)]
        else:
            paths = [str(path) for path in rules]
        config = {
            "application_id": topics.name("forestall"),
            "kafka": {"bootstrap.servers": bootstrap},
            "sources": sources,
            "outputs": {
                "recommendations": {"topic": topics.name("recommendations"), "format": "json"},
                "scorecards": {"topic": topics.name("scorecards"), "format": "json"},
                "dead_letter": {"topic": topics.name("dead-letter")},
            },
            "rules": paths,
            "state": {"dir": str(tmp_path / "state"), "tasks": 2},
        }
        path = tmp_path / name
        path.write_text(json.dumps(harness.merge(config, overrides), indent=2) + "\n")
        return path

    return write


@pytest.fixture
def forestall(binary, tmp_path):
    """Starts `forestall run -c CONFIG` (or other arguments) and returns the harness.Forestall; kills it after the test."""
    started = []

    def start(config=None, arguments=None, env=None):
        command = arguments if arguments is not None else ["run", "-c", config]
        process = harness.Forestall(binary, command, tmp_path / f"forestall-{len(started)}.log", env)
        started.append(process)
        return process.start()

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def group(bootstrap, topics, writer, reader, tmp_path):
    """A members.Group, whose members are killed after the test."""
    made = members.Group(bootstrap, topics, writer, reader, tmp_path)
    yield made
    for member in made.members.values():
        member.kill()


@pytest.fixture(scope="session")
def history():
    return seeded.History(seed=1)


@pytest.fixture(scope="session")
def undisturbed(history, binary, tmp_path_factory):
    """Recommendation id -> its versions, when the seeded history is replayed from files."""
    return seeded.expected(history, binary, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def trial(history, undisturbed, binary, forestall, topics, writer, reader, write_config, tmp_path):
    """Makes a seeded.Trial (or another kind of it), with its topics, that is fed in an order by the seed given."""

    def make(seed, kind=seeded.Trial, **overrides):
        run = kind(history, undisturbed, writer, reader)
        settings = {"time": {"idle_lag": "never"}, "commit_interval": "50ms", "log": {"level": "debug"}, **overrides}
        run.set_up(topics, lambda *arguments: write_config(*arguments, **settings), forestall, seed)
        run.state = tmp_path / "state"
        made = subprocess.run([binary, "topics", "create", "-c", run.config], capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stdout + made.stderr
        return run

    return make


@pytest.fixture
def several(trial):
    """Makes a fleet.Fleet, of four tasks, that is fed in an order by the seed given."""
    return lambda seed, **overrides: trial(
        seed, kind=fleet.Fleet, **{"exchange": "kafka", "state": {"tasks": 4}, **overrides})
