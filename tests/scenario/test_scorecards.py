"""What a scorecard says when its window holds more than limits.window_events."""

import json

CARD = """apiVersion: forestall.io/v1
kind: Scorecard
scorecards:
- {id: failures, from: {x: {stream: incident}}, window: {calendar: month}, value: count(x)}
"""


def test_a_capped_scorecard_is_told_of(forestall_does, tmp_path):
    """Its record has no place for it: the log says it once, though two windows are capped; up to the limit it says nothing."""
    (tmp_path / "card.yaml").write_text(CARD)
    with open(tmp_path / "events.jsonl", "w") as file:
        for n in range(40):
            at = f"2024-0{1 + n // 20}-{10 + n % 20 // 2}T{n % 2:02}:00:00Z"
            file.write(json.dumps({"stream": "incident", "event_id": f"e{n}", "incident_id": f"i{n}", "service": "a", "title": "t",
                                   "severity": "SEV3", "status": "OPEN", "occurred_at": at}) + "\n")
    for limit, shown, told in [(15, [15, 15], 1), (40, [20, 20], 0)]:
        (tmp_path / "forestall.yaml").write_text(f"rules: [card.yaml]\nlimits: {{window_events: {limit}}}\n")
        done = forestall_does("replay", "--file", "events.jsonl", "--scorecards", f"{limit}.jsonl", "--to", "2024-04-01T00:00:00Z")
        cards = [json.loads(line) for line in (tmp_path / f"{limit}.jsonl").read_text().splitlines()]
        assert [card["value"] for card in cards if card["value"]] == shown, cards
        assert done.stderr.count("a scorecard's window holds more than limits.window_events") == told, done.stderr
