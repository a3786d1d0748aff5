"""What goes into the topics during a run of trouble: events at a rate, of now, some late, some unusable.

Partitions fall silent now and then, so that their time is moved by marks; people say what they do about what was
recommended. Windows are short: what the last event brings is known a minute after it.
"""

import json
import random
import re
import threading
import time

import confluent_kafka

SILENCE_AFTER_SECONDS = 60  # after the last event nothing more is due, time having passed
IDLE_LAG_SECONDS = 3
PARTITIONS = {"telemetry": 4, "incident": 2, "feedback": 1}
OUT_OF_ORDERNESS_SECONDS = {"telemetry": 2, "incident": 4, "feedback": 1}
SERVICES = 16
UNUSABLE = b'{"service": "\xff"}'
OLD_TITLE, NEW_TITLE = "warm", "hot"  # what a change of the rules changes

RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: trouble}
rules:
- id: hopping
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}, all: {stream: telemetry, where: event.value > 10.0}}
  detect: {group_by: [service], window: {size: 20s, slide: 5s}, when: avg(cpu) > 52 && count(all) > 2}
  recommend:
    category: architecture
    title: "{{ avg(cpu) }} {{ max(cpu) }} {{ min(all) }}"
    cooldown: 0s
    spec: {problem: "{{ sum(cpu) }} {{ avg(all) }} {{ distinct(all, event.name) }}", solution: s}
- id: by-name
  from: {all: {stream: telemetry, match: {name: [cpu_usage, memory_usage]}}}
  detect: {group_by: [name], window: {size: 30s, slide: 10s, wait: 2s}, when: min(all) < 5}
  recommend:
    category: architecture
    title: "{{ services }}"
    cooldown: 20s
    spec: {problem: "{{ count(all) }}", solution: s}
- id: sliding
  from: {hot: {stream: telemetry, where: event.value > 97.0}}
  detect: {group_by: [service], window: {size: 15s}, when: count(hot) >= 3}
  recommend: {category: architecture, title: warm, cooldown: 10s, spec: {problem: "{{ events }}", solution: s}}
- id: rows
  from:
    bad: {stream: incident, match: {severity: [sev1, sev2]}}
    done: {stream: incident, match: {severity: [sev1, sev2, sev3, sev4], status: resolved}}
  detect: {group_by: [service], window: {size: 30s}, when: count(bad) >= 2 || count(done) >= 2}
  recommend:
    category: architecture
    title: "{{ group.service }}: {{ mttr }}"
    cooldown: 0s
    spec: {problem: "{{ count(bad) }} {{ count(done) }} {{ minutes_lost }}", solution: s}
- id: rows-and-telemetry
  from:
    open: {stream: incident, match: {severity: [sev1, sev2, sev3, sev4]}}
    cpu: {stream: telemetry, match: {name: cpu_usage}}
  detect: {group_by: [service], window: {size: 20s, slide: 10s}, when: count(open) >= 1 && avg(cpu) > 50}
  recommend: {category: code_quality, title: "{{ incidents }} {{ avg(cpu) }}", cooldown: 0s, spec: {problem: p, solution: s}}
- id: hot-then-incident
  from:
    hot: {stream: telemetry, where: event.value > 99.0}
    open: {stream: incident}
  detect: {type: sequence, group_by: [service], within: 10s, steps: [hot, open]}
  recommend: {category: architecture, title: "{{ hot.value }}", cooldown: 0s, spec: {problem: "{{ last_seen }}", solution: s}}
- id: quiet
  from: {hot: {stream: telemetry, where: event.value > 98.0}}
  detect: {type: absence, group_by: [service], of: hot, every: 12s}
  recommend: {category: architecture, title: "{{ last_seen }}", cooldown: 0s, spec: {problem: p, solution: s}}
- id: above
  from: {d: {stream: detection, match: {rule_id: [hopping, rows, quiet]}}}
  detect: {group_by: {service: event.group.service}, window: {size: 30s}, when: "distinct(d, event.rule_id) >= 2"}
  recommend: {category: architecture, title: "{{ count(d) }}", cooldown: 0s, spec: {problem: p, solution: s}}
# Those below hold much when the run is over.
- id: hour
  from: {all: {stream: telemetry, match: {name: [cpu_usage, memory_usage]}}}
  detect: {group_by: [service, name], window: {size: 1h, slide: 1m}, when: avg(all) > 50 && p95(all) > 90}
  recommend: {category: architecture, title: "{{ avg(all) }} {{ p95(all) }}", cooldown: 1m, spec: {problem: p, solution: s}}
