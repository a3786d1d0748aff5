"""A seeded history of incidents and telemetry, and what must come of it however `run` is disturbed.

Partitions hold late events, events from the future and bytes that are no event; which of them become dead letters is
worked out here, in a few lines that are not the program's. At the end of each partition stands an event that no rule
selects, two days later, so that everything before it is applied.
"""

import collections
import json
import random
import re
import subprocess
import time

import harness

START_MS = 1_704_106_800_000  # 2024-01-01T11:00Z
SPAN_MS = 6 * 3_600_000
CLOSING_MS = START_MS + 49 * 3_600_000  # at noon: nothing is due shortly before
OUT_OF_ORDERNESS_MS = {"incident": 120_000, "telemetry": 10_000}
PARTITIONS = {"incident": 2, "telemetry": 3}
SERVICES = 24

RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: seeded}
rules:
- id: sliding-rows
  from:
    bad: {stream: incident, match: {severity: [sev1, sev2]}}
    done: {stream: incident, match: {severity: [sev1, sev2, sev3, sev4], status: resolved}}
  detect: {group_by: [service], window: {size: 2h}, when: count(bad) >= 2 || count(done) >= 2}
  recommend:
    category: architecture
    title: "{{ group.service }}: {{ mttr }}"
    cooldown: 0s
    spec: {problem: "{{ count(bad) }} {{ count(done) }} {{ minutes_lost }}", solution: s}
- id: hopping-telemetry
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}, all: {stream: telemetry, where: event.value > 10.0}}
  detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: avg(cpu) > 78 && count(all) > 2}
  recommend:
    category: architecture
    title: "{{ avg(cpu) }} {{ max(cpu) }} {{ min(all) }}"
    cooldown: 0s
    spec: {problem: "{{ sum(cpu) }} {{ avg(all) }} {{ distinct(all, event.name) }}", solution: s}
- id: hopping-by-name
  from: {all: {stream: telemetry, match: {name: [cpu_usage, memory_usage]}}}
  detect: {group_by: [name], window: {size: 20m, slide: 5m, wait: 2m}, when: min(all) < 5}
  recommend:
    category: architecture
    title: "{{ services }}"
    cooldown: 1h
    spec: {problem: "{{ count(all) }}", solution: s}
- id: sliding-telemetry
  from: {hot: {stream: telemetry, where: event.value > 95.0}}
  detect: {group_by: [service], window: {size: 15m}, when: count(hot) >= 3}
  recommend: {category: architecture, title: t, cooldown: 30m, spec: {problem: "{{ events }}", solution: s}}
- id: rows-and-telemetry
  from:
    open: {stream: incident, match: {severity: [sev1, sev2, sev3, sev4]}}
    cpu: {stream: telemetry, match: {name: cpu_usage}}
  detect: {group_by: [service], window: {size: 1h, slide: 10m}, when: count(open) >= 1 && avg(cpu) > 50}
  recommend:
    category: code_quality
    title: "{{ incidents }} {{ avg(cpu) }}"
    cooldown: 0s
    spec: {problem: p, solution: s}
