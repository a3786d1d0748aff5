"""Starting, stopping, starting again; what is refused, and by which words."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import confluent_kafka
import confluent_kafka.admin
import pytest

import cluster
import harness
import seeded

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: lifecycle}
rules:
- id: each
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 1}
  recommend: {category: architecture, title: "{{ count(x) }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""
STOP_SECONDS_MAX = 5


def incident(n):
    return {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "occurred_at": START_MS + n * HOUR_MS,
            "service": "cart", "severity": "SEV3", "title": f"Incident {n}"}


class App:
    """An application over one topic of incidents, an hour apart: all but the newest are applied, a version each."""

    def __init__(self, bootstrap, binary, topics, writer, reader, forestall, write_config, tmp_path):
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
        self.bootstrap = bootstrap
        self.binary, self.topics, self.writer, self.forestall = binary, topics, writer, forestall
        self.write_config, self.reader, self.state = write_config, reader, tmp_path / "state"
        self.topic = topics.create("incidents")
        self.name = topics.name("forestall")
        self.config = self.configure()
        self.sent = 0

    def configure(self, name="forestall.yaml", **overrides):
        settings = {"time": {"idle_lag": "never"}, "commit_interval": "50ms", **overrides}
        return self.write_config([{"topic": self.topic, "stream": "incident", "format": "json"}],
                                 {"lifecycle.yaml": RULES}, name=name, **settings)

    def command(self, *arguments, env=None):
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **(env or {})})

    def create_topics(self):
        done = self.command("topics", "create", "-c", self.config)
        assert done.returncode == 0, done.stderr
        self.output = self.reader(self.topics.name("recommendations"))
        return self

    def send(self, count):
        for n in range(self.sent, self.sent + count):
            self.writer.json(self.topic, incident(n))
        self.writer.flush()
        self.sent += count

    def start(self, config=None, env=None):
        process = self.forestall(config or self.config, env=env)
        process.wait_for_log("msg=ready")
        return process

    def applied(self):
        """Waits until everything sent is applied, and checks that it is so once."""
        self.output.count(self.sent - 1)
        assert [json.loads(record.value)["version"] for record in self.output.drain()] == list(range(1, self.sent))

    def delete_group(self):
        """True once the group is gone; false while its member's session lasts."""
        try:
            self.admin.delete_consumer_groups([self.name])[self.name].result(harness.TIMEOUT_SECONDS)
            return True
        except confluent_kafka.KafkaException as problem:
            assert problem.args[0].code() == confluent_kafka.KafkaError.NON_EMPTY_GROUP, problem
            return False

    def refused(self, message, config=None, env=None, timeout=harness.TIMEOUT_SECONDS):
        """`run` ends with status 1 and one line of an error that matches."""
        process = self.forestall(config or self.config, env=env)
        assert process.wait(timeout) == 1, process.log
        errors = [line for line in process.log.splitlines() if "level=error" in line or ": error: " in line]
        errors = [line for line in errors if "msg=kafka " not in line]
        assert len(errors) == 1 and re.search(message, errors[0]), process.log
        return process


@pytest.fixture
def app(bootstrap, binary, topics, writer, reader, forestall, write_config, tmp_path):
    return App(bootstrap, binary, topics, writer, reader, forestall, write_config, tmp_path)


def test_sigterm_commits_and_a_restart_goes_on(app):
    app.create_topics().send(5)
    for number in (1, 2, 3):
        process = app.start()
        app.applied()
        app.send(3)
        begun = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begun < STOP_SECONDS_MAX
        assert "msg=stopped" in process.log and "level=error" not in process.log
    process = app.start()
    app.applied()
    assert process.stop() == 0


def test_sigterm_while_it_reads_a_backlog(app):
    app.create_topics().send(5000)
    process = app.start()
    app.output.count(1)
    begun = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - begun < STOP_SECONDS_MAX
    process = app.start()
    app.applied()
    assert process.stop() == 0


