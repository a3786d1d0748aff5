"""Rule files that change while `run` is at work: loaded whole or not at all, at a commit; state stays where it still fits."""

import json
import signal
import subprocess

import pytest

import harness

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
HEAD = "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"


def rule(name, title="{{ count(x) }}", size="7d", when="count(x) >= 1", service=None):
    match = f", match: {{service: {service}}}" if service else ""
    return f"""
- id: {name}
  from: {{x: {{stream: incident{match}}}}}
  detect: {{group_by: [service], window: {{size: {size}}}, when: {when}}}
  recommend: {{category: architecture, title: "{title}", cooldown: 0s, spec: {{problem: p, solution: s}}}}
"""


class App:
    def __init__(self, topics, writer, reader, forestall, write_config, binary):
        self.topic, self.writer, self.forestall, self.binary = topics.create("incidents"), writer, forestall, binary
        self.topics, self.reader, self.write_config, self.sent = topics, reader, write_config, 0

    def start(self, rules, *sources):
        config = self.write_config([{"topic": self.topic, "stream": "incident", "format": "json"}, *sources],
                                   {"reload.yaml": HEAD + rules}, time={"idle_lag": "never"}, commit_interval="50ms")
        self.rules_path = config.parent / "rules" / "reload.yaml"
        subprocess.run([self.binary, "topics", "create", "-c", config], check=True, capture_output=True)
        self.process = self.forestall(config)
        self.process.wait_for_log("msg=ready")
        self.output = self.reader(self.topics.name("recommendations"))
        return self

    def send(self, count, service="cart"):
        for n in range(self.sent, self.sent + count):
            self.writer.json(self.topic, {
                "event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "occurred_at": START_MS + n * HOUR_MS,
                "service": service, "severity": "SEV3", "title": f"Incident {n}"})
        self.writer.flush()
        self.sent += count

    def versions(self, count):
        """(rule, version, title) of the first so many records."""
        self.output.count(count)
        return [(r["rule_id"], r["version"], r["title"]) for r in (json.loads(o.value) for o in self.output.records)]

    def edit(self, rules, expected="rules reloaded"):
        """As an editor saves: another file in its place."""
        seen = self.process.log.count(expected)
        new = self.rules_path.with_suffix(".new")
        new.write_text(HEAD + rules)
        new.rename(self.rules_path)
        self.wait_for_more(expected, seen)

    def wait_for_more(self, text, seen):
        harness.wait_until(lambda: self.process.log.count(text) > seen, f"'{text}' in the log")


@pytest.fixture
def app(topics, writer, reader, forestall, write_config, binary):
    return App(topics, writer, reader, forestall, write_config, binary)


def test_a_new_text_keeps_the_state(app):
    app.start(rule("each"))
    app.send(3)
    assert app.versions(2) == [("each", 1, "1"), ("each", 2, "2")]
    app.edit(rule("each", title="{{ count(x) }} now"))
    app.send(2)
    assert app.versions(4)[2:] == [("each", 3, "3 now"), ("each", 4, "4 now")]
    assert app.process.stop() == 0, app.process.log


def test_rules_come_and_go(app):
    app.start(rule("old"))
    app.send(3)
    app.versions(2)
    app.edit(rule("new"))
    app.send(2)  # of these and the one that was pending, all but the newest are applied
    assert app.versions(4)[2:] == [("new", 1, "1"), ("new", 2, "2")]
    app.edit(rule("new") + rule("old"))  # back within its window: it goes on where it was
    app.send(1)
    found = app.versions(6)[4:]
    assert ("new", 3, "3") in found and ("old", 3, "3") in found
    assert app.process.stop() == 0, app.process.log


def test_a_bad_edit_keeps_the_running_set(app):
    app.start(rule("each"))
    app.edit(rule("each", when="count(y) >= 1"), expected="the set that runs is kept")
    assert "unknown input 'y'" in app.process.log and "line=7" in app.process.log
    app.send(2)
    assert app.versions(1) == [("each", 1, "1")]
    app.edit(rule("each", title="good again"))
    app.send(1)
    assert app.versions(2)[1] == ("each", 2, "good again")
    assert app.process.stop() == 0, app.process.log


def test_hangup_reloads(app):
    app.start(rule("each"))
    seen = app.process.log.count("rules reloaded")
    app.process.process.send_signal(signal.SIGHUP)
    app.wait_for_more("rules reloaded", seen)
    app.send(2)
    assert app.versions(1) == [("each", 1, "1")]
    assert app.process.stop() == 0, app.process.log


def test_the_configuration_is_not_read_again(app, topics, tmp_path):
    schema = tmp_path / "deployment.avsc"
    schema.write_text((harness.SOURCE / "schemas/deployment.avsc").read_text())
    app.start(rule("each"), {"topic": topics.create("deployments"), "stream": "deployment", "format": "avro",
                             "schema": "deployment.avsc"})
    schema.unlink()
    app.edit(rule("each", title="after"))
    app.send(2)
    assert app.versions(1) == [("each", 1, "after")]
    assert app.process.stop() == 0, app.process.log