- id: hottest
  from: {hot: {stream: telemetry, where: event.value > 99.0}}
  detect: {group_by: [service], window: {size: 1h}, when: max(hot) > 99.9}
  recommend: {category: architecture, title: "{{ max(hot) }} of {{ count(hot) }}", cooldown: 1m, spec: {problem: p, solution: s}}
- id: together
  from: {open: {stream: incident}}
  detect: {group_by: [severity], window: {gap: 1h, max: 12h}, when: count(open) > 3}
  recommend: {category: architecture, title: "{{ count(open) }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""

CARDS = """
apiVersion: forestall.io/v1
kind: Scorecard
metadata: {name: trouble-cards}
scorecards:
- {id: load, from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}, group_by: [service], window: {size: 20s, slide: 10s}, value: avg(cpu), target: value < 50}
"""


def rule_ids():
    return re.findall(r"(?<=- id: )[a-z-]+", RULES) + re.findall(r"(?<=- {id: )[a-z-]+", CARDS)


class Load(threading.Thread):
    """Produces until it is told to stop. `recommended` is a list of ids that the reader of the output extends."""

    def __init__(self, bootstrap, topics, rate, seed, recommended):
        super().__init__(daemon=True)
        self.topics, self.rate, self.recommended = topics, rate, recommended
        self.dice = random.Random(seed)
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True, "log_level": 0,
            "message.timeout.ms": 600_000})
        self.written = self.failed = 0
        self.open = []  # (service, id, when it began) of incidents
        self.silent_until = {}
        self.stopping = threading.Event()

    def run(self):
        begun, events = time.monotonic(), 0
        while not self.stopping.wait(0.02):
            due = int((time.monotonic() - begun) * self.rate)
            for _ in range(due - events):
                self.event(events)
                events += 1
            self.producer.poll(0)

    def stop(self):
        """Ends the load; what was written has arrived."""
        self.stopping.set()
        self.join()
        left = self.producer.flush(300)
        assert left == 0 and self.failed == 0, f"{left + self.failed} records did not arrive"

    def event(self, number):
        kind = self.dice.random()
        if kind < 0.005:
            self.feedback(number)
        elif kind < 0.05:
            self.incident(number)
        else:
            self.telemetry(number)

    def telemetry(self, number):
        if self.dice.random() < 0.001:
            return self.write("telemetry", 0, UNUSABLE)
        service = self.dice.randrange(SERVICES)
        self.at_a_time("telemetry", service, {
            "event_id": f"t{number}", "service": f"s{service}", "name": self.dice.choice(["cpu_usage", "memory_usage"]),
            "value": round(self.dice.uniform(0, 100), 2)})

    def incident(self, number):
        if self.open and self.dice.random() < 0.5:
            service, identity, started = self.open.pop(self.dice.randrange(len(self.open)))
            status = "RESOLVED" if self.dice.random() < 0.8 else "CANCELLED"
        else:
            service, identity, started, status = self.dice.randrange(SERVICES), f"i{number}", _now_ms(), "OPEN"
            self.open.append((service, identity, started))
        self.at_a_time("incident", service, {
            "event_id": f"i{number}/{status}", "incident_id": identity, "service": f"s{service}", "title": "t",
            "severity": f"SEV{self.dice.randint(1, 4)}", "started_at": started, "status": status})

    def feedback(self, number):
        if self.recommended:
            self.write("feedback", 0, json.dumps({
                "event_id": f"f{number}", "recommendation_id": self.dice.choice(self.recommended), "actor": "a",
                "action": self.dice.choice(["ACCEPT", "START", "IMPLEMENT", "DISMISS", "REOPEN", "COMMENT"]),
                "occurred_at": _now_ms()}).encode())

    def at_a_time(self, stream, service, event):
        partition = service % PARTITIONS[stream]
        silent_until = self.silent_until.get((stream, partition), 0)
        if time.monotonic() < silent_until:
            return
        if time.monotonic() > silent_until + 20 and self.dice.random() < 0.001:
            self.silent_until[stream, partition] = time.monotonic() + 3 * IDLE_LAG_SECONDS
        jitter_ms = self.dice.randrange(OUT_OF_ORDERNESS_SECONDS[stream] * 1010)
        self.write(stream, partition, json.dumps({**event, "occurred_at": _now_ms() - jitter_ms}).encode())

    def write(self, stream, partition, value):
        try:
            self.producer.produce(self.topics[stream], value=value, partition=partition, on_delivery=self.delivered)
            self.written += 1
        except BufferError:  # brokers are away; the load goes on when they are back
            self.producer.poll(0.1)

    def delivered(self, error, _message):
        self.failed += error is not None


def _now_ms():
    return int(time.time() * 1000)
