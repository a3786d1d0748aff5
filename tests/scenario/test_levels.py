"""Rules that read the detections of rules: what they see, in which order, and what is refused."""

import json

import pytest

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 2}
- id: twice-by-severity
  from: {x: {stream: incident}}
  detect: {group_by: [service, severity], window: {size: 7d}, when: count(x) >= 2}
- id: both-see-it
  description: Two rules about one service within a day
  from: {d: {stream: detection}}
  detect: {group_by: [service], window: {size: 1d}, when: "distinct(d, event.rule_id) >= 2"}
  recommend:
    category: architecture
    title: "{{ group.service }} troubles {{ distinct(d, event.rule_id) }} rules"
    severity: sev2
    cooldown: 0s
    spec: {problem: p, solution: s}
- id: above
  from: {d: {stream: detection, match: {rule_id: both-see-it}, where: "event.values.events >= 2.0"}}
  detect: {group_by: {service: event.group.service}, window: {size: 1d, slide: 1d}, when: count(d) >= 1}
  recommend: {category: architecture, title: "{{ group.service }}", spec: {problem: p, solution: s}}
"""


def incident(n, day, service="cart", severity="SEV2"):
    return {"stream": "incident", "event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": service,
            "occurred_at": START_MS + int(day * DAY_MS), "severity": severity, "title": f"Incident {n}"}


@pytest.fixture
def replay(forestall_does, tmp_path):
    def run(events):
        (tmp_path / "rules.yaml").write_text(RULES)
        (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
        out = forestall_does("replay", "--file", "events.jsonl", "--drain", "--to", "2024-02-01T00:00:00Z").stdout
        return [json.loads(line) for line in out.splitlines()]

    return run


def test_a_rule_reads_what_rules_below_it_detect(replay):
    found = replay([incident(1, 0), incident(2, 1), incident(3, 1, "ad"), incident(4, 1.5, "ad", "SEV1")])
    cart = [r for r in found if r["rule_id"] == "both-see-it"]
    # ad's two incidents differ in severity: one rule alone sees them.
    assert [(r["group"]["service"], r["occurrences"], r["event_time"]) for r in cart] == [
        ("cart", 2, "2024-01-02T00:00:00.000Z"), ("cart", 2, "2024-02-01T00:00:00.000Z")]  # and aged
    assert cart[0]["title"] == "cart troubles 2 rules" and cart[0]["services"] == ["cart"]
    assert cart[0]["frequency"] == 1 and cart[0]["impact_score"] == 8
    above = [r for r in found if r["rule_id"] == "above"]
    # The window that holds it closes at its end, a level higher.
    assert [(r["group"]["service"], r["event_time"]) for r in above] == [("cart", "2024-01-03T00:00:00.000Z")]


@pytest.mark.parametrize("reads, error", [
    ("{rule_id: a}", "the rule 'a' reads its own detections"),
    ("{rule_id: nobody}", "there is no rule 'nobody' whose detections 'd' could read"),
    ("{rule_id: bb}", "there is no rule 'bb' whose detections 'd' could read; did you mean 'b'?"),
    ("{rule_id: b}", "read each other's detections"),
])
def test_cycles_and_strangers_are_refused(forestall_does, tmp_path, reads, error):
    (tmp_path / "rules.yaml").write_text(f"""
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: a
  from: {{d: {{stream: detection, match: {reads}}}}}
  detect: {{window: {{size: 1d}}, when: count(d) >= 1}}
- id: b
  from: {{d: {{stream: detection, match: {{rule_id: a}}}}}}
  detect: {{window: {{size: 1d}}, when: count(d) >= 1}}
""")
    assert error in forestall_does("check", "rules.yaml", status=1).stderr
