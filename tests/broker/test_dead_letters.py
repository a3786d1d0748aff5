"""Records that cannot be used: each goes to the dead letter topic once, as it came, with the reason; the rest goes on."""

import json
import re
import subprocess
import time

import confluent_kafka
import pytest

import harness
import seeded

MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01T00:00Z
CLOSING = 60 * 60  # minutes: at noon two days later, so that nothing else is due shortly before
FUTURE = int((time.time() * 1000 - START_MS) / MINUTE_MS) + 2 * 365 * 24 * 60
MAX_BYTES = 12 << 20
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: letters}
rules:
- id: incidents
  from: {x: {stream: incident, match: {severity: sev2}}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 3}
  recommend: {category: architecture, title: "{{ count(x) }}", cooldown: 0s, spec: {problem: p, solution: s}}
- id: load
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {group_by: [service], window: {size: 10m, slide: 5m}, when: avg(cpu) > 50}
  recommend: {category: architecture, title: "{{ avg(cpu) }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""


def incident(n, minute, **changes):
    record = {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN",
              "occurred_at": START_MS + minute * MINUTE_MS, "service": "cart", "severity": "SEV2", "title": "t", **changes}
    return json.dumps({key: value for key, value in record.items() if value is not ...}).encode()


def load(minute, **changes):
    return {"event_id": "t", "kind": "METRIC", "service": "cart", "name": "cpu_usage", "value": 60.0 + minute,
            "occurred_at": START_MS + minute * MINUTE_MS, "labels": {}, **changes}


def avro(record):
    return harness.avro_bytes("telemetry", record)


def with_byte(at, value):
    record = avro(load(61))
    return record[:at] + bytes([value]) + record[at + 1:]


INCIDENTS = [*(incident(n, 10 * n) for n in range(12)), incident(99, CLOSING, severity="SEV5")]
LOAD = [*(load(minute) for minute in range(120)), load(CLOSING, name="closing")]
INCIDENTS_MIDDLE, LOAD_MIDDLE = 8, 70

# The record, and what its reason says. In their partitions they come after the good ones before the middle.
BAD_INCIDENTS = {
    "a required field is missing": (incident(80, 71, service=...), r"field 'service' is missing"),
    "an unknown enum symbol": (incident(81, 71, severity="SEV9"), r"field 'severity': 'SEV9' is none of"),
    "text that is not UTF-8": (incident(82, 71, service="c@rt").replace(b"@", b"\xff"), r"UTF-8"),
    "no JSON at all": (b"incident: yes", r"not JSON"),
    "cut off JSON": (incident(83, 71)[:-4], r"not JSON"),
    "a number for a text": (incident(84, 71, service=7), r"field 'service': .* is expected, not 7"),
    "an empty value": (b"", r"not JSON"),
    "from the future": (incident(85, FUTURE), r"max_future_skew"),
    "late": (incident(86, 40), r"^late: "),
    "too large": (incident(87, 71, title="x" * (10 << 20)), r"limits\.record_bytes"),
}
BAD_LOAD = {
    "a bad byte: no such branch of a union": (with_byte(0, 0x08), r"field 'event_id'"),
    "a bad byte: no such enum symbol": (with_byte(3, 0x7e), r"field 'kind'"),
    "a bad byte: a length beyond the end": (with_byte(4, 0x7e), r"field 'service'"),
    "cut off at its end": (avro(load(61))[:-1], r"field 'labels'"),
    "cut off in a number": (avro(load(61))[:25], r"field 'value'"),
    "bytes after its end": (avro(load(61)) + b"\0\0", r"2 bytes follow"),
    "text that is not UTF-8": (avro(load(61, service="c@rt")).replace(b"@", b"\xff"), r"field 'service'.*UTF-8"),
    "from the future": (avro(load(FUTURE)), r"max_future_skew"),
}
LATE_AND_DROPPED = avro(load(40))
TOMBSTONE = None
UNKNOWN_FIELD = json.dumps({**json.loads(INCIDENTS[8]), "not_ours": {"a": [1, None]}}).encode()

INCIDENT_RECORDS = [*INCIDENTS[:INCIDENTS_MIDDLE], *(record for record, _ in BAD_INCIDENTS.values()), TOMBSTONE,
                    UNKNOWN_FIELD, *INCIDENTS[INCIDENTS_MIDDLE + 1:]]
LOAD_RECORDS = [*map(avro, LOAD[:LOAD_MIDDLE]), *(record for record, _ in BAD_LOAD.values()), LATE_AND_DROPPED,
                TOMBSTONE, *map(avro, LOAD[LOAD_MIDDLE:])]


@pytest.fixture
def expected(binary, tmp_path):
    """The versions that the good records alone give."""
    (tmp_path / "letters.yaml").write_text(RULES)
    (tmp_path / "files.yaml").write_text('{"rules": ["letters.yaml"]}')
    (tmp_path / "incidents.jsonl").write_bytes(b"\n".join(INCIDENTS) + b"\n")
    (tmp_path / "load.jsonl").write_text("".join(json.dumps(record) + "\n" for record in LOAD))
    found = seeded.replay(binary, tmp_path / "files.yaml", "--file", f"incident={tmp_path / 'incidents.jsonl'}",
                          "--file", f"telemetry={tmp_path / 'load.jsonl'}")
    assert sorted(identity.split(":")[0] for identity in found) == ["incidents", "load"]
    assert sorted(map(len, found.values())) == [10, 25]
    return found


class Run:
    """An application over a topic of JSON incidents and one of Avro telemetry, and what it made of them."""

    def __init__(self, bootstrap, topics, write_config, binary, reader):
        self.topic = {stream: topics.create(stream, max_message_bytes=MAX_BYTES) for stream in ("incident", "telemetry")}
        self.config = write_config(
            [{"topic": self.topic["incident"], "stream": "incident", "format": "json"},
             {"topic": self.topic["telemetry"], "stream": "telemetry", "format": "avro", "late": "drop"}],
            {"letters.yaml": RULES}, time={"idle_lag": "never"}, commit_interval="50ms")
        subprocess.run([binary, "topics", "create", "-c", self.config], check=True, capture_output=True, timeout=60)
        self.output, self.letters = (reader(topics.name(name)) for name in ("recommendations", "dead-letter"))
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "message.max.bytes": MAX_BYTES})

    def send(self):
        for stream, records in (("incident", INCIDENT_RECORDS), ("telemetry", LOAD_RECORDS)):
            for record in records:
                self.producer.produce(self.topic[stream], value=record, key=f"key {stream}")
        assert self.producer.flush(harness.TIMEOUT_SECONDS) == 0

    def finish(self, process, expected):
        process.wait_for_log("msg=ready")
        count = sum(map(len, expected.values()))
        self.output.until(lambda records: len(records) >= count or not process.running(), f"{count} versions")
        assert process.stop() == 0, process.log
        self.check(expected)

    def check(self, expected):
        assert not seeded.difference(seeded.versions(record.value for record in self.output.drain()), expected)
        letters = {}
        for letter in self.letters.drain():
            assert letter.headers["forestall.partition"] == b"0"
            place = letter.headers["forestall.topic"].decode(), int(letter.headers["forestall.offset"])
            assert place not in letters, "a dead letter twice"
            letters[place] = letter
        for stream, bad, first in (("incident", BAD_INCIDENTS, INCIDENTS_MIDDLE), ("telemetry", BAD_LOAD, LOAD_MIDDLE)):
            for n, (what, (record, reason)) in enumerate(bad.items()):
                letter = letters.pop((self.topic[stream], first + n))
                error = letter.headers.pop("forestall.error").decode()
                assert re.search(reason, error), f"{what}: {error}"
                assert letter.text_key == f"key {stream}"
                assert letter.value == (b"" if what == "too large" else record), what
                assert letter.headers.get("forestall.truncated") == (b"true" if what == "too large" else None), what
                assert len(letter.headers) == (4 if what == "too large" else 3)
        assert not letters, "dead letters that nothing called for"


