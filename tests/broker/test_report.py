"""What `forestall report`, `recommendations`, `explain` and `replay --diff` make of live topics: the figures are those of
the records, files say the same, and what a changed rule would change is told with an exit status."""

import concurrent.futures
import json
import re
import time

import pytest

import cluster
import harness

HOUR_MS = 3_600_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }} failed {{ count(x) }} times", complexity: low, cooldown: 0s,
              spec: {problem: "{{ incidents }} incidents", solution: Mend it, implementation: [Look, Mend]}}
"""
CARDS = """
apiVersion: forestall.io/v1
kind: Scorecard
scorecards:
- {id: mttr, from: {x: {stream: incident, match: {status: resolved}}}, group_by: [service], window: {size: 2h, slide: 1h}, value: mttr, target: "value < duration('15m')"}
"""
QUICK = {"idle_lag": "300ms", "out_of_orderness": "0s"}


@pytest.fixture(params=["json", "avro"])
def live(request, binary, topics, writer, reader, forestall, forestall_does, write_config, tmp_path):
    """An application that has met two incidents of `ad` and three of `cart`, and has ended; one was accepted."""

    class Live:
        def does(self, *arguments, **options):
            return forestall_does(*arguments, "-c", self.config, **options)

        def records(self):
            """As others read them: the newest of each key."""
            listed = self.does("recommendations", "list", "--all", "--output", "json")
            return {record["recommendation_id"]: record for record in json.loads(listed.stdout)}

        def rules(self, text):
            (tmp_path / "rules" / "twice.yaml").write_text(text)

    self = Live()
    sources = [{"topic": topics.create("incidents"), "stream": "incident", "format": "json", **QUICK},
               {"topic": topics.create("feedback"), "stream": "feedback", "format": "json", **QUICK}]
    outputs = {name: {"topic": topics.name(name), "format": request.param} for name in ("recommendations", "scorecards")}
    self.config = write_config(sources, {"twice.yaml": RULES, "cards.yaml": CARDS}, commit_interval="50ms", outputs=outputs)
    self.before = self.does("report", status=1).stderr
    self.does("topics", "create")
    self.empty = self.does("report").stdout
    now = int(time.time() * 1000)
    for n, service in enumerate(("ad", "cart", "ad", "cart", "cart")):
        begun = now - 24 * HOUR_MS + n * HOUR_MS
        record = {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "RESOLVED", "service": service, "severity": "SEV2", "title": "Down",
                  "occurred_at": begun + HOUR_MS // 2, "started_at": begun, "resolved_at": begun + HOUR_MS // 2}
        writer.json(sources[0]["topic"], record)
    writer.flush()
    run = forestall(self.config)
    harness.wait_until(lambda: sorted(r["occurrences"] for r in self.records().values()) == [2, 3], "both recommendations")
    harness.wait_until(lambda: "Mean time to resolve" in self.does("report").stdout, "scorecards")
    ad = next(key for key, record in self.records().items() if record["services"] == ["ad"])
    self.does("recommendations", "accept", ad, "--comment", "we do it")
    assert run.stop() == 0
    return self


def test_what_is_live_is_told_as_it_is(live, binary, reader, topics, tmp_path):
    assert live.before == f"error: there is no topic {topics.name('recommendations')}: `forestall topics create` makes it\n"
    assert "There is no recommendation yet." in live.empty
    records = live.records()
    cart, ad = sorted(records.values(), key=lambda record: record["services"], reverse=True)
    assert (cart["title"], cart["impact_score"], cart["priority"]) == ("cart failed 3 times", 24, "P2")
    assert (ad["title"], ad["impact_score"], ad["status"]) == ("ad failed 2 times", 16, "accepted")

    text = live.does("report").stdout
    assert "2 recommendations are open: 2 P2. 2 are new since" in text
    assert "What matters most: cart failed 3 times, with an impact score of 24, for cart." in text
    assert re.search(r"\| +2 \| +P2 \| +16 \| ad failed 2 times +\| ad +\| accepted", text)
    assert re.search(r"\| Service +\| Mean time to resolve \|\n.*\n\| ad .*\n\| cart ", text)
    shape = json.loads(live.does("report", "--format", "json").stdout)
    assert [(r["recommendation_id"], r["impact_score"]) for r in shape["recommendations"]] == [
        (cart["recommendation_id"], 24), (ad["recommendation_id"], 16)]
    assert "<title>Prevention review, " in live.does("report", "--format", "html").stdout
    assert live.does("report", "issue", ad["recommendation_id"]).stdout.startswith("# ad failed 2 times\n")
    assert re.search(r"when +count\(x\) >= 2\n.*it was +count\(x\) = 3", live.does("explain", cart["recommendation_id"]).stdout, re.S)

    # The same from a replay's file, of which only `now` and what rose are different.
    live.does("replay", "--out", tmp_path / "out.jsonl", "--scorecards", tmp_path / "cards.jsonl")
    filed = json.loads(live.does("report", "--format", "json", "--file", tmp_path / "out.jsonl", "--scorecards", tmp_path / "cards.jsonl").stdout)
    assert filed["scorecards"] == shape["scorecards"]
    assert [r["recommendation_id"] for r in filed["recommendations"]] == [r["recommendation_id"] for r in shape["recommendations"]]


def test_a_back_test_in_ci(live):
    def diff(*arguments, status):
        done = live.does("replay", "--diff", *arguments, status=status)
        assert "\033" not in done.stdout + done.stderr and "\r" not in done.stderr
        return done.stdout

    assert diff(status=0) == "0 new, 0 gone, 0 changed, 2 the same\n"
    live.rules(RULES.replace("count(x) >= 2", "count(x) >= 3"))
    text = diff(status=1)
    # ad has two; cart's first detection is its third, so it fired once less.
    assert text.endswith("0 new, 1 gone, 1 changed, 0 the same\n")
    assert re.search(r"- gone +P2 16 medium  ad failed 2 times\n", text) and re.search(r"~ changed +P2 24 medium  cart failed 3 times\n", text)
    shape = json.loads(diff("--output", "json", status=1))
    assert [r["title"] for r in shape["gone"]] == ["ad failed 2 times"] and shape["new"] == [] and shape["same"] == 0
    [changed] = shape["changed"]
    assert {"name": "firings", "old": 2, "new": 1} in changed["fields"]
    live.rules(RULES.replace("id: twice", "id: thrice"))
    gone = "2 are of rules that the configuration has no longer, so nothing changes them any more: twice"
    assert gone in live.does("recommendations", "list").stdout and gone in live.does("report").stdout
    live.rules(RULES.replace("count(x) >= 2", "count(y) >= 2"))
    assert gone not in live.does("recommendations", "list").stdout  # with broken rules that is not known
    assert "twice.yaml" in live.does("replay", "--diff", status=2).stderr


def test_nobody_answers(forestall_does, write_config, topics):
    [port] = cluster.free_ports(1)
    config = write_config([{"topic": "incidents", "stream": "incident", "format": "json"}], {"twice.yaml": RULES},
                          kafka={"bootstrap.servers": f"127.0.0.1:{port}"})
    commands = (["report"], ["recommendations", "list"], ["explain", "twice:0"], ["topics", "list"], ["replay", "--diff"])
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda command: forestall_does(*command, "-c", config, status=2 if command[0] == "replay" else 1), commands))
    assert time.monotonic() - begun < 25
    for each in said:
        assert each.stdout == "" and re.fullmatch(r"error: no broker answers, .* Connection refused\n", each.stderr), each.stderr
