"""`forestall test`: what it says of tests that fail, its reports, and what of a rule its tests reach."""

import xml.etree.ElementTree

import pytest

RULE = """apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident, match: {severity: [sev1, sev2]}}}
  detect: {group_by: [service], window: {size: 7d}, when: "count(x) >= 2 && (mttr == null || mttr < duration('1d'))"}
  recommend: {category: architecture, title: "Look at {{ group.service }} and everything it depends on", spec: {problem: "{{ count(x) }}"}}
  tests:
"""
PASSES = """  - name: two in a week
    given: {stream: incident, service: cart, severity: sev1, lasts: 25m}
    events: [{at: 0d, repeat: 2, every: 1d}]
    expect: [{at: 1d, group: {service: cart}, recommendation: {occurrences: 2, mttr: 25m, spec: {problem: "2"}}, that: incidents == 2}]
"""


def with_tests(*tests):
    return RULE + "".join(tests)


def expecting(expect, name="it", given="service: cart, severity: sev1, lasts: 25m", events="{at: 0d, repeat: 2, every: 1d}"):
    return f"  - name: {name}\n    given: {{stream: incident, {given}}}\n    events: [{events}]\n    expect: {expect}\n"


@pytest.fixture
def tested(forestall_does, tmp_path):
    """Runs the tests of one file and returns what was printed; there must be a failure iff `status` is 1."""

    def run(*tests, status=1, arguments=()):
        (tmp_path / "r.yaml").write_text(with_tests(*tests))
        return forestall_does("test", "r.yaml", *arguments, status=status).stdout

    return run


def test_a_good_one(tested):
    said = tested(PASSES, status=0)
    assert said == "ok   twice: two in a week\n1 passed, 0 failed (1 of 1 rules have tests)\n"


def test_differences_stand_below_each_other(tested):
    said = tested(expecting('[{at: 1d, recommendation: {occurrences: 3, title: Look at cart and everything it depended on, mttr: 30m, '
                            'first_seen: 1d, spec: {problem: "2", effort: 3d}}, that: "incidents == 3 && size(services) > 4"}]'))
    assert said.startswith("""FAIL twice: it
    r.yaml:12:14: at 1d, {service: cart}
      occurrences  expected 3
                   got      2
      title        expected Look at cart and everything it depended on
                   got      Look at cart and everything it depends on
                                                                 ^
      mttr         expected 30m
                   got      25m
      first_seen   expected 1d
                   got      0s, which is 2024-01-01T00:00:00.000Z
      spec.effort  expected 3d
                   got      null
      that  expected incidents == 3 && size(services) > 4
            got      incidents 2, services ["cart"]
0 passed""")


def test_detections_that_nobody_expects(tested):
    said = tested(expecting("[]"))
    assert """    r.yaml:9: at 1d, a detection of {service: cart} that no `expect` item names
      Look at cart and everything it depends on: occurrences 2, incidents 2, mttr 25m, impact_score 32, priority P3, count(x) 2
""" in said


def test_which_recommendation(tested):
    two = dict(given="severity: sev1", events="{at: 0d, repeat: 2, every: 1d, service: a}, {at: 0d, repeat: 2, every: 1d, service: b}")
    said = tested(expecting("[{at: 1d, recommendation: {occurrences: 2}}]", **two))
    assert "there are 2 recommendations: name one by `group:`: {service: a}, {service: b}" in said
    said = tested(expecting("[{at: 2d, group: {service: c}, recommendation: {occurrences: 2}}]", **two))
    assert "there is no recommendation of {service: c}; there is one of {service: a}, {service: b}" in said
    said = tested(expecting("[{at: 0d, recommendation: {occurrences: 2}}]"))
    assert "      there is no recommendation\n" in said


SCORECARD = """apiVersion: forestall.io/v1
kind: Scorecard
scorecards:
- id: incidents
  from: {x: {stream: incident}}
  group_by: [service]
  window: {size: 1d, slide: 1d}
  value: count(x)
  target: value < 2
  tests:
"""


