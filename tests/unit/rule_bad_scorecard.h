/* Scorecards that are wrong, each with all that is said of it. */
#ifndef FORESTALL_TESTS_RULE_BAD_SCORECARD_H
#define FORESTALL_TESTS_RULE_BAD_SCORECARD_H

#include "rule_bad.h"

#define SCORECARDS "apiVersion: forestall.io/v1\nkind: Scorecard\n"
/* A file of one scorecard: `from` is line 5, `window` line 6, `value` line 7, `rest` begins in line 8. */
#define SCORECARD(from, window, value, rest)                                                                           \
    SCORECARDS "scorecards:\n- id: c\n  from: " from "\n  window: " window "\n  value: " value "\n" rest
#define DAILY "{size: 10d, slide: 1d}"

static const struct bad_case bad_scorecard[] = {
    {SCORECARDS "scorecards: []\n", ""},
    {SCORECARD(IN, DAILY, "count(x)", "  target: value < 3 && (change == null || previous > 1)\n"), ""},
    {SCORECARD(IN, "{calendar: month}", "mttr", "  target: value < duration('2m')\n"), ""},
    {SCORECARDS "rules: []\ntopology: {}\n", "3:8: error: 'rules' belongs into a file of kind 'RuleSet'\n"
                                             "4:11: error: 'topology' belongs into a file of kind 'RuleSet'\n"},
    {HEAD "scorecards: []\n", "3:13: error: 'scorecards' belongs into a file of kind 'Scorecard'\n"},
    {SCORECARDS "scorecards:\n- {}\n", "4:3: error: a scorecard has no 'from'\n"
                                       "4:3: error: a scorecard has no 'id'\n"
                                       "4:3: error: a scorecard has no 'value'\n"
                                       "4:3: error: a scorecard has no 'window'\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  targets: value < 3\n"),
     "8:3: error: unknown key 'targets' in a scorecard; did you mean 'target'?\n"},
    {SCORECARD(IN, "{size: 10d}", "count(x)", ""),
     "6:11: error: a scorecard is made at the end of a window; write a slide, as in {size: 90d, slide: 1d}, or a "
     "calendar, as in {calendar: month}\n"},
    {SCORECARD(IN, "{gap: 1h}", "count(x)", ""),
     "6:11: error: a scorecard is made at the end of a window; write a slide, as in {size: 90d, slide: 1d}, or a "
     "calendar, as in {calendar: month}\n"},
    {SCORECARD(IN, "{size: 10d, slide: 3d}", "count(x)", ""),
     "6:11: error: '10d' is no multiple of the window's slide, 3d, so no window lies there\n"},
    {SCORECARD(IN, "{size: 150d, slide: 1d}", "count(x)", ""),
     "6:18: error: a window over incidents, with the one before it, is at most 200d, for which their rows are kept "
     "(state.row_retention)\n"},
    {SCORECARD(IN, DAILY, "count(x) - ago(count(x))", ""),
     "7:21: error: a scorecard has the window before as 'previous'; leave ago() out\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  target: value < ago(value)\n"),
     "8:19: error: a target sees the window before as 'previous'; leave ago() out\n"},
    {SCORECARD(IN, DAILY, "services", "  target: previous\n"),
     "7:10: error: a scorecard's value is a number or a duration, not a list\n"},
    {SCORECARD(IN, DAILY, "1.5", ""), "7:10: error: this is the same in every window; take a function or an output, "
                                      "such as count(INPUT) or mttr\n"},
    {SCORECARD("{x: {stream: incident}, y: {stream: deployment}}", DAILY, "count(x)", ""),
     "5:36: error: input 'y' is used nowhere; name it in 'value', or leave it out\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  target: count(x) < 3\n"),
     "8:11: error: a target sees value, previous and change; count() belongs in 'value'\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  target: 'true'\n"),
     "8:11: error: a target is about value, previous or change, as in \"value < duration('15m')\" or \"change <= "
     "-0.2\"\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  target: value < duration('2m')\n"),
     "8:17: error: double < duration: there is no such operation\n"},
    {SCORECARD(IN, DAILY, "count(x)", "  target: valu < 3\n"), "8:11: error: unknown name valu; did you mean value?\n"},
    {SCORECARD(IN, DAILY, "count(x)", "- id: c\n  from: " IN "\n  window: {calendar: day}\n  value: count(x)\n"),
     "8:7: error: duplicate scorecard id 'c', first in rules.yaml:4\n"},
    {SCORECARD("{x: {stream: scorecard, match: {id: c}}}", DAILY, "count(x)", ""),
     "5:9: error: the scorecard 'c' reads itself\n"},
    {SCORECARD("{x: {stream: scorecard, match: {id: d}}}", DAILY, "count(x)", ""),
     "5:10: error: there is no scorecard 'd' that 'x' could read\n"},
    {SCORECARD("{x: {stream: scorecard, match: {id: d}}}", DAILY, "count(x)",
               "- id: d\n  from: {x: {stream: scorecard, match: {id: c}}}\n  window: {calendar: day}\n  value: "
               "count(x)\n"),
     "9:9: error: 'd' and 'c' read each other, or a chain is over 64 long\n"},
    {SCORECARD("{x: {stream: detection, match: {rule_id: c}}}", DAILY, "count(x)", ""),
     "5:10: error: 'c' is a scorecard; read it by {stream: scorecard, match: {id: c}}\n"},
    {RULE("{x: {stream: scorecard, match: {id: r}}}", DETECT, ""),
     "5:10: error: 'r' is a rule; read it by {stream: detection, match: {rule_id: r}}\n"},
    {RULE("{x: {stream: scorecard, match: {target_met: never}}}", DETECT, ""),
     "5:53: error: target_met must be true or false, not 'never'\n"},
    {SCORECARD(IN, DAILY, "count(x)",
               "  tests:\n  - {name: n, events: [{at: 0d, feedback: accept}], expect: [{at: 1d, recommendation: {}}, "
               "{at: 1d}, {at: 2d, scorecard: {values: 1}}]}\n"),
     "9:24: error: a scorecard takes no feedback\n"
     "9:87: error: a scorecard makes no recommendation; expect a 'scorecard'\n"
     "9:92: error: an expectation has a 'scorecard' or a 'that'\n"
     "9:123: error: unknown key 'values' in scorecard; did you mean 'value'?\n"},
    {RULE(IN, DETECT,
          REC("") "  tests:\n  - {name: n, events: [{at: 0d, stream: incident}], expect: [{at: 1d, scorecard: {}}]}\n"),
     "9:82: error: a rule makes no scorecard; expect a 'recommendation'\n"},
};

#endif
