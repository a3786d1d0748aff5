"""The life of recommendations in whole runs: feedback from files, what is refused, and rules that supersede others."""

import datetime
import json

import pytest

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: small
  from: {x: {stream: incident}}
  detect: {group_by: [service, environment], window: {size: 30d}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }}", spec: {problem: p, solution: s}}
- id: whole
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 4}
  recommend: {category: architecture, title: "{{ group.service }}", supersedes: [small], spec: {problem: p, solution: s}}
- id: twin
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 6}
  recommend: {category: architecture, title: "{{ group.service }}", supersedes: [whole], spec: {problem: p, solution: s}}
"""


def incident(n, day, service="cart", environment="prod"):
    return {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": service, "environment": environment,
            "occurred_at": START_MS + int(day * DAY_MS), "severity": "SEV4", "title": f"Incident {n}"}


def answer(day, action, recommendation, **more):
    return {"event_id": f"{action}-{day}", "recommendation_id": recommendation, "action": action.upper(), "actor": "ann",
            "occurred_at": START_MS + int(day * DAY_MS), **more}


def lines(records):
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)


@pytest.fixture
def replay(forestall_does, tmp_path):
    """Replays incidents and feedback up to a day; the published versions, and the dead letters."""

    def run(incidents, feedback=(), to=30):
        (tmp_path / "rules.yaml").write_text(RULES)
        (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
        (tmp_path / "incidents.jsonl").write_text(lines(sorted(incidents, key=lambda e: e["occurred_at"])))
        (tmp_path / "feedback.jsonl").write_text(lines(feedback))
        out = forestall_does("replay", "--file", "incident=incidents.jsonl", "feedback=feedback.jsonl", "--dead-letter", "dead.jsonl",
                             "--to", (datetime.datetime(2024, 1, 1) + datetime.timedelta(days=to)).isoformat() + "Z").stdout
        dead = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
        return [json.loads(line) for line in out.splitlines()], dead

    return run


def newest(versions, rule, **group):
    return [v for v in versions if v["rule_id"] == rule and group.items() <= v["group"].items()][-1]


def test_feedback_in_a_file(replay):
    incidents = [incident(1, 0), incident(2, 1), incident(3, 5)]
    versions, dead = replay(incidents)
    (made,) = {v["recommendation_id"] for v in versions}
    refused = answer(3, "accept", made, expected_version=1)
    versions, dead = replay(incidents, [
        answer(2, "accept", made, expected_version=1), answer(2, "accept", made, expected_version=1), refused, "no json",
        answer(1, "start", made), answer(4, "start", "nothing"), answer(9, "implement", made, comment="done")])
    assert [(v["status"], v["life_version"], v["event_time"][:10]) for v in versions if v["version"] in (1, 2, 3)] == [
        ("proposed", 1, "2024-01-02"), ("accepted", 2, "2024-01-03"), ("in_progress", 3, "2024-01-03")]
    # What was written down behind the file's time happens at that time, which is two minutes behind its newest.
    assert versions[2]["event_time"] == "2024-01-03T23:58:00.000Z"
    done = [v for v in versions if v["status"] == "implemented"][0]
    assert done["validation"]["implemented_at"] == "2024-01-10T00:00:00.000Z"
    assert done["history"][-1] == {"at": "2024-01-10T00:00:00.000Z", "from": "in_progress", "to": "implemented",
                                           "actor": "ann", "comment": "done"}
    by_offset = {letter["forestall.offset"]: letter for letter in dead}
    assert sorted(by_offset) == ["3", "4", "6"]  # lines
    assert by_offset["3"]["value"] == json.dumps(refused) and by_offset["3"]["forestall.topic"] == "feedback"
    assert by_offset["3"]["forestall.error"] == (
        "stale: expected_version is 1, but life_version is 3, with status in_progress; allowed now: implement, dismiss, comment")
    assert by_offset["6"]["forestall.error"].startswith("there is no recommendation 'nothing': an id is RULE:DIGITS")


def test_a_rule_supersedes_those_below_it(replay):
    versions, _ = replay([incident(1, 1), incident(2, 2), incident(3, 3, environment="dev"), incident(4, 4, environment="dev"),
                          incident(5, 1, "ad"), incident(6, 2, "ad")])
    whole = newest(versions, "whole")
    gone = [newest(versions, "small", service="cart", environment=e) for e in ("prod", "dev")]
    # dev's is made by the same incident as whole: whole meets it at once.
    for small in gone:
        assert (small["status"], small["superseded_by"], small["life_version"]) == ("superseded", whole["recommendation_id"], 2)
        assert small["event_time"] == whole["event_time"] == "2024-01-05T00:00:00.000Z"
        assert (small["history"][-1]["from"], small["history"][-1]["actor"]) == ("proposed", "forestall")
    assert whole["supersedes"] == sorted(small["recommendation_id"] for small in gone) and whole["life_version"] == 1
    other = newest(versions, "small", service="ad")
    assert other["status"] == "proposed" and other["superseded_by"] is None


def test_what_comes_later_is_superseded_too_and_what_is_begun_is_not(replay):
    incidents = [incident(1, 1), incident(2, 2), incident(3, 3, environment="dev"), incident(4, 4, environment="qa"),
                 incident(5, 5, environment="dev")]
    versions, _ = replay(incidents)
    assert newest(versions, "small", environment="dev")["status"] == "superseded"
    prod = newest(versions, "small", environment="prod")["recommendation_id"]
    whole = newest(versions, "whole")["recommendation_id"]
    versions, dead = replay(incidents, [answer(2.5, "start", prod)])
    assert newest(versions, "small", environment="prod")["status"] == "in_progress"
    # A dismissed one stands for nothing.
    versions, dead = replay(incidents, [answer(4.5, "dismiss", whole)])
    assert newest(versions, "small", environment="dev")["status"] == "proposed"
    # What a person reopens stays open.
    versions, dead = replay(incidents, [answer(10, "reopen", prod)])
    reopened = newest(versions, "small", environment="prod")
    assert (reopened["status"], reopened["superseded_by"]) == ("reopened", None)
    assert dead == []


def test_groups_of_the_same_keys(replay):
    versions, _ = replay([incident(n, n) for n in range(6)] + [incident(n, n - 10, "ad") for n in range(10, 15)])
    twin = newest(versions, "twin")
    assert newest(versions, "whole", service="cart")["superseded_by"] == twin["recommendation_id"]
    assert newest(versions, "whole", service="ad")["status"] == "proposed"
    # small was superseded by whole, which now is superseded itself: nothing changes for it.
    assert newest(versions, "small", service="cart")["superseded_by"] == newest(versions, "whole", service="cart")["recommendation_id"]


def test_until_when_it_is_dismissed(replay):
    versions, _ = replay([incident(1, 1), incident(2, 2)])
    small = newest(versions, "small")["recommendation_id"]
    told = [answer(3, "dismiss", small, until=START_MS + 10 * DAY_MS, comment="not now")]
    versions, dead = replay([incident(1, 1), incident(2, 2)], told, to=9)
    record = newest(versions, "small")
    assert (record["status"], record["notes"], dead) == ("dismissed", ["dismissed until 2024-01-11T00:00:00.000Z"], [])
    versions, _ = replay([incident(1, 1), incident(2, 2), incident(3, 12)], told, to=13)
    record = newest(versions, "small")
    assert (record["status"], record["notes"]) == ("proposed", [])
    versions, _ = replay([incident(1, 1), incident(2, 2)], [answer(3, "dismiss", small)], to=9)
    assert newest(versions, "small")["notes"] == []
