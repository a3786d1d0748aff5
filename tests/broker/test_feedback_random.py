"""Several people say things at once, over several partitions, repeated, stale, of what there is not, while the process is
killed: what comes of it is what a small model of the life of a recommendation says, in the order of the log."""

import collections
import concurrent.futures
import json
import random
import subprocess
import time

import pytest

import harness

HOUR_MS = 3_600_000
PARTITIONS = 3
SERVICES = 4
SEEN_MAX = 64  # event ids that a recommendation remembers
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""
# What is allowed from where, and where it leads; without validation, which begins at midnight only.
OPEN = {"proposed", "reopened"}
ACTIONS = {
    "ACCEPT": (OPEN, "accepted"),
    "START": (OPEN | {"accepted"}, "in_progress"),
    "IMPLEMENT": (OPEN | {"accepted", "in_progress"}, "implemented"),
    "DISMISS": (OPEN | {"accepted", "in_progress", "implemented"}, "dismissed"),
    "REOPEN": ({"dismissed", "implemented"}, "reopened"),
    "COMMENT": (OPEN | {"accepted", "in_progress", "implemented", "dismissed"}, None),
}


class Life:
    """One recommendation, as its people know it."""

    def __init__(self):
        self.status, self.version, self.changes = "proposed", 1, []
        self.seen = collections.deque(maxlen=SEEN_MAX)

    def hears(self, said):
        """What an event comes to: None, or why it is refused."""
        if said["event_id"] in self.seen:
            return None
        if said["expected_version"] not in (None, self.version):
            return "stale"
        allowed, target = ACTIONS[said["action"]]
        if self.status not in allowed:
            return f"'{said['action'].lower()}' is not allowed"
        self.seen.append(said["event_id"])
        self.changes.append((self.status, target or self.status, said["actor"], said["comment"]))
        self.version += target is not None
        self.status = target or self.status
        return None


class Person:
    """Says `count` things by a seed, of recommendations and of what is none, some of them twice."""

    def __init__(self, name, seed, bootstrap, topic, ids):
        self.name, self.dice, self.topic, self.ids = name, random.Random(seed), topic, ids
        self.writer = harness.Writer(bootstrap)
        self.said = []

    def event(self):
        if self.said and self.dice.random() < 0.15:
            return self.dice.choice(self.said[-20:])
        record_id = self.dice.choice(self.ids)
        if self.dice.random() < 0.05:
            record_id = self.dice.choice(["twice:0000000000000000", "never:0123456789abcdef", "twice"])
        event = {"event_id": f"{self.name}-{len(self.said)}", "recommendation_id": record_id,
                 "action": self.dice.choice(list(ACTIONS)), "actor": self.name, "occurred_at": self.dice.randrange(2 ** 41),
                 "comment": f"{self.name} {len(self.said)}", "until": None,
                 "expected_version": self.dice.randrange(1, 25) if self.dice.random() < 0.3 else None}
        self.said.append(event)
        return event

    def speak(self, count):
        for _ in range(count):
            value = json.dumps(self.event()).encode()
            self.writer.bytes(self.topic, value, partition=self.dice.randrange(PARTITIONS))
            if self.dice.random() < 0.2:
                self.writer.flush()
        self.writer.flush()