"""


def _incidents(dice, count):
    """(time, incident's number, the update without its time)"""
    for n in range(count):
        at = START_MS + dice.randrange(SPAN_MS)
        base = {"incident_id": f"i{n}", "service": f"s{dice.randrange(SERVICES)}", "title": "t",
                "severity": f"SEV{dice.randint(1, 4)}", "started_at": at - dice.randrange(600_000)}
        yield at, n, {**base, "event_id": f"i{n}/open", "status": "OPEN"}
        if dice.random() < 0.8:
            at += dice.randrange(3_600_000)
            status = "RESOLVED" if dice.random() < 0.8 else "CANCELLED"
            yield at, n, {**base, "event_id": f"i{n}/end", "status": status, "severity": f"SEV{dice.randint(1, 4)}"}


def _telemetry(dice, count):
    for n in range(count):
        service = dice.randrange(SERVICES)
        yield START_MS + dice.randrange(SPAN_MS), service, {
            "event_id": f"t{n}", "service": f"s{service}", "name": dice.choice(["cpu_usage", "memory_usage"]),
            "value": round(dice.uniform(0, 100), 2)}


class History:
    """The records of each (stream, partition), in order."""

    def __init__(self, seed, incidents=150, telemetry=9000):
        dice = random.Random(seed)
        self.records = {(stream, n): [] for stream, count in PARTITIONS.items() for n in range(count)}
        events = [("incident", *each) for each in _incidents(dice, incidents)]
        events += [("telemetry", *each) for each in _telemetry(dice, telemetry)]
        for stream, at, key, event in sorted(events, key=lambda each: each[1]):
            records = self.records[stream, key % PARTITIONS[stream]]
            jitter = dice.randrange(OUT_OF_ORDERNESS_MS[stream] * 5 // 4)
            records.append({**event, "occurred_at": at - jitter})
            if dice.random() < 0.005:
                records.append(None)
        for (stream, n), records in self.records.items():
            last = dict(records[-1] or records[-2])
            records.insert(len(records) // 2, {**last, "event_id": "future", "occurred_at": 4_000_000_000_000})
            records.append({**last, "event_id": f"closing {stream} {n}", "service": "closing", "name": "closing",
                            "severity": "SEV5", "status": "OPEN", "value": 0.0, "occurred_at": CLOSING_MS})
            self.records[stream, n] = [b'{"service": "\xff"}' if event is None else _bytes(stream, event)
                                       for event in records]

    def dead_letters(self):
        """(stream, partition, offset) -> the first word of the reason."""
        found = {}
        for (stream, n), records in self.records.items():
            newest = 0
            for offset, record in enumerate(records):
                at = None if b"\xff" in record else json.loads(record)["occurred_at"]
                if at is None:
                    found[stream, n, offset] = "undecodable"
                elif at == 4_000_000_000_000:
                    found[stream, n, offset] = "future"
                elif at < newest - OUT_OF_ORDERNESS_MS[stream]:
                    found[stream, n, offset] = "late"
                else:
                    newest = max(newest, at)
        return found

    def write_files(self, folder):
        """A file a partition; returns the arguments that `replay` takes them by."""
        arguments = []
        for (stream, n), records in sorted(self.records.items()):
            path = folder / f"{stream}-{n}.jsonl"
            path.write_bytes(b"".join(record + b"\n" for record in records))
            arguments += ["--file", f"{stream}={path}"]
        return arguments

    def pieces(self, seed, size=250):
        """Lists of (stream, partition, record): each partition at a speed of its own.

        The first holds something of every partition, for time does not wait for those that never held a record.
        """
        dice = random.Random(seed)
        queues = {place: collections.deque(records) for place, records in self.records.items()}
        piece = [(*place, queue.popleft()) for place, queue in queues.items()]
        while queues:
            place = dice.choice(sorted(queues))
            for _ in range(min(len(queues[place]), dice.choice((1, 10, 100)))):
                piece.append((*place, queues[place].popleft()))
            if not queues[place]:
                del queues[place]
            if len(piece) >= size:
                yield piece
                piece = []
        yield piece


def _bytes(stream, event):
    telemetry_only, incident_only = {"name", "value"}, {"severity", "status"}
    left_out = incident_only if stream == "telemetry" else telemetry_only
    return json.dumps({key: value for key, value in event.items() if key not in left_out}).encode()


def reason_word(text):
    return "late" if text.startswith("late") else "future" if "max_future_skew" in text else "undecodable"


def versions(lines):
    """Recommendation id -> its versions' bytes, in order."""
    found = collections.defaultdict(list)
    for line in lines:
        found[json.loads(line)["recommendation_id"]].append(bytes(line))
    return dict(found)


def difference(found, expected):
    """Where two sets of versions differ, for people: each recommendation's first version that is not as it should be."""
    lines = []
    for identity in sorted(found.keys() | expected.keys()):
        ours, theirs = found.get(identity, []), expected.get(identity, [])
        if ours == theirs:
            continue
        at = next((n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        first = [json.loads(each[at])["event_time"] if at < len(each) else None for each in (ours, theirs)]
        lines.append(f"{identity}: {len(ours)} versions, not {len(theirs)}; the first difference is number {at}, "
                     f"of {first[0]}, not {first[1]}")
    return lines


def replay(binary, config, *options):
    done = subprocess.run([binary, "replay", "-c", config, *options], capture_output=True, timeout=harness.TIMEOUT_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    return versions(done.stdout.splitlines())


def expected(history, binary, folder):
    """What an undisturbed replay of the history's files gives."""
    (folder / "seeded.yaml").write_text(RULES)
    (folder / "forestall.yaml").write_text('{"rules": ["seeded.yaml"]}')
    found = replay(binary, folder / "forestall.yaml", *history.write_files(folder))
    rules = collections.Counter(identity.split(":")[0] for identity in found)
    assert len(rules) == 5 and rules["hopping-telemetry"] == SERVICES
    return found


class Trial:
    """One application that is fed the history piece by piece, stopped or killed meanwhile, and checked at the end."""

    def __init__(self, history, expected, writer, reader):
        self.history, self.expected, self.writer, self.reader = history, expected, writer, reader
        self.process = None

    def set_up(self, topics, write_config, forestall, seed):
        self.forestall = forestall
        self.names = {stream: topics.create(stream, partitions=count) for stream, count in PARTITIONS.items()}
        self.config = write_config(
            [{"topic": topic, "stream": stream, "format": "json"} for stream, topic in self.names.items()],
            {"seeded.yaml": RULES})
        self.output = topics.name("recommendations")
        self.letters = topics.name("dead-letter")
        self.admin = topics.admin
        self.group = topics.name("forestall")
        self.pieces = self.history.pieces(seed)
        self.written = collections.Counter()

    def start(self, failpoint=None):
        self.process = self.forestall(self.config, env={"FORESTALL_FAILPOINT": failpoint} if failpoint else None)

    def feed(self):
        """Writes the next piece; False: there is none left."""
        piece = next(self.pieces, None)
        for stream, partition, record in piece or ():
            self.writer.bytes(self.names[stream], record, partition=partition)
            self.written[self.names[stream], partition] += 1
        self.writer.flush()
        return piece is not None

    def feed_until_it_dies(self):
        harness.wait_until(lambda: not self.process.running() or "msg=ready" in self.process.log, "a start or a death")
        while self.process.running():
            before = self.committed()
            if not self.feed():
                break
            harness.wait_until(lambda: not self.process.running() or self.committed() > before, "a commit or a death")
        return self.process_ends_within(2) and self.process.process.returncode == -9

    def committed(self):
        """Records that the present process has read up to its last commit; it tells them at log level debug."""
        return max(map(int, re.findall(r"msg=committed records=(\d+)", self.process.log)), default=0)

    def wait_until_committed(self):
        """Waits until the present process, which has read everything there was, has committed it all: no transaction is
        on its way then."""
        self.process.wait_for_log(rf"msg=committed records={sum(self.written.values())}\b")

    def process_ends_within(self, seconds):
        try:
            self.process.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def keep_running(self, ends_allowed):
        """Starts again what ended with status 1, which it may do so many times; returns how many are left."""
        if not self.process.running():
            assert ends_allowed > 0 and self.process.process.returncode == 1, self.process.log
            self.start()
            return ends_allowed - 1
        return ends_allowed

    def stop(self):
        self.process.wait_for_log("msg=ready")
        assert self.process.stop() == 0, self.process.log

    def log(self):
        return self.process.log

    def check(self, ends_allowed=0):
        """Feeds what is left, waits for all that is expected, and checks it. So many times it may end with status 1."""
        while self.feed():
            pass
        if self.process is None or not self.process.running():
            self.start()
        wanted = sum(map(len, self.expected.values()))
        output = self.reader(self.output)
        deadline = time.monotonic() + harness.TIMEOUT_SECONDS
        while len(output.records) < wanted and time.monotonic() < deadline:
            ends_allowed = self.keep_running(ends_allowed)
            output.poll()
        # The transaction that a killed instance left open holds its partitions back until the broker gives it up, and
        # that may be the dead letters' alone.
        letters = self.reader(self.letters)
        dead_letters = self.history.dead_letters()
        letters.count(len(dead_letters))
        self.stop()
        found = versions(map(self.comparable, (record.value for record in output.drain())))
        expected = {identity: list(map(self.comparable, each)) for identity, each in self.expected.items()}
        problems = difference(found, expected)
        assert not problems, "\n".join([*problems, self.log()])
        self.check_dead_letters(letters.drain(), dead_letters)

    def comparable(self, line):
        """What of a version must be as expected: all of it."""
        return line

    def check_dead_letters(self, records, expected):
        letters = collections.Counter()
        for letter in records:
            stream = next(s for s, name in self.names.items() if name.encode() == letter.headers["forestall.topic"])
            place = (stream, int(letter.headers["forestall.partition"]), int(letter.headers["forestall.offset"]))
            assert letter.value == self.history.records[stream, place[1]][place[2]]
            letters[place, reason_word(letter.headers["forestall.error"].decode())] += 1
        wanted = collections.Counter(expected.items())
        assert letters == wanted, f"not there: {wanted - letters}; too many: {letters - wanted}"
