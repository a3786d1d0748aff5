"""`forestall explain`: how a rule was understood, in words and as JSON."""

import json

import pytest
import yaml

import harness

RULES = """apiVersion: forestall.io/v1
kind: RuleSet
lists: {critical: [cart, pay]}
rules:
- id: {id}
  description: {description}
  from:
    bad: {{stream: incident, match: {{severity: [sev1, sev2], component: null}}, where: "event.service in critical || has(event.deployment_id)"}}
    cpu: {{stream: telemetry, match: {{name: cpu_usage}}}}
  detect: {{group_by: [service], window: {window}, when: {when}}}
  recommend: {{category: architecture, title: "Look at {{{{ group.service }}}}", cooldown: 2d}}
"""


def rules(id="it", description="It goes wrong", window="{size: 7d}", when="count(bad) >= 3 && avg(cpu) > 1.5 * 2.0"):
    head, body = RULES.split("rules:\n")
    return head + "rules:\n" + body.format(id=id, description=description, window=window, when=json.dumps(when))


@pytest.fixture
def explained(forestall_does, tmp_path):
    """`forestall explain it` of a rule: the text, one space for white space, and the JSON."""

    def run(*arguments, **parts):
        (tmp_path / "r.yaml").write_text(rules(**parts))
        arguments = arguments or ("r.yaml",)
        text = forestall_does("explain", "it", *arguments).stdout
        return " ".join(text.split()), json.loads(forestall_does("explain", "it", *arguments, "--output", "json").stdout)

    return run


def test_what_is_compared_once_it_is_implemented(explained, forestall_does, tmp_path):
    text, facts = explained()
    assert ("By default: The 30d before the day on which a recommendation is implemented are compared with the 30d after it, "
            "whole days of UTC. It is inconclusive with fewer than 3 incidents before. "
            "incidents It is met if after <= 0.8 * before. For it each recommendation's rows and single events of the last 32d "
            "are kept, at most 10,000 (limits.window_events), and of what folds one pane a day.") in text
    assert facts["validation"] == {"before": "30d", "after": "30d", "min_before": 3, "incidents": "after <= 0.8 * before"}
    written = rules() + "  validate: {before: 7d, after: 14d, min_before: 0, measures: {busy: {value: avg(cpu), met: after < before}}}\n"
    (tmp_path / "r.yaml").write_text(written)
    text = " ".join(forestall_does("explain", "it", "r.yaml").stdout.split())
    assert ("Validation The 7d before the day on which a recommendation is implemented are compared with the 14d after it, whole "
            "days of UTC. Whatever there was before, it is judged. busy avg(cpu) is met if after < before.") in text
    assert "of the last 16d are kept" in text


def test_what_a_sliding_window_means(explained):
    text, facts = explained()
    assert text.startswith("it r.yaml:5 Summary It goes wrong. It looks at incidents where severity is sev1 or sev2 and component is "
                           "unknown and (service is cart or pay or deployment_id is known) (bad); telemetry where name is cpu_usage (cpu). "
                           "For each service, over the 7d before each of them, it fires if the number of bad is at least 3 and the mean "
                           "of cpu is more than 3.")
    assert "It then recommends, once for each service: Look at {{ group.service }}." in text
    assert "A sliding window holds what lies in (t - 7d, t], rows by their opened_at. It is evaluated when a row becomes selected" in text
    assert "at most once in 2d (cooldown)" in text and "at most 10,000 (limits.window_events)" in text
    assert (facts["rule_id"], facts["file"], facts["line"]) == ("it", "r.yaml", 5)
    assert facts["inputs"]["bad"]["match"] == {"severity": ["sev1", "sev2"], "component": [None]}
    assert facts["inputs"]["bad"]["reads"] == ["service", "severity", "component", "deployment_id"]
    assert facts["inputs"]["cpu"]["found_by"] == ["name"] and "Found by name. Reads service, name, value." in text
    assert [each["transport"] for each in facts["inputs"].values()] == ["rows", "forwarded"]
    assert facts["detection"]["window"]["size_ms"] == 7 * 86_400_000
    assert facts["when"]["conditions"] == [
        {"condition": "count(bad) >= 3", "means": "the number of bad is at least 3"},
        {"condition": "avg(cpu) > 1.5 * 2.0", "means": "the mean of cpu is more than 3"}]
    assert facts["recommendation"]["per"] == ["service"] and facts["recommendation"]["cooldown_ms"] == 2 * 86_400_000
    assert facts["levels"] == {"level": 1, "reads": [], "read_by": []}


