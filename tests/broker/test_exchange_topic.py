"""The internal topic of the exchange: how it is made and checked, and that what is behind everybody is deleted."""

import json
import os
import pathlib
import subprocess

import confluent_kafka
import confluent_kafka.admin
import pytest

import harness

TRIM = pathlib.Path(os.environ.get("TEST_BUILD", harness.SOURCE / "build/dev")) / "tests/broker_trim"
RULES = {"rules.yaml": "apiVersion: forestall.io/v1\nkind: RuleSet\nrules: []\n"}


def settings(topics, topic):
    resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ResourceType.TOPIC, topic)
    entries = topics.admin.describe_configs([resource])[resource].result(harness.TIMEOUT_SECONDS)
    return {name: entry.value for name, entry in entries.items()}


def change(topics, topic, name, value):
    resource = confluent_kafka.admin.ConfigResource(
        confluent_kafka.admin.ResourceType.TOPIC, topic, incremental_configs=[confluent_kafka.admin.ConfigEntry(
            name, value, incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)])
    topics.admin.incremental_alter_configs([resource])[resource].result(harness.TIMEOUT_SECONDS)
    harness.wait_until(lambda: settings(topics, topic)[name] == value, f"{name} {value}")


@pytest.fixture
def listed(forestall_does, write_config, topics):
    """What a command says of the exchange's topic, with a configuration for several instances."""
    config = write_config([{"topic": topics.name("incidents"), "stream": "incident", "format": "json"}], RULES,
                          exchange="kafka", workers=2, state={"tasks": 3})
    name = json.loads(config.read_text())["application_id"]

    def run(verb, status=0, role="exchange"):
        done = forestall_does("topics", verb, "-c", config, "--output", "json", status=status)
        return next((each for each in json.loads(done.stdout) if each["topic"] == f"{name}-{role}"), None)

    return run


def test_it_is_made_and_checked(listed, topics):
    assert listed("list", status=1)["state"] == "missing"
    made = listed("create")
    assert (made["role"], made["partitions"], made["state"]) == ("exchange", 3, "made")
    wanted = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "segment.bytes": "67108864",
              "message.timestamp.type": "LogAppendTime"}
    assert settings(topics, made["topic"]).items() >= wanted.items()
    assert listed("list")["state"] == "ok"
    # Of the sources too, where they are made here: limits.record_bytes is 1 MiB.
    assert {settings(topics, topic)["max.message.bytes"] for topic in (made["topic"], topics.name("incidents"))} == {str((6 << 20) + (64 << 10))}

    for name, wrong, least, right in [("retention.ms", "3600000", "", "-1"), ("retention.bytes", "1000", "", "-1"),
                                      ("cleanup.policy", "compact", "", "delete"),
                                      ("segment.bytes", "1073741824", "at most ", "67108864")]:
        change(topics, made["topic"], name, wrong)
        assert listed("list", status=0 if least else 1)["differs"] == f"{name} is {wrong}, should be {least}{right}"
        change(topics, made["topic"], name, right)
    assert listed("list")["state"] == "ok"


def test_the_changelog_is_made_and_checked(listed, topics):
    made = (listed("create"), listed("list", role="changelog"))[1]
    assert (made["partitions"], made["state"]) == (3, "ok")
    wanted = {"cleanup.policy": "compact", "delete.retention.ms": "604800000", "segment.bytes": "67108864",
              "min.cleanable.dirty.ratio": "0.2"}
    assert settings(topics, made["topic"]).items() >= wanted.items()
    for name, wrong, bound, in_force in [("min.cleanable.dirty.ratio", "0.9", "at most 0.2", "0.1"),
                                         ("segment.bytes", "1073741824", "at most 67108864", "1048576"),
                                         ("delete.retention.ms", "3600000", "at least 604800000", "1209600000"),
                                         ("cleanup.policy", "delete", "compact", "compact")]:
        change(topics, made["topic"], name, wrong)
        assert listed("list", status=None, role="changelog")["differs"] == f"{name} is {wrong}, should be {bound}"
        change(topics, made["topic"], name, in_force)
        assert listed("list", role="changelog")["state"] == "ok"


def more_partitions(topics, topic, count):
    topics.admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, count)])[topic].result(60)
    harness.wait_until(lambda: len(topics.partitions(topic)) == count, "the partition")


def test_more_partitions_are_refused(listed, topics):
    made = listed("create")
    more_partitions(topics, made["topic"], 4)
    assert listed("list", status=1)["differs"] == "made for state.tasks 4, which is 3 now"


@pytest.mark.parametrize("exchange", ["kafka", "local"])
def test_another_number_of_tasks_is_refused(exchange, forestall_does, forestall, write_config, topics):
    """Before anything is read, and also where somebody gives the topics as many partitions."""
    incidents = topics.create("incidents")

    def config(tasks):
        return write_config([{"topic": incidents, "stream": "incident", "format": "json"}], RULES, exchange=exchange,
                            state={"tasks": tasks}, time={"idle_lag": "never"}, commit_interval="50ms")

    forestall_does("topics", "create", "-c", config(3))
    run = forestall(config(3))
    run.wait_for_log("msg=ready")
    assert run.stop() == 0
    name = topics.name("forestall")
    wrong = "made for state.tasks 3, which is 4 now"
    assert f"topic {name}-changelog: {wrong}: set it back, or another application_id" in forestall_does(
        "run", "-c", config(4), status=1).stderr
    assert wrong in forestall_does("topics", "create", "-c", config(4), status=1).stdout
    for role in ("changelog", "exchange") if exchange == "kafka" else ("changelog",):
        more_partitions(topics, f"{name}-{role}", 4)
    assert f"the state is {wrong}, and other partitions do not divide it anew: another application_id" in forestall_does(
        "run", "-c", config(4), status=1).stderr


def test_the_local_exchange_has_none(forestall_does, write_config, topics):
    config = write_config([{"topic": topics.name("incidents"), "stream": "incident", "format": "json"}], RULES)
    assert "exchange" not in forestall_does("topics", "create", "-c", config).stdout


def trim(bootstrap, *arguments):
    return subprocess.run([TRIM, bootstrap, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_what_is_behind_is_deleted(bootstrap, topics, writer, reader):
    topic = topics.create("trimmed", partitions=2)
    for n in range(20):
        writer.bytes(topic, b"%d" % n, partition=n % 2)
    writer.flush()
    done = trim(bootstrap, topic, 0, 4, 0, 7, 1, 10)
    assert (done.returncode, done.stderr) == (0, "")
    assert [record.offset for record in reader(topic).drain()] == [7, 8, 9]


def test_what_fails_is_only_logged(bootstrap, topics, writer):
    topic = topics.create("short")
    writer.bytes(topic, b"one")
    writer.flush()
    for broker, arguments, text in [(bootstrap, (topic, 0, 5), "Offset out of range"),
                                    (bootstrap, (topics.name("none"), 0, 5), "No leaders found"),
                                    ("127.0.0.1:1", (topic, 0, 5, 0, 6), "Failed to query partition leaders")]:
        done = trim(broker, *arguments)
        assert done.returncode == 0
        assert "could not be deleted" in done.stderr and text in done.stderr and "follows=" in done.stderr
