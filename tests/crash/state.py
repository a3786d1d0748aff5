"""The state that an application has at rest: the newest value of every key of its changelog, made comparable.

Two applications that have applied the same up to the same time hold the same, byte for byte, but for what is left out
here; tests/model/engine_states.h leaves out the same of the simulated cluster's.

- Entries about the run itself (kind 0): positions, incarnations, times of peers, since when a task knows a rule, the
  place within an instant. They tell who applied what when, and how the topics were shared; no result depends on it.
- Of a group that is walked at windows' ends, the last window that was evaluated, and the next one where that has passed
  without a change: neither is written then, and both follow from the time that all is applied to.
- What was published of a rule whose title changes during the run: which title a version has depends on who applied it.
  That there is such an entry is compared; so are the groups that it is made of.
"""

import dataclasses
import json
import struct
import subprocess

import harness

KINDS = {b"r": "rows", b"x": "expiries of rows", b"g": "groups", b"k": "counts of groups", b"p": "parts of groups",
         b"R": "recommendations", b"c": "contributions", b"t": "traces"}
META, GROUP, RECOMMENDATION = b"\0", b"g", b"R"
TASK_ENTRY_VERSION = 2
DAY_MS = 86_400_000


@dataclasses.dataclass(frozen=True)
class Window:
    """A rule's windows; slide_ms 0: its groups are not walked."""
    size_ms: int
    slide_ms: int
    wait_ms: int

    def timer_at(self, timer_ms, applied_ms):
        """When the group is due next, all before `applied_ms` having been evaluated."""
        if self.slide_ms == 0 or timer_ms >= applied_ms:
            return timer_ms
        after_ms = applied_ms - self.wait_ms - 1 - self.size_ms
        return (after_ms // self.slide_ms + 1) * self.slide_ms + self.size_ms + self.wait_ms


# What a rule keeps beside itself for its validation has a hash that nobody tells; it is looked at each midnight.
HISTORY = Window(DAY_MS, DAY_MS, 0)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is known of the rules, by the hashes that entries name them by."""
    ids: dict
    windows: dict

    @classmethod
    def explained(cls, binary, config, identities):
        """As `forestall explain` tells them."""
        ids, windows = {}, {}
        for identity in identities:
            done = subprocess.run([binary, "explain", identity, "-c", config, "--output", "json"], capture_output=True,
                                  text=True, timeout=harness.TIMEOUT_SECONDS)
            assert done.returncode == 0, done.stderr
            told = json.loads(done.stdout)
            window = told["detection"].get("window", {})
            assert window.get("kind") != "calendar", f"{identity}: calendars are not known here"
            rule_hash = bytes.fromhex(told["meaning"]["hash"])
            ids[rule_hash] = identity
            walked = window.get("kind") == "hopping"
            windows[rule_hash] = Window(window["size_ms"] if walked else 0, window["slide_ms"] if walked else 0,
                                        window["wait_ms"] if walked else 0)
        return cls(ids, windows)


def read(bootstrap, application):
    """Key -> newest value of the changelog, what was deleted left out; only what is committed."""
    reader = harness.Reader(bootstrap, f"{application}-changelog", log_level=0)
    newest = {record.key: record.value for record in reader.drain()}
    reader.close()
    return {key: value for key, value in newest.items() if value is not None}


def _sorted_i64(data, at):
    return struct.unpack_from(">Q", data, at)[0] - (1 << 63)


def _varint(data, at):
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _zigzag(data, at):
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def applied_ms(entries):
    """Task -> the time of each of its stages below which all is applied, with `exchange: kafka`."""
    times = {}
    for key, value in entries.items():
        if key[2:] != META + b"task":
            continue
        assert value[0] == TASK_ENTRY_VERSION
        _, at = _varint(value, 1)
        stages, at = _varint(value, at)
        times[int.from_bytes(key[:2], "big")] = {_sorted_i64(value, at + 8 * stage) for stage in range(stages + 1)}
    return times


def marked_ms(records, partitions):
    """The time that marks alone have brought all of so many partitions to; 0: one of them has none."""
    newest = {}
    for record in records:  # key: topic, partition, offset
        length, at = _varint(record.key, 0)
        place = record.key[:at + length + 4]
        newest[place] = max(newest.get(place, 0), _sorted_i64(record.value, 0))
    return min(newest.values()) if len(newest) == partitions else 0


def _group(value, window, time_ms):
    """A group's record: key, timer, last activity, last window evaluated, flags."""
    length, at = _varint(value, 0)
    timer_at = at + length
    timer_ms, last_at = _zigzag(value, timer_at)
    _, evaluated_at = _zigzag(value, last_at)
    _, flags_at = _zigzag(value, evaluated_at)
    timer = window.timer_at(timer_ms, time_ms).to_bytes(8, "big", signed=True)
    return value[:timer_at] + timer + value[last_at:evaluated_at] + value[flags_at:]


def comparable(entries, rules, time_ms, retitled=None):
    """(what it is, its bytes) of each entry that the topics determine, all being applied up to `time_ms`."""
    for key, value in entries.items():
        task, kind, rest = int.from_bytes(key[:2], "big"), key[2:3], key[3:]
        rule = rules.ids.get(rest[:8], "-") if kind not in (b"r", b"x") else "-"
        if kind == META:
            continue
        if kind == GROUP:
            value = _group(value, rules.windows.get(rest[:8], HISTORY), time_ms)
        elif kind == RECOMMENDATION and rule == retitled:
            value = b""
        yield (KINDS.get(kind, repr(kind)), rule, task, rest.hex()), value