def test_what_a_hopping_window_means(explained):
    text, facts = explained(window="{size: 30m, slide: 10m, wait: 5m}", when="count(bad) > 0 && distinct(cpu, event.labels['pod']) > 2.0")
    assert "For each service, over the last 30m, every 10m, it fires if" in text
    assert "the number of different labels[pod] among cpu is more than 2" in text
    assert "[k * 10m, k * 10m + 30m)" in text and "when time passes its end + 5m (wait)" in text
    assert "A group keeps panes of 10m, at most 5" in text and "Each distinct() keeps up to 78 KiB a pane" in text and "one by one" in text
    assert facts["detection"]["window"] == {"kind": "hopping", "size_ms": 1_800_000, "slide_ms": 600_000, "wait_ms": 300_000, "pane_ms": 600_000}
    assert facts["inputs"]["cpu"]["transport"] == "folded" and facts["state"]["panes_max"] == 5
    weekly, facts = explained(window="{calendar: week, timezone: Europe/Berlin, wait: 2h}", when="count(bad) > 1 && p95(cpu) > 80")
    assert "For each service, over each week, it fires if the number of bad is more than 1 and the 95th percentile of cpu is more than 80" in weekly
    assert "a week of the calendar in Europe/Berlin, from Monday" in weekly and "when time passes its end + 2h (wait)" in weekly
    assert facts["detection"]["window"] == {"kind": "calendar", "unit": "week", "timezone": "Europe/Berlin", "wait_ms": 7_200_000}
    assert "Each percentile keeps up to 64 KiB a pane" in weekly
    hopping = explained(window="{size: 30m, slide: 10m}", when="share(cpu, bad, event.environment) > 0.5")[0]
    assert "Each distinct() and input of share() keeps up to 78 KiB a pane" in hopping
    session, facts = explained(window="{gap: 30m, max: 12h}")
    assert "For each service, over each session, in which they are at most 30m apart, it fires if" in session
    assert "when time passes its last event + 30m, or its first + 12h if that comes first" in session
    assert facts["detection"]["window"] == {"kind": "session", "gap_ms": 1_800_000, "max_ms": 43_200_000}
    assert "over each 30m, it fires" in explained(window="{size: 30m, slide: 30m}")[0]


@pytest.mark.parametrize("when, words", [
    ("count(bad) > 1 && !(avg(cpu) > 3 || mttr == null)", "the number of bad is more than 1 and not (the mean of cpu is more than 3 or the mean "
                                                          "time to resolve is unknown)"),
    ("count(bad) + count(cpu) >= 2.0 * count(bad)", "the number of bad plus the number of cpu is at least 2 times the number of bad"),
    ("(count(bad) + 1) / count(cpu) < 2.0", "(the number of bad plus 1) divided by the number of cpu is less than 2"),
    ("'cart' in services && size(services) != 1 && count(cpu) > 0", "the list of services has cart and the size of the list of services is not 1 and "
                                                                    "the number of cpu is more than 0"),
    ("mttr > duration('1h30m') ? count(bad) > 1 : count(cpu) > 2", "where the mean time to resolve is more than 1h 30m: the number of bad is more than "
                                                                   "1, otherwise: the number of cpu is more than 2"),
    ("count(cpu) > 0 && services.exists(s, s.startsWith('c'))", "the number of cpu is more than 0 and services.exists(s, s.startsWith('c'))"),
    ("sum(cpu) > min(cpu) && distinct(bad, event.component) == 1 && max(bad, event.reopened) <= 2",
     "the sum of cpu is more than the least of cpu and the number of different component among bad is 1 and the greatest reopened of bad is at most 2"),
    ("share(bad, cpu, event.service) > 0.1", "the part of different service among bad that cpu has too is more than 0.1"),
    ("count(bad) > 0 && stddev(cpu) > 3.0 && p50(cpu) < 1.0", "the number of bad is more than 0 and the standard deviation of cpu is more than 3 and "
                                                               "the median of cpu is less than 1")])
def test_conditions_in_words(explained, when, words):
    assert explained(when=when)[1]["when"]["means"] == words