@pytest.fixture
def run(bootstrap, topics, write_config, binary, reader):
    return Run(bootstrap, topics, write_config, binary, reader)


def test_each_bad_record_becomes_one_dead_letter_and_the_rest_goes_on(run, forestall, expected):
    run.send()
    process = forestall(run.config)
    run.finish(process, expected)
    stopped = process.wait_for_log(r"msg=stopped .*$").group()
    counted = {key: int(value) for key, value in re.findall(r" (\w+)=(\d+)(?= )", stopped)}
    wanted = {"records": len(INCIDENT_RECORDS) + len(LOAD_RECORDS), "events": len(INCIDENTS) + len(LOAD),
              "undecodable": len(BAD_INCIDENTS) + len(BAD_LOAD) - 4, "too_large": 1, "future": 2, "late": 2,
              "tombstones": 2}
    assert {key: counted[key] for key in wanted} == wanted


@pytest.mark.parametrize("failpoint", ["commit_before_end", "commit_after_end", "commit_after_store"])
def test_one_dead_letter_each_also_after_a_crash(run, forestall, expected, failpoint):
    run.send()
    crashed = forestall(run.config, env={"FORESTALL_FAILPOINT": failpoint})
    assert crashed.wait() == -9
    run.finish(forestall(run.config), expected)


def test_one_dead_letter_each_when_killed_after_they_are_out(run, forestall, expected):
    run.send()
    process = forestall(run.config)
    run.letters.count(len(BAD_INCIDENTS) + len(BAD_LOAD))
    process.kill()
    run.finish(forestall(run.config), expected)
