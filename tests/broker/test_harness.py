"""The harness against a real Kafka: later tests rest on what it says was committed."""

import io

import confluent_kafka
import fastavro

import harness


def test_the_reader_sees_what_is_committed_and_nothing_else(bootstrap, topics, reader):
    topic = topics.create("committed", partitions=2)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": topics.name("writer")})
    producer.init_transactions(harness.TIMEOUT_SECONDS)
    for value, finish in ((b"kept", producer.commit_transaction), (b"dropped", producer.abort_transaction)):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(topic, key=b"k", value=value, partition=partition)
        producer.flush(harness.TIMEOUT_SECONDS)
        finish(harness.TIMEOUT_SECONDS)
    everything = reader(topic, isolation="read_uncommitted").drain()
    assert sorted(record.value for record in everything) == [b"dropped", b"dropped", b"kept", b"kept"]
    committed = reader(topic)
    assert [record.value for record in committed.drain()] == [b"kept", b"kept"]

    producer.begin_transaction()
    producer.produce(topic, key=b"k", value=b"open", partition=0)
    producer.flush(harness.TIMEOUT_SECONDS)
    assert [record.value for record in committed.drain()] == [b"kept", b"kept"]
    producer.commit_transaction(harness.TIMEOUT_SECONDS)
    assert [record.value for record in committed.drain()] == [b"kept", b"kept", b"open"]
    assert committed.newest()["k"].value in (b"kept", b"open")


def test_topics_are_unique_and_hold_what_the_writer_wrote(topics, writer, drain):
    topic = topics.create("written", retention_ms=60000)
    assert topic != "written" and topic.startswith("written-")
    writer.json(topic, {"service": "cartservice", "n": 1}, key="a")
    writer.bytes(topic, None, key="a", headers={"reason": b"gone"})
    writer.flush()
    first, last = drain(topic)
    assert first.json == {"service": "cartservice", "n": 1} and first.text_key == "a"
    assert last.value is None and last.headers == {"reason": b"gone"}
    assert drain(topics.create("empty", partitions=3)) == []


def test_avro_is_written_by_the_project_s_schemas(topics, writer, drain):
    topic = topics.create("avro")
    record = {"event_id": "e1", "incident_id": "i1", "status": "OPEN", "occurred_at": 1704067200000,
              "service": "cartservice", "severity": "SEV2", "title": "Cart is down"}
    writer.avro(topic, "incident", record)
    writer.avro(topic, "incident", record, schema_id=7)
    writer.flush()
    bare, framed = drain(topic)
    assert framed.value == b"\0\0\0\0\7" + bare.value
    assert fastavro.schemaless_reader(io.BytesIO(bare.value), harness.avro_schema("incident"))["service"] == "cartservice"