def test_names_from_the_configuration(explained, tmp_path):
    (tmp_path / "conf.yaml").write_text("""application_id: shop
sources: [{topic: inc-eu, stream: incident, format: json}, {topic: inc-us, stream: incident, format: json}]
outputs: {recommendations: {topic: advice, format: json}, scorecards: {topic: s, format: json}, dead_letter: {topic: d}}
rules: [r.yaml]
limits: {groups: 500, window_events: 70}
state: {tasks: 3}
""")
    text, facts = explained("-c", "conf.yaml")
    assert "From inc-eu, inc-us, no topic of stream telemetry -> map: match, then fold or forward -> exchange (local)" in text
    assert "one of 3 tasks, state in the changelog shop-changelog -> advice" in text and "With -c" not in text
    assert facts["path"] == {"sources": ["inc-eu", "inc-us"], "exchange": "local", "tasks": 3, "changelog": "shop-changelog", "output": "advice"}
    assert facts["state"]["groups_max"] == 500 and facts["state"]["entries_max"] == 70


def test_rules_that_read_rules(forestall_does, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/r.yaml").write_text(rules() + """- id: above
  from: {d: {stream: detection, match: {rule_id: it}}}
  detect: {window: {size: 30d}, when: count(d) > 1}
""")
    above = json.loads(forestall_does("explain", "above", "--output=json").stdout)
    assert above["levels"] == {"level": 2, "reads": ["it"], "read_by": []}
    assert above["path"]["output"] is None and above["state"]["groups_max"] == 1
    assert json.loads(forestall_does("explain", "it", "--output=json").stdout)["levels"] == {"level": 1, "reads": [], "read_by": ["above"]}
    text = " ".join(forestall_does("explain", "above").stdout.split())
    assert "It looks at detections where rule_id is it (d). Over all of them, over the 30d before each of them, it fires if" in text
    assert "None: the rule makes detections only" in text


def explain_detector(forestall_does, tmp_path, inputs, detect, more={}):
    """The text and the facts of a rule with these inputs and this detector."""
    (tmp_path / "d.yaml").write_text(json.dumps({
        "apiVersion": "forestall.io/v1", "kind": "RuleSet", "topology": {"front": ["cart", "pay"]},
        "rules": [{"id": "it", "from": inputs, "detect": {"group_by": ["service"], **detect}, **more}]}))
    text = forestall_does("explain", "it", "d.yaml").stdout
    return " ".join(text.split()), json.loads(forestall_does("explain", "it", "d.yaml", "--output", "json").stdout)


def test_a_sequence(forestall_does, tmp_path):
    inputs = {"deploy": {"stream": "deployment"}, "undo": {"stream": "deployment", "match": {"status": "rolled_back"}}, "failed": {"stream": "incident"}}
    steps = ["deploy", {"not": ["undo", "failed"]}, {"again": {"of": "failed", "times": "1..3", "optional": True}}]
    text, facts = explain_detector(forestall_does, tmp_path, inputs,
                                   {"type": "sequence", "within": "2h", "max_gap": "30m", "skip": "past_last", "steps": steps})
    assert ("For each service, when these come in order within 2h: deploy, then no undo or failed, then again (of failed, times 1..3, optional true), "
            "it fires.") in text
    assert "From step to step it takes at most 30m. After a match: past_last." in text and "no condition beyond the detector's own" in text
    assert "at most 1,000 partial matches (limits.partial_matches) with 10,000 events" in text
    assert "a row counts once, when it becomes selected" in text
    assert facts["detection"] == {"type": "sequence", "steps": "deploy, then no undo or failed, then again (of failed, times 1..3, optional true)",
                                  "skip": "past_last"}


def test_an_absence(forestall_does, tmp_path):
    beat = {"beat": {"stream": "telemetry", "match": {"name": "heartbeat"}}}
    text, facts = explain_detector(forestall_does, tmp_path, beat, {"type": "absence", "of": "beat", "every": "5m"})
    assert "For each service, when none has come for 5m since the last one, it fires." in text
    assert "evaluated once 5m after its newest one" in text and "A group keeps its newest event, about" in text
    assert facts["detection"] == {"type": "absence", "of": "beat", "every_ms": 300_000}
    assert facts["inputs"]["beat"]["transport"] == "forwarded" and facts["when"] == {"condition": None}


def test_a_cascade(forestall_does, tmp_path):
    failing = {"failing": {"stream": "incident"}}
    recommend = {"recommend": {"category": "architecture", "title": "Decouple {{ root }}", "per": ["root"],
                               "needs": {"detections": 2, "within": "90d"}}}
    text, facts = explain_detector(forestall_does, tmp_path, failing, {"type": "cascade", "of": "failing", "within": "5m", "group_by": []}, recommend)
    assert ("Over all of them, when services that are joined in the topology have some within 5m of the first, it fires if the size of affected "
            "is at least 2.") in text
    assert "It is evaluated once, at first + 5m" in text and "There is one group." in text
    assert "It then recommends, once for each root, after 2 detections within 90d: Decouple {{ root }}." in text and "One for each root, with the id" in text
    assert "at the detection that is at least number 2 within 90d" in text
    assert facts["when"]["condition"] == "size(affected) >= 2" and facts["detection"]["within_ms"] == 300_000
    assert facts["recommendation"]["per"] == ["root"] and facts["recommendation"]["needs"] == {"detections": "2", "within": "90d"}


def test_values_that_are_remembered(forestall_does, tmp_path):
    log = {"log": {"stream": "telemetry", "match": {"kind": "log"}}}
    text, facts = explain_detector(forestall_does, tmp_path, log, {"type": "new_value", "of": "log", "value": "fingerprint(event.message)", "memory": "30d"})
    assert "For each service, when one comes whose value, the pattern of message, was not seen for 30d, it fires." in text
    assert "Nothing is new until the stream has 30d of history (warmup)." in text and "A group keeps the values of the last 30d, at most 10,000" in text
    assert facts["detection"] == {"type": "new_value", "of": "log", "value": "the pattern of message", "memory_ms": 30 * 86_400_000,
                                  "warmup_ms": 30 * 86_400_000}
    deploys = {"d": {"stream": "deployment"}}
    text, facts = explain_detector(forestall_does, tmp_path, deploys, {"type": "revert", "of": "d", "value": "event.version", "memory": "7d"})
    assert "when one comes whose value, version, was seen in the last 7d and had given way to another, it fires." in text
    assert facts["detection"] == {"type": "revert", "of": "d", "value": "version", "memory_ms": 7 * 86_400_000}


def test_looking_back(forestall_does, tmp_path):
    traffic = {"traffic": {"stream": "telemetry", "match": {"name": "requests"}}}
    detect = {"window": {"size": "10m", "slide": "1m"}, "when": "avg(traffic) > 2 * ago(avg(traffic), '1d') || ago(count(traffic) + 1) < 1"}
    text, facts = explain_detector(forestall_does, tmp_path, traffic, detect)
    assert ("it fires if the mean of traffic is more than 2 times the mean of traffic 1d before or (the number of traffic plus 1) in the window "
            "before is less than 1.") in text
    assert "It looks back by 1d (ago). Nothing is evaluated until the streams of what it looks back on have as much history as that." in text
    assert facts["detection"]["look_back_ms"] == 86_400_000 and "warmup_ms" not in facts["detection"]
    assert facts["state"]["panes_max"] == 1 + 10 + 1440
    incidents = {"x": {"stream": "incident"}}
    detect = {"window": {"calendar": "week"}, "warmup": "2d", "when": "count(x) > ago(count(x))"}
    text, facts = explain_detector(forestall_does, tmp_path, incidents, detect)
    assert "it fires if the number of x is more than the number of x in the window before." in text
    assert "It looks back by one window (ago). Nothing is evaluated until the streams of what it looks back on have 2d of history (warmup)." in text
    assert "A group keeps the rows and events of its windows and of those that they look back on one by one" in text
    assert facts["detection"]["warmup_ms"] == 2 * 86_400_000


def test_a_burn_rate(forestall_does, tmp_path):
    inputs = {"errors": {"stream": "telemetry", "match": {"name": "errors"}}, "requests": {"stream": "telemetry", "match": {"name": "requests"}}}
    text, facts = explain_detector(forestall_does, tmp_path, inputs,
                                   {"type": "burn_rate", "bad": "errors", "all": "sum(requests)", "objective": 0.999})
    assert "For each service, by how fast the error budget of 0.1 % burns in pairs of windows, each minute, it fires if burn_factor is known." in text
    assert "1h and 5m at 14.4 times, 6h and 30m at 6 times, 3d and 6h at 1 times the even use of the budget" in text
    assert "A group keeps panes of 1m, at most 4,321" in text and facts["inputs"]["errors"]["transport"] == "folded"
    hour, minute = 3_600_000, 60_000
    assert facts["detection"] == {"type": "burn_rate", "bad": "count(errors)", "all": "sum(requests)", "objective": 0.999, "pairs": [
        {"long_ms": hour, "short_ms": 5 * minute, "factor": 14.4}, {"long_ms": 6 * hour, "short_ms": 30 * minute, "factor": 6},
        {"long_ms": 72 * hour, "short_ms": 6 * hour, "factor": 1}]}
    assert facts["when"]["condition"] == "burn_factor != null"


def test_a_change_of_meaning_changes_the_hash(explained):
    hash_of = lambda **parts: explained(**parts)[1]["meaning"]["hash"]
    assert hash_of() == hash_of(description="Other words") != hash_of(window="{size: 8d}")


def test_no_such_rule(forestall_does, tmp_path):
    (tmp_path / "r.yaml").write_text(rules(id="cart-oom-recurs"))
    assert forestall_does("explain", "cart-oom-recur", "r.yaml", status=1).stderr == (
        "error: there is no rule 'cart-oom-recur'; did you mean 'cart-oom-recurs'?\n")
    assert "the rules are cart-oom-recurs" in forestall_does("explain", "x", "r.yaml", status=1).stderr
    assert "which rule or recommendation?" in forestall_does("explain", status=2).stderr
    assert "text and json" in forestall_does("explain", "x", "--output", "xml", status=2).stderr
    assert "either it or paths" in forestall_does("explain", "x", "r.yaml", "-c", "c.yaml", status=2).stderr
    (tmp_path / "bad.yaml").write_text(rules(when="count(bad"))
    assert "bad.yaml:10:" in forestall_does("explain", "it", "bad.yaml", status=1).stderr


def rule_files():
    return sorted([*(harness.SOURCE / "rules").rglob("*.yaml"), *(harness.SOURCE / "tests/scenario").rglob("*.yaml")])


@pytest.mark.parametrize("path", rule_files(), ids=lambda path: str(path.relative_to(harness.SOURCE)))
def test_every_rule_of_the_project_can_be_explained(forestall_does, path):
    content = yaml.load(path.read_text(), yaml.BaseLoader)
    scores = content.get("kind") == "Scorecard"
    # Rules and the scorecards that they read lie in files of one folder.
    paths = [path.parent] if path.parent.name == "scorecards" else [path]
    for rule in content.get("scorecards" if scores else "rules", []):
        facts = json.loads(forestall_does("explain", rule["id"], *paths, "--output", "json").stdout)
        text = forestall_does("explain", rule["id"], *paths).stdout
        assert facts["detection"]["type"] == rule.get("detect", {}).get("type", "window") and facts["state"]["groups_max"] > 0
        assert all(f"\n{section}\n" in text for section in ("Summary", "Inputs", "Detection", "Scorecard" if scores else "When",
                                                            "State", "Levels", "Path", "Meaning"))


def test_what_a_scorecard_means(forestall_does):
    folder = harness.SOURCE / "tests/scenario/scorecards"
    text = " ".join(forestall_does("explain", "weekly-repair", folder).stdout.split())
    facts = json.loads(forestall_does("explain", "weekly-repair", folder, "--output", "json").stdout)
    assert "For each service, over the last 7d, every 1d, it shows the mean time to resolve." in text
    assert "Each evaluation gives a scorecard. It looks back by 7d, at the window before" in text
    assert "The target is met if the value is less than 15m and (that of the window before is unknown or" in text
    assert "It is read by fewer-incidents, repair-gets-slower, slow-services." in text and "-> forestall.scorecards" in text
    assert facts["scorecard"]["value"] == "mttr" and facts["path"]["output"] == "forestall.scorecards" and "when" not in facts
    reader = json.loads(forestall_does("explain", "repair-gets-slower", folder, "--output", "json").stdout)
    assert reader["levels"] == {"level": 2, "reads": ["weekly-repair"], "read_by": []}