def first_start_latest(app, exchange):
    """Two events are there before, of three that come then two are applied."""
    app.config = app.configure(exchange=exchange, start="latest")
    app.create_topics().send(2)
    process = app.start()
    app.send(3)
    app.output.count(2)
    assert process.stop() == 0
    assert [json.loads(record.value)["title"] for record in app.output.drain()] == ["1", "2"]


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_start_latest_reads_nothing_of_before(app, exchange):
    first_start_latest(app, exchange)
    app.start()
    app.send(2)
    app.output.count(4)
    assert [json.loads(record.value)["title"] for record in app.output.drain()] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_start_latest_of_an_input_that_nobody_committed(app, exchange):
    """So it is where others join before the first to start has committed: they begin where it did."""
    second = app.topics.create("more")
    app.writer.json(second, incident(100))
    app.writer.flush()
    sources = [{"topic": topic, "stream": "incident", "format": "json"} for topic in (app.topic, second)]
    both = app.write_config(sources, {"lifecycle.yaml": RULES}, name="both.yaml", exchange=exchange, start="latest",
                            time={"idle_lag": "never"}, commit_interval="50ms")
    first_start_latest(app, exchange)
    app.writer.json(second, incident(5))
    app.writer.json(second, incident(7))
    app.sent = 6
    app.send(2)
    process = app.start(both)
    app.output.count(5)
    assert process.stop() == 0
    assert [json.loads(record.value)["title"] for record in app.output.drain()] == ["1", "2", "3", "4", "5"]


