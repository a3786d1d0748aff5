"""What comes out, read by programs that are not ours; and the forms that events come in by, which make no difference."""

import datetime
import io
import json
import re
import subprocess

import confluent_kafka
import confluent_kafka.admin
import fastavro
import pytest

import harness
import seeded

START_MS = 1_704_067_200_000
HOUR_MS = 3_600_000
CLOSING_MS = START_MS + 60 * HOUR_MS
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: output}
rules:
- id: incidents
  from: {x: {stream: incident, match: {severity: [sev1, sev2, sev3]}}}
  detect: {group_by: [service, environment], window: {size: 30d}, when: count(x) >= 2}
  recommend:
    category: infrastructure_resilience
    title: "{{ group.service }} down {{ incidents }} times"
    complexity: low
    cooldown: 0s
    spec:
      problem: "{{ mttr }} to resolve"
      solution: a replica
      implementation: [one, two]
      effort: 3d
      code: [{path: redis.yaml, language: yaml, text: "replicas: 2"}]
"""
SCORECARDS = """
apiVersion: forestall.io/v1
kind: Scorecard
scorecards:
- id: repair
  from: {x: {stream: incident}}
  group_by: [service, environment]
  window: {size: 10h, slide: 5h}
  value: mttr
  target: value < duration('1h')
- id: frequency
  from: {x: {stream: incident, match: {severity: [sev1, sev2, sev3]}}}
  window: {size: 5h, slide: 5h, wait: 1h}
  value: count(x)
  target: change <= -0.2