@pytest.mark.parametrize("seed", [1, 2])
def test_people_at_once(seed, bootstrap, binary, topics, writer, reader, forestall, write_config):
    incidents, feedback = topics.create("incidents"), topics.create("feedback", partitions=PARTITIONS)
    never = {"idle_lag": "never", "out_of_orderness": "0s", "format": "json"}
    config = write_config([{"topic": incidents, "stream": "incident", **never}, {"topic": feedback, "stream": "feedback", **never}],
                          {"twice.yaml": RULES}, commit_interval="50ms")
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    output, letters = reader(topics.name("recommendations")), reader(topics.name("dead-letter"))
    now = int(time.time() * 1000)
    begun = 0

    def incident(service, at):
        nonlocal begun
        begun += 1
        writer.json(incidents, {"event_id": f"e{begun}", "incident_id": f"i{begun}", "status": "OPEN", "service": service, "occurred_at": at,
                                "severity": "SEV3", "title": "t"})
        writer.flush()

    def close():
        """What lies before this is applied: a word on nothing to every partition, and an incident of a service of its own."""
        time_before = int(time.time() * 1000)
        harness.wait_until(lambda: time.time() * 1000 > time_before + 5, "the next moment")
        for partition in range(PARTITIONS):
            writer.json(feedback, {"event_id": "close", "recommendation_id": "twice", "action": "COMMENT", "actor": "nobody", "occurred_at": 0},
                        partition=partition)
        writer.flush()
        incident(f"nowhere-{begun}", int(time.time() * 1000))

    for n in range(2 * SERVICES):
        incident(f"s{n % SERVICES}", now - 10 * HOUR_MS + n * HOUR_MS)
    close()
    process = forestall(config)
    ids = sorted({record.text_key for record in output.count(SERVICES)})
    people = [Person(name, 10 * seed + n, bootstrap, feedback, ids) for n, name in enumerate(("ann", "ben", "eve"))]
    dice = random.Random(seed)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in range(4):
            for talk in [pool.submit(person.speak, 40) for person in people]:
                talk.result()
            incident(f"s{dice.randrange(SERVICES)}", int(time.time() * 1000))
            if dice.random() < 0.7:
                process.kill()
                process = forestall(config)
    close()

    # What the log holds, in the order in which it is judged: by time, partition and offset.
    lives = {each: Life() for each in ids}
    refused = {}
    log = sorted(reader(feedback).drain(), key=lambda record: (record.timestamp_ms, record.partition, record.offset))
    for record in log[:-PARTITIONS]:
        life = lives.get(record.json["recommendation_id"])
        why = "there is no recommendation" if life is None else life.hears({"expected_version": None, "comment": None, **record.json})
        if why is not None:
            refused[record.partition, record.offset] = why

    def applied():
        output.drain()
        return len(letters.drain()) >= len(refused) and all(
            len(output.newest()[each].json["history"]) > len(life.changes) for each, life in lives.items())

    harness.wait_until(applied, "all that was said")
    for each, life in lives.items():
        record = output.newest()[each].json
        changes = [(change["from"], change["to"], change["actor"], change["comment"]) for change in record["history"][1:]]
        assert changes == life.changes
        assert (record["status"], record["life_version"]) == (life.status, life.version)
    found = {(int(letter.headers["forestall.partition"]), int(letter.headers["forestall.offset"])): letter.headers["forestall.error"].decode()
             for letter in letters.drain()}
    assert len(letters.records) == len(refused) and found.keys() == refused.keys()
    assert [key for key, why in refused.items() if not found[key].startswith(why)] == []
    assert sum(len(life.changes) for life in lives.values()) > 40 and len(refused) > 100
    assert process.stop() == 0
    again = subprocess.run([binary, "replay", "-c", config], capture_output=True, timeout=60, check=True).stdout
    told = collections.defaultdict(list)
    for record in output.drain():
        told[record.text_key].append(record.value)
    replayed = collections.defaultdict(list)
    for line in again.splitlines():
        replayed[json.loads(line)["recommendation_id"]].append(line)
    assert replayed == told


def test_two_accept_at_once(binary, topics, writer, reader, forestall, forestall_does, write_config):
    """Both have read the same version: one is heard, the other told that it was too late."""
    quick = {"idle_lag": "300ms", "out_of_orderness": "0s", "format": "json"}
    incidents, feedback = topics.create("incidents"), topics.create("feedback")
    config = write_config([{"topic": incidents, "stream": "incident", **quick}, {"topic": feedback, "stream": "feedback", **quick}],
                          {"twice.yaml": RULES}, commit_interval="50ms")
    forestall_does("topics", "create", "-c", config)
    output = reader(topics.name("recommendations"))
    now = int(time.time() * 1000)
    for n in range(2):
        writer.json(incidents, {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": "cart", "severity": "SEV3",
                                "occurred_at": now - (2 - n) * HOUR_MS, "title": "t"})
    writer.flush()
    process = forestall(config)
    output.count(1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = [pool.submit(forestall_does, "recommendations", "accept", "twice", "--actor", name, "--expected-version", "1", "-c", config, status=None)
                for name in ("ann", "ben")]
        done = sorted((each.result() for each in both), key=lambda each: each.returncode)
    assert [each.returncode for each in done] == [0, 1]
    assert done[0].stdout.endswith(": accepted, was proposed\n")
    assert done[1].stderr.startswith("error: refused: stale: expected_version is 1, but life_version is 2, with status accepted")
    assert [change["to"] for change in output.count(2)[-1].json["history"]] == ["proposed", "accepted"]
    assert process.stop() == 0