def test_with_a_worker_for_each_cpu_each_keeps_to_its_own(app):
    allowed = os.sched_getaffinity(0)
    two = set(sorted(allowed)[:2])
    app.config = app.configure(exchange="kafka", workers=2)
    app.create_topics().send(5)
    os.sched_setaffinity(0, two)
    try:
        process = app.start()
    finally:
        os.sched_setaffinity(0, allowed)
    app.applied()
    for worker in (0, 1):
        process.wait_for_log(f"msg=ready .* worker={worker}\n")
    places = {}
    for thread in os.listdir(f"/proc/{process.process.pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a commit's, which is over meanwhile
            name = pathlib.Path(f"/proc/{process.process.pid}/task/{thread}/comm").read_text()
            if name.startswith("rdk:"):
                places.setdefault(frozenset(os.sched_getaffinity(int(thread))), []).append(name)
    assert set(places) == {frozenset({each}) for each in two}
    assert process.stop() == 0
    # Each line of a worker says whose it is.
    assert re.search(rf"msg=starting .* instance=[0-9a-f]{{8}} .* exchange=kafka workers=2 tasks=2 state_dir={app.state}$",
                     process.log, re.MULTILINE)
    for message in ("ready", "stopped", '"partitions assigned"'):
        lines = [line for line in process.log.splitlines() if f"msg={message} " in line]
        assert {line.split()[-1] for line in lines} == {"worker=0", "worker=1"}, process.log


def stands_still(process):
    return pathlib.Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("point", ["restore_after_positions", "restore_before_seek"])
def test_one_that_stands_still_on_its_way_back(app, tmp_path, point):
    """Where it wakes up the positions that it read are another's, who has removed the records that they were at."""
    app.config = app.configure(exchange="kafka", state={"dir": str(app.state), "tasks": 1})
    second = app.configure(exchange="kafka", state={"dir": str(tmp_path / "second"), "tasks": 1}, name="second.yaml")
    app.create_topics().send(5)
    process = app.start()
    app.applied()
    assert process.stop() == 0
    sleeper = app.forestall(app.config, env={"FORESTALL_FAILPOINT": f"{point}:1:stop"})
    harness.wait_until(lambda: stands_still(sleeper), "it to stand still")
    client = confluent_kafka.Consumer({"bootstrap.servers": app.bootstrap, "group.id": app.name})
    exchange = confluent_kafka.TopicPartition(f"{app.name}-exchange", 0)
    position = client.committed([exchange], timeout=harness.TIMEOUT_SECONDS)[0].offset
    other = app.start(second)

    def removed():
        app.send(1)
        app.applied()
        return client.get_watermark_offsets(exchange, timeout=harness.TIMEOUT_SECONDS)[0] > position

    harness.wait_until(removed, "the exchange's log to lose its beginning")
    client.close()
    sleeper.process.send_signal(signal.SIGCONT)
    sleeper.wait_for_log("msg=ready")
    app.send(3)
    app.applied()
    assert sleeper.stop() == 0, sleeper.log
    assert other.stop() == 0, other.log


def test_workers_without_a_task_hold_nothing_back(app):
    """Of four workers one has the task, one the incidents, and two have nothing but a topic that never had an event."""
    quiet = app.topics.create("quiet", 2)
    app.config = app.write_config([{"topic": app.topic, "stream": "incident", "format": "json"},
                                   {"topic": quiet, "stream": "telemetry", "format": "json"}],
                                  {"lifecycle.yaml": RULES}, time={"idle_lag": "never"}, commit_interval="50ms",
                                  exchange="kafka", workers=4, state={"dir": str(app.state), "tasks": 1})
    app.create_topics().send(5)
    process = app.start()
    app.applied()
    app.send(5)
    app.applied()
    assert process.stop() == 0


def test_a_second_instance_is_refused_and_the_first_goes_on(app, tmp_path):
    app.create_topics().send(5)
    first = app.start()
    second = app.write_config([{"topic": app.topic, "stream": "incident", "format": "json"}], {"lifecycle.yaml": RULES},
                              name="second.yaml", state={"dir": str(tmp_path / "state2")})
    app.refused(r"another instance .* exchange: local runs one instance", config=second)
    assert "revoked" not in first.log and "going back" not in first.log
    app.send(5)
    app.applied()
    assert first.stop() == 0


def test_a_state_directory_in_use_is_refused(app):
    app.create_topics().send(5)
    first = app.start()
    app.refused(r"state\.dir .* is in use by another process")
    app.send(5)
    app.applied()
    assert first.stop() == 0


def test_missing_topics_are_told_at_once_with_the_command_that_makes_them(app):
    missing = sorted(app.topics.name(each) for each in ("recommendations", "scorecards", "dead-letter"))
    app.refused(f"there is no topic {', '.join(missing)}: `forestall topics create` makes them")


def test_topics_create_and_list(app):
    listed = app.command("topics", "list", "-c", app.config)
    assert listed.returncode == 1 and "missing" in listed.stdout
    made = app.command("topics", "create", "-c", app.config)
    assert made.returncode == 0
    lines = made.stdout.splitlines()
    assert len(lines) == 7 and sum(" made " in line for line in lines) == 5
    again = app.command("topics", "create", "-c", app.config)
    assert again.returncode == 0 and " made " not in again.stdout
    listed = app.command("topics", "list", "-c", app.config, "--output", "json")
    assert listed.returncode == 0
    found = {topic["topic"]: topic for topic in json.loads(listed.stdout)}
    assert sorted(found) == sorted([app.topic, *(app.topics.name(name) for name in
                                    ("recommendations", "scorecards", "dead-letter")),
                                    f"{app.name}-changelog", f"{app.name}-marks"])
    assert all(topic["state"] == "ok" and topic["differs"] is None for topic in found.values())
    assert found[f"{app.name}-changelog"]["partitions"] == 2


def test_topics_with_fewer_copies_are_told(app):
    """Of what the program writes; `run` goes on."""
    app.create_topics()
    config = app.configure(state={"replication_factor": 3})
    listed = app.command("topics", "list", "-c", config, "--output", "json")
    assert listed.returncode == 0
    said = "replication factor is 1, should be at least 3"
    found = {topic["topic"]: topic["differs"] or "" for topic in json.loads(listed.stdout)}
    assert {name for name, differs in found.items() if said in differs} == set(found) - {app.topic}
    process = app.start(config)
    assert re.search(rf'level=warn msg="a topic\'s settings are not right" topic={app.name}-changelog differs=".*{said}', process.log)
    assert process.stop() == 0


def test_more_copies_than_brokers_are_refused(app):
    config = app.configure(state={"replication_factor": 3})
    made = app.command("topics", "create", "-c", config)
    assert made.returncode == 1 and "state.replication_factor is 3: are there so many brokers?" in made.stderr


def test_a_wrong_address_is_told_in_bounded_time(app):
    """It may be a cluster that is not up yet, so it is waited for; SIGTERM ends that."""
    [port] = cluster.free_ports(1)
    process = app.forestall(app.configure(kafka={"bootstrap.servers": f"127.0.0.1:{port}"}))
    process.wait_for_log(r'msg="waiting for the cluster".*no broker answers.*are bootstrap\.servers and the credentials right')
    assert str(port) in process.log
    assert process.stop() == 0, process.log


def test_a_broken_rule_is_told_with_its_place(app, tmp_path):
    app.create_topics()
    config = app.config
    rules = tmp_path / "rules" / "lifecycle.yaml"
    rules.write_text(RULES.replace("count(x) >= 1", "count(y) >= 1"))
    process = app.forestall(config)
    assert process.wait() == 1
    line = next(n for n, text in enumerate(RULES.splitlines(), 1) if "when:" in text)
    column = RULES.splitlines()[line - 1].index("count(x)") + len("count(") + 1
    assert f"{rules}:{line}:{column}: error: " in process.log, process.log


@pytest.mark.parametrize("overrides, message", [
    ({"schema_registry": {"url": "http://localhost:8081"}}, "the schema registry is not built yet"),
    ({"workers": 2}, "more than one worker needs exchange: kafka"),
    ({"time": {"idle_leg": "1s"}}, r"unknown key 'idle_leg'.*did you mean 'idle_lag'"),
    ({"kafka": {"group.id": "mine"}}, "'group.id' is Forestall's to set"),
    ({"kafka": {"linger.sm": "5"}}, r"forestall\.yaml:\d+:\d+: error: kafka: linger\.sm: No such configuration property"),
    ({"kafka": {"session.timeout.ms": "9000"}}, r"forestall\.yaml:\d+:\d+: error: kafka: 'session\.timeout\.ms' is Forestall's to set"),
    ({"state": {"tasks": 33}}, "tasks"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_a_configuration_that_cannot_be_is_refused(app, overrides, message):
    app.refused(message, config=app.configure(**overrides))


def test_what_is_configured_but_does_nothing_is_told(app):
    app.create_topics()
    config = app.write_config([{"topic": app.topic, "stream": "incident", "format": "json"}],
                              {"lifecycle.yaml": RULES}, http={"listen": "127.0.0.1:0"})
    process = app.start(config)
    process.wait_for_log(r'level=warn msg="http is configured, but not served')
    assert process.stop() == 0


def test_the_environment_overrides_the_file(app):
    app.create_topics().send(5)
    config = app.configure(kafka={"bootstrap.servers": "127.0.0.1:1"})
    process = app.start(config, env={"FORESTALL_KAFKA__BOOTSTRAP_SERVERS": os.environ["TEST_BOOTSTRAP"]})
    app.applied()
    assert process.stop() == 0
    app.refused("FORESTALL_STATE__TASKS", env={"FORESTALL_STATE__TASKS": "many"})


def test_a_state_directory_that_cannot_be_written(app, tmp_path):
    app.create_topics()
    (tmp_path / "file").write_text("")
    app.refused(r"state\.dir .*file/state cannot be made", config=app.configure(state={"dir": str(tmp_path / "file/state")}))
    app.refused(r"/proc/forestall", config=app.configure(state={"dir": "/proc/forestall"}))


def test_a_state_directory_that_is_gone_is_restored(app):
    app.create_topics().send(50)
    process = app.start()
    app.applied()
    assert process.stop() == 0
    shutil.rmtree(app.state)
    app.send(5)
    process = app.start()
    assert "state restored from the changelog" in process.log
    app.applied()
    assert process.stop() == 0
    whole = seeded.replay(app.binary, app.config)
    assert [lines[:app.sent - 1] for lines in whole.values()] == [[record.value for record in app.output.records]]


def test_deleted_positions_are_refused_while_there_is_state(app):
    app.create_topics().send(5)
    process = app.start()
    app.applied()
    assert process.stop() == 0
    harness.wait_until(app.delete_group, "the group's end")
    app.refused("there is state, but group .* has no positions.*another application_id")
    shutil.rmtree(app.state)
    app.refused("there is state, but group .* has no positions.*another application_id")
    assert len(app.output.drain()) == app.sent - 1


def test_what_the_changelog_does_not_show_yet_is_waited_for(app):
    """Someone else's open transaction stands for a broker that has not been told yet of how ours ended."""
    app.create_topics().send(5)
    process = app.start()
    app.applied()
    assert process.stop() == 0
    blind = confluent_kafka.Producer({"bootstrap.servers": app.bootstrap, "transactional.id": app.topics.name("blind")})
    blind.init_transactions(harness.TIMEOUT_SECONDS)
    blind.begin_transaction()
    changelog = f"{app.name}-changelog"
    for partition in app.admin.list_topics(changelog, timeout=10).topics[changelog].partitions:
        blind.produce(changelog, b"", key=b"nobody", partition=partition)
    blind.flush(harness.TIMEOUT_SECONDS)
    process = app.start()
    app.send(5)
    app.applied()
    assert process.stop() == 0
    process = app.start()  # the store has everything: there is nothing to read
    app.send(5)
    app.applied()
    assert process.stop() == 0
    shutil.rmtree(app.state)
    process = app.forestall(app.config)
    process.wait_for_log("msg=restoring")
    assert "msg=ready" not in process.log
    blind.abort_transaction(harness.TIMEOUT_SECONDS)
    process.wait_for_log("msg=ready")
    app.send(5)
    app.applied()
    assert process.stop() == 0


def test_a_deleted_changelog_is_refused(app):
    app.create_topics().send(5)
    process = app.start()
    app.applied()
    assert process.stop() == 0
    changelog = f"{app.name}-changelog"
    app.admin.delete_topics([changelog])[changelog].result(harness.TIMEOUT_SECONDS)
    harness.wait_until(lambda: changelog not in app.admin.list_topics(timeout=10).topics, "the changelog's end")
    app.refused("changelog.*another application_id")
    assert len(app.output.drain()) == app.sent - 1