def test_scorecards(forestall_does, tmp_path):
    two = "{at: 1h, service: cart}, {at: 2h, service: shop}"
    (tmp_path / "s.yaml").write_text(
        SCORECARD + expecting("[{at: 1d, group: {service: cart}, scorecard: {value: 2, target_met: true}, that: value > 1.0}]",
                                        given="severity: sev1", events=two)
                  + expecting("[{at: 1d, scorecard: {value: 1}}, {at: 12h, scorecard: {value: 1}}]", "which", "severity: sev1", two)
                  + expecting("[]", "none", "severity: sev1", "{at: 1h, service: cart}") + "    advance_to: 1d\n")
    said = forestall_does("test", "s.yaml", status=1).stdout.splitlines()
    assert "FAIL incidents: it" in said and "FAIL incidents: which" in said and "FAIL incidents: none" in said
    assert "      value  expected 2" in said and "             got      1" in said
    assert "      that  expected value > 1.0" in said and "            got      value 1" in said
    assert "      there is no scorecard" in said
    assert any(line.startswith("      there are 2 scorecards: name one by `group:`: ") for line in said)
    assert any(line.endswith("a scorecard of {service: cart} where none is expected") for line in said)


def test_filter(forestall_does, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/r.yaml").write_text(with_tests(PASSES))
    (tmp_path / "one/s.yaml").write_text(with_tests(PASSES.replace("two in", "pair in"), expecting("[]")).replace("id: twice", "id: other"))
    for text, tests in (("pair", ["other: pair in a week"]), ("one/r", ["twice: two in a week"]), ("twice", ["twice: two in a week"])):
        said = forestall_does("test", "one", "--filter", text).stdout.splitlines()
        assert said[:-1] == [f"ok   {test}" for test in tests]
    assert "contains 'nothing'" in forestall_does("test", "one", "--filter", "nothing", status=1).stderr


def test_junit(tested, tmp_path):
    named = expecting("[{at: 2d, recommendation: {status: validated}}]", name='"na & <med>"')
    said = tested(PASSES, expecting("[]", name="fails"), named, arguments=("--junit", "report.xml"))
    assert "1 passed, 2 failed" in said
    suites = xml.etree.ElementTree.parse(tmp_path / "report.xml").getroot()
    assert suites.tag == "testsuites" and suites.attrib["tests"] == "3"
    (suite,) = suites
    counts = {name: suite.attrib[name] for name in ("name", "file", "tests", "failures", "errors", "skipped")}
    assert counts == {"name": "twice", "file": "r.yaml", "tests": "3", "failures": "2", "errors": "0", "skipped": "0"}
    good, bad, named = suite
    assert (good.attrib["name"], good.attrib["classname"], good.attrib["file"], good.attrib["line"]) == ("two in a week", "twice", "r.yaml", "9")
    assert float(good.attrib["time"]) >= 0 and len(good) == 0
    (failure,) = bad
    assert failure.tag == "failure" and failure.attrib["message"].startswith("r.yaml:13: at 1d, a detection")
    assert failure.text in said
    assert named.attrib["name"] == "na & <med>" and named[0].tag == "failure"


def test_a_report_that_cannot_be_written(forestall_does, tmp_path):
    (tmp_path / "r.yaml").write_text(with_tests(PASSES))
    done = forestall_does("test", "r.yaml", "--junit", "no/such/folder.xml", status=1)
    assert "error: no/such/folder.xml: No such file or directory" in done.stderr


def test_coverage(tested, forestall_does, tmp_path):
    said = tested(PASSES, status=0, arguments=("--coverage",)).splitlines()
    assert said[2:4] == ["rule   tests  fired  branches", "twice      1      1      7/10"]
    assert said[4:7] == ["r.yaml:6:91: mttr == null || mttr < duration('1d') was never false",
                         "r.yaml:6:83: mttr == null was never true",
                         "r.yaml:6:99: mttr < duration('1d') was never false"]
    assert said[7] == "1 of 1 rules fire in a test; 7 of 10 branches of conditions are seen, 70 %"
    slow = expecting("[]", given="service: cart, severity: sev1, lasts: 2d", events="{at: 0d}, {at: 3d}", name="slow")
    open_ones = expecting("[{at: 1d, recommendation: {mttr: null}}]", given="service: cart, severity: sev1", name="open")
    said = tested(PASSES, slow, open_ones, status=0, arguments=("--coverage",))
    assert "twice      3      2     10/10" in said and "100 %" in said and "never" not in said
    never = expecting("[]", given="service: cart, severity: sev4", name="not severe")
    assert "r.yaml:6:59: 'when' was never evaluated" in tested(never, status=0, arguments=("--coverage",))
    (tmp_path / "s.yaml").write_text(with_tests(PASSES).replace("id: twice", "id: other").split("  tests:")[0])
    said = forestall_does("test", "r.yaml", "s.yaml", "--coverage").stdout
    assert "0 of 2 rules fire" in said and "other      0      0      0/10" in said
    assert "other" not in forestall_does("test", "r.yaml", "s.yaml", "--coverage", "--filter", "severe").stdout
