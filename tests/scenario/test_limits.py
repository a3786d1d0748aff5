"""What a result says when groups had to go for limits.groups."""

import json

import pytest

RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 1h}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
- id: alone
  from: {x: {stream: incident, match: {service: s00}}}
  detect: {group_by: [service], window: {size: 1h}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""


@pytest.mark.parametrize("limit, notes", [(5, ["evicted"]), (50, [])])
def test_groups_that_had_to_go_are_told_of(forestall_does, tmp_path, limit, notes):
    """s00 detects before any goes, then twenty others come once, then s01 detects: it may have been seen before, and have gone."""
    services = ["s00", "s00", *(f"s{n:02}" for n in range(1, 21)), "s01", "s01", "s00"]
    (tmp_path / "events.jsonl").write_text("".join(
        json.dumps({"stream": "incident", "event_id": f"e{n}", "incident_id": f"i{n}", "service": service, "title": "t",
                    "severity": "SEV3", "status": "OPEN", "occurred_at": f"2024-01-01T00:{n:02}:00Z"}) + "\n"
        for n, service in enumerate(services)))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "forestall.yaml").write_text(f"rules: [rules.yaml]\nlimits: {{groups: {limit}}}\nstate: {{tasks: 1}}\n")
    found = [json.loads(line) for line in forestall_does("replay", "--file", "events.jsonl").stdout.splitlines()]
    said = {(each["rule_id"], each["title"]): [] for each in found}
    for each in found:
        said[each["rule_id"], each["title"]].append(each["notes"])
    assert said["twice", "s00"][0] == [] and said["twice", "s00"][-1] == notes
    assert said["twice", "s01"][0] == notes
    assert all(each == [] for each in said["alone", "s00"]), "another rule's groups went"
