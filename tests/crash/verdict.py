"""Whether what was published is what a replay of the same topics gives, each version once, byte for byte; likewise the
state (state.py)."""

import collections
import datetime
import json
import re
import subprocess

import harness

DIFFERENCES_SHOWN = 5
REPLAY_SECONDS_MAX = 900
RETITLED = "sliding"  # the rule whose title changes during the run


def _comparable(record, line):
    """Whoever applies a version decides by its rules: which has a new title first is not fixed."""
    if record["rule_id"] != RETITLED:
        return bytes(line)
    return json.dumps({**record, "title": None, "life_version": None}).encode()


def _recommendations(lines):
    """((id, version), bytes) each."""
    for line in lines:
        record = json.loads(line)
        yield (record["recommendation_id"], record["version"]), _comparable(record, line)


def _dead_letter(headers, value):
    """(what it is, why): of feedback about a rule whose title changes the reason names a `life_version`, see above."""
    reason = headers["forestall.error"]
    if f'"{RETITLED}:' in value:
        reason = re.sub(r"life_version \d+", "life_version", reason)
    return (headers["forestall.topic"], int(headers["forestall.partition"]), int(headers["forestall.offset"])), reason


def _before(line, time_ms):
    return datetime.datetime.fromisoformat(json.loads(line)["event_time"].replace("Z", "+00:00")).timestamp() * 1000 < time_ms


def _scorecards(lines):
    for line in lines:
        record = json.loads(line)
        yield (record["scorecard_id"], json.dumps(record["group"]), record["event_time"]), bytes(line)


def of_topics(bootstrap, topics):
    """What is committed: kind -> list of (what it is, its bytes)."""
    def drain(name):
        reader = harness.Reader(bootstrap, topics[name], log_level=0)
        records = reader.drain()
        reader.close()
        return records

    letters = [_dead_letter({name: text.decode() for name, text in letter.headers.items()}, repr(letter.value))
               for letter in drain("dead-letter")]
    return {"recommendations": list(_recommendations(record.value for record in drain("recommendations"))),
            "scorecards": list(_scorecards(record.value for record in drain("scorecards"))),
            "dead letters": letters}


def of_replay(binary, config, folder, applied_ms):
    """The same of `forestall replay`, which goes on to the greatest of all marks: what is below the time that was applied."""
    paths = {name: folder / f"replay-{name}.jsonl" for name in ("recommendations", "scorecards", "dead-letter")}
    done = subprocess.run([binary, "replay", "-c", config, "--out", paths["recommendations"], "--scorecards",
                           paths["scorecards"], "--dead-letter", paths["dead-letter"]],
                          capture_output=True, text=True, timeout=REPLAY_SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    lines = {name: path.read_bytes().splitlines() for name, path in paths.items()}
    for name in ("recommendations", "scorecards"):
        lines[name] = [line for line in lines[name] if _before(line, applied_ms)]
    letters = [json.loads(line) for line in lines["dead-letter"]]
    return {"recommendations": list(_recommendations(lines["recommendations"])),
            "scorecards": list(_scorecards(lines["scorecards"])),
            "dead letters": [_dead_letter(letter, repr(letter["value"])) for letter in letters]}


def _newest(records):
    newest = {}
    for (identity, version), text in records:
        newest[identity] = (version, text)
    return newest


def compare(found, expected):
    """([(name, text)] to print, whether all is well)."""
    rows, good = [], True
    newest, expected_newest = _newest(found["recommendations"]), _newest(expected["recommendations"])
    rows.append(("recommendations", f"{len(newest)}, of {len({key[0].split(':')[0] for key, _ in found['recommendations']})} rules"))
    for kind in ("recommendations", "scorecards", "dead letters", "state"):
        counts, wanted = collections.Counter(key for key, _ in found[kind]), dict(expected[kind])
        lost = sorted(wanted.keys() - counts.keys())
        unexpected = sorted(counts.keys() - wanted.keys())
        twice = sorted(key for key, count in counts.items() if count > 1)
        differ = sorted({key for key, text in found[kind] if key in wanted and wanted[key] != text})
        name = "versions" if kind == "recommendations" else kind
        rows.append((name, f"{len(found[kind])}: {len(lost)} lost, {len(twice)} duplicated, {len(unexpected)} unexpected, "
                     f"{len(differ)} differences"))
        for what, keys in (("lost", lost), ("duplicated", twice), ("unexpected", unexpected), ("differs", differ)):
            rows += [("", f"{what}: {key}") for key in keys[:DIFFERENCES_SHOWN]]
        good = good and bool(found[kind]) and not (lost or unexpected or twice or differ)
    held = collections.Counter(key[0] for key, _ in found["state"])
    rows.append(("", ", ".join(f"{count} {kind}" for kind, count in sorted(held.items()))))
    wrong = sorted(key for key in newest.keys() | expected_newest.keys() if newest.get(key) != expected_newest.get(key))
    rows.append(("newest versions", f"{len(newest)}: {len(wrong)} differences"))
    return rows, good and not wrong