"""
SCORECARD_FIELDS = "scorecard_id id group service value previous change trend target_met window_from window_to event_time".split()
# DESIGN.md's order; a nested list holds the fields of a record, or of each item.
FIELDS = """recommendation_id rule_id rule_hash version life_version status category title group services priority impact_score
    impact complexity roadmap severity frequency detections firings occurrences incidents first_seen last_seen mttd
    mttd_median mttr mttr_median minutes_lost estimated_benefit evidence code_refs root_causes components values spec
    validation history supersedes superseded_by notes event_time""".split()
NESTED = {
    "estimated_benefit": "incidents_per_30d minutes_per_30d",
    "evidence": "stream event_id incident_id service occurred_at summary",
    "code_refs": "path count",
    "root_causes": "cause count",
    "components": "component count",
    "spec": "problem solution implementation testing rollout effort dependencies code references",
    "validation": "state implemented_at before_from before_to after_from after_to measures",
    "history": "at from to actor comment",
}


def events():
    """Four incidents of a service: opened, resolved half an hour later."""
    for n in range(4):
        at = START_MS + n * 5 * HOUR_MS
        base = {"incident_id": f"i{n}", "service": "cart", "severity": f"SEV{1 + n % 3}", "title": f"Café {n} ✓",
                "labels": {"k": "v"}, "code_refs": ["cart/main.go:7"] if n % 2 else []}
        yield {**base, "event_id": f"e{n}", "status": "OPEN", "occurred_at": at, "started_at": at - 60_000,
               "detected_at": at, "detected_by": "ALERT"}
        yield {**base, "event_id": f"r{n}", "status": "RESOLVED", "occurred_at": at + HOUR_MS // 2,
               "resolved_at": at + HOUR_MS // 2, "root_cause": "redis_oom", "component": "redis-cart"}
    yield {"event_id": "closing", "incident_id": "closing", "service": "closing", "severity": "SEV5", "title": "t",
           "status": "OPEN", "occurred_at": CLOSING_MS}


@pytest.fixture
def expected(binary, tmp_path):
    (tmp_path / "output.yaml").write_text(RULES)
    (tmp_path / "files.yaml").write_text('{"rules": ["output.yaml"]}')
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events()))
    found = seeded.replay(binary, tmp_path / "files.yaml", "--file", f"incident={tmp_path / 'events.jsonl'}")
    assert [len(lines) for lines in found.values()] == [6]
    return found


@pytest.fixture
def run(binary, topics, writer, write_config, forestall, reader, expected):
    """Runs the events through an application; returns what it published. `encode` makes a record of an event."""

    def through(encode, source, **overrides):
        topic = topics.create("incidents")
        for event in events():
            writer.bytes(topic, encode(event))
        writer.flush()
        config = write_config([{"topic": topic, "stream": "incident", **source}], {"output.yaml": RULES},
                              time={"idle_lag": "never"}, **overrides)
        subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
        process = forestall(config)
        process.wait_for_log("msg=ready")
        output = reader(topics.name("recommendations"))
        output.count(sum(map(len, expected.values())))
        assert process.stop() == 0
        assert " undecodable=0 " in process.log
        return output.drain()

    return through


def json_bytes(event):
    return json.dumps(event).encode()


schema_named = {}  # name -> how a value of the type is turned


def as_avro(value, schema):
    """A value of our JSON as fastavro would give it: enums in upper case, times as such."""
    if value is None:
        return None
    if isinstance(schema, list):
        return as_avro(value, next(each for each in schema if each != "null"))
    if isinstance(schema, str):
        return schema_named.get(schema, lambda v: v)(value)
    if schema["type"] == "record":
        return {field["name"]: as_avro(value[field["name"]], field["type"]) for field in schema["fields"]}
    if schema["type"] == "enum":
        schema_named[schema["name"]] = str.upper
        return value.upper()
    if schema["type"] == "array":
        return [as_avro(each, schema["items"]) for each in value]
    if schema["type"] == "map":
        return {key: as_avro(each, schema["values"]) for key, each in value.items()}
    if schema.get("logicalType") == "timestamp-millis":
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return as_avro(value, schema["type"])


def test_json_has_every_field_in_order(run, expected):
    records = run(json_bytes, {"format": "json"})
    assert seeded.versions(record.value for record in records) == expected
    for record in records:
        found = record.json
        assert list(found) == FIELDS
        assert record.text_key == found["recommendation_id"]
        assert re.fullmatch(r"incidents:[0-9a-f]{16}", found["recommendation_id"])
        for name, fields in NESTED.items():
            for each in found[name] if isinstance(found[name], list) else [found[name]]:
                assert list(each) == fields.split(), name
    assert [record.json["version"] for record in records] == list(range(1, len(records) + 1))
    last = records[-1].json
    spelled = {name: last[name] for name in ("status", "category", "priority", "impact", "complexity", "roadmap", "severity")}
    assert spelled == {"status": "proposed", "category": "infrastructure_resilience", "priority": "P0", "impact": "high",
                       "complexity": "low", "roadmap": "resilience", "severity": "sev1"}
    assert last["group"] == {"service": "cart", "environment": None} and last["services"] == ["cart"]
    assert last["supersedes"] in (None, []) and last["superseded_by"] is None
    assert last["incidents"] == 4 and last["mttr"] == 1_860_000 and last["mttd"] == 60_000
    assert last["root_causes"] == [{"cause": "redis_oom", "count": 4}]
    assert last["components"] == [{"component": "redis-cart", "count": 4}]
    assert last["code_refs"] == [{"path": "cart/main.go:7", "count": 2}]
    assert last["spec"]["code"] == [{"path": "redis.yaml", "language": "yaml", "text": "replicas: 2"}]
    assert last["event_time"] == "2024-01-01T15:30:00.000Z"
    assert {each["summary"] for each in last["evidence"]} == {f"Café {n} ✓" for n in range(4)}


def test_avro_is_read_with_nothing_but_the_schema(bootstrap, topics, run, expected):
    run(json_bytes, {"format": "json"}, outputs={"recommendations": {"format": "avro"}})
    schema = fastavro.schema.load_schema(str(harness.SOURCE / "schemas" / "recommendation.avsc"))
    raw = json.loads((harness.SOURCE / "schemas" / "recommendation.avsc").read_text())
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": topics.name("fastavro"),
                                         "isolation.level": "read_committed", "auto.offset.reset": "earliest"})
    consumer.subscribe([topics.name("recommendations")])
    found = []
    wanted = [as_avro(json.loads(line), raw) for lines in expected.values() for line in lines]
    harness.wait_until(lambda: take(consumer, found) or len(found) >= len(wanted), "the records")
    consumer.close()
    decoded = []
    for key, value in found:
        stream = io.BytesIO(value)
        decoded.append(fastavro.schemaless_reader(stream, schema))
        assert stream.read() == b"", "bytes after the record"
        assert key.decode() == decoded[-1]["recommendation_id"]
    assert decoded == wanted
    assert decoded[-1]["category"] == "INFRASTRUCTURE_RESILIENCE" and decoded[-1]["history"][0]["to"] == "PROPOSED"


@pytest.fixture
def scorecards(binary, expected, tmp_path):
    """What a replay of the events shows: the lines, in order."""
    (tmp_path / "scorecards.yaml").write_text(SCORECARDS)
    (tmp_path / "replay.yaml").write_text(json.dumps({"rules": ["scorecards.yaml"], "outputs": {"scorecards": {"format": "avro"}}}))
    seeded.replay(binary, tmp_path / "replay.yaml", "--file", f"incident={tmp_path / 'events.jsonl'}",
                  "--scorecards", str(tmp_path / "scorecards.jsonl"))
    return (tmp_path / "scorecards.jsonl").read_text().splitlines()


@pytest.mark.parametrize("form", ["json", "avro"])
def test_scorecards(topics, writer, reader, write_config, binary, forestall, scorecards, form):
    topic = topics.create("incidents")
    config = write_config([{"topic": topic, "stream": "incident", "format": "json"}], {"scorecards.yaml": SCORECARDS},
                          time={"idle_lag": "never"}, outputs={"scorecards": {"format": form}})
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    output = reader(topics.name("scorecards"))
    process = forestall(config)
    process.wait_for_log("msg=ready")
    for n, event in enumerate(events()):
        writer.bytes(topic, json_bytes(event))
        if n == 5: # some are published, and then it is killed
            writer.flush()
            output.count(3)
            process.kill()
            process.restart()
    writer.flush()
    output.count(len(scorecards))
    assert process.stop() == 0
    records = output.drain()
    if form == "json":
        assert [list(record.json) for record in records] == [SCORECARD_FIELDS] * len(scorecards)
        found = [record.value.decode() for record in records]
    else:
        path = harness.SOURCE / "schemas" / "scorecard.avsc"
        raw, schema = json.loads(path.read_text()), fastavro.schema.load_schema(str(path))
        decoded = [fastavro.schemaless_reader(io.BytesIO(record.value), schema) for record in records]
        found = [next(line for line in scorecards if as_avro(json.loads(line), raw) == each) for each in decoded]
    # The topic has several partitions: each scorecard's records are in order, among each other they need not be.
    by_id = lambda lines: sorted(lines, key=lambda line: json.loads(line)["scorecard_id"])
    assert by_id(found) == by_id(scorecards)
    assert [record.text_key for record in records] == [json.loads(line)["scorecard_id"] for line in found]
    repair = [json.loads(line) for line in scorecards if json.loads(line)["service"] == "cart"]
    assert [(each["value"], each["previous"], each["target_met"]) for each in repair] == [
        (1_860_000, None, True), (1_860_000, None, True), (1_860_000, 1_860_000, True), (1_860_000, 1_860_000, True),
        (1_860_000, 1_860_000, True), (None, 1_860_000, None)]
    frequency = [json.loads(line) for line in scorecards if json.loads(line)["id"] == "frequency"]
    assert [(each["value"], each["previous"], each["change"]) for each in frequency] == [
        (1, None, None), (1, 1, 0), (1, 1, 0), (1, 1, 0), (0, 1, -1)]


def take(consumer, found):
    message = consumer.poll(harness.POLL_SECONDS)
    if message is not None:
        assert message.error() is None
        found.append((message.key(), message.value()))


@pytest.mark.parametrize("frame", [b"", b"\0\0\0\0\7"], ids=["bare", "confluent"])
def test_avro_in_makes_no_difference(run, expected, frame):
    source = {"format": "avro", **({"framing": "confluent"} if frame else {})}
    records = run(lambda event: frame + harness.avro_bytes("incident", event), source)
    assert seeded.versions(record.value for record in records) == expected


def test_a_writer_schema_of_its_own(run, expected, tmp_path):
    """Fields in another order, one that we do not know, those with defaults left out, a long for micros, an int more."""
    own = json.loads((harness.SOURCE / "schemas" / "incident.avsc").read_text())
    fields = [field for field in own["fields"] if field["name"] not in ("environment", "deployment_id", "acknowledged_at")]
    next(field for field in fields if field["name"] == "occurred_at")["type"]["logicalType"] = "timestamp-micros"
    fields.insert(3, {"name": "not_ours", "type": {"type": "map", "values": {"type": "array", "items": ["null", "double"]}}})
    own["fields"] = fields[::-1]
    (tmp_path / "own.avsc").write_text(json.dumps(own))
    parsed = fastavro.parse_schema(json.loads(json.dumps(own)))

    def encode(event):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, {**event, "occurred_at": event["occurred_at"] * 1000,
                                                 "not_ours": {"a": [None, 1.5], "b": []}})
        return out.getvalue()

    records = run(encode, {"format": "avro", "schema": "own.avsc"})
    assert seeded.versions(record.value for record in records) == expected


def test_outputs_are_compacted(bootstrap, topics, run):
    run(json_bytes, {"format": "json"})
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
    application = topics.name("forestall")
    names = [topics.name("recommendations"), topics.name("scorecards"), f"{application}-changelog", f"{application}-marks"]
    resources = [confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ResourceType.TOPIC, name) for name in names]
    for resource, settings in admin.describe_configs(resources).items():
        assert settings.result()["cleanup.policy"].value == "compact", resource
