/* Calls of ago() that are wrong, each with all that is said of it. */
#ifndef FORESTALL_TESTS_RULE_BAD_AGO_H
#define FORESTALL_TESTS_RULE_BAD_AGO_H

#include "rule_bad.h"

static const struct bad_case bad_ago[] = {
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '24h') && ago(events) > 0.0\"}",
          ""),
     ""},
    {RULE(TELEMETRY, "{window: {size: 10m}, when: \"avg(x) > ago(avg(x), '1d')\"}", ""),
     "6:49: error: a sliding window has none before it; for ago() write a slide, as in {size: 10m, slide: 1m}\n"},
    {RULE(TELEMETRY, "{window: {gap: 10m}, when: \"avg(x) > ago(avg(x), '1d')\"}", ""),
     "6:48: error: a session has none before it; ago() is for windows with a slide or a calendar\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(ago(avg(x), '1d'), '1d')\"}", ""),
     "6:64: error: an ago() holds no other; write the whole span into one\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '90s')\"}", ""),
     "6:72: error: '1m 30s' is no multiple of the window's slide, 1m, so no window lies there\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '0s')\"}", ""),
     "6:72: error: ago() looks back by more than 0s and at most 3660d\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '4000d')\"}", ""),
     "6:72: error: ago() looks back by more than 0s and at most 3660d\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '70d')\"}", ""),
     "6:72: error: to look back by 70d takes 100810 panes of 1m, of which at most 100000 are kept; take a slide that "
     "shares a larger divisor with size\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), 'soon')\"}", ""),
     "6:72: error: 'soon' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), duration('1d'))\"}", ""),
     "6:72: error: how much earlier is a text such as '7d'\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago()\"}", ""),
     "6:60: error: ago() takes an expression and how much earlier, as in ago(avg(latency), '7d')\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '1d', '2d')\"}", ""),
     "6:60: error: ago() takes an expression and how much earlier, as in ago(avg(latency), '7d')\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(5, '1d')\"}", ""),
     "6:64: error: this is the same in every window; ago() takes an expression over functions and outputs, such as "
     "avg(latency)\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(x, '1d')\"}", ""),
     "6:64: error: 'x' is an input; write count(x)\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(y), '1d')\"}", ""),
     "6:64: error: unknown input 'y' in avg(); inputs are x\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: \"avg(x) > agos(avg(x), '1d')\"}", ""),
     "6:60: error: unknown function agos(); did you mean 'ago'?\n"},
    {RULE(TELEMETRY, "{window: {calendar: day}, when: \"avg(x) > ago(avg(x), '1d')\"}", ""),
     "6:65: error: in a calendar ago() is the window before; leave the span out\n"},
    {RULE(TELEMETRY,
          "{window: {size: 10m, slide: 1m}, when: \"avg(x) > ago(avg(x), '1d') + ago(avg(x), '2d') + ago(avg(x), '3d') "
          "+ ago(avg(x), '4d') + ago(avg(x), '5d')\"}",
          ""),
     "6:140: error: a rule looks back by at most 4 different spans\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 20m}, when: \"avg(x) > ago(avg(x), '1d')\"}", ""),
     "6:39: error: slide must not be more than size, or events would fall between windows\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, warmup: 1d, when: avg(x) > 1}", ""),
     "6:52: error: warmup is for ago(), and there is none; leave it out\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, warmup: 4000d, when: avg(x) > ago(avg(x))}", ""),
     "6:52: error: warmup is at most 3660d\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, warmup: soon, when: avg(x) > ago(avg(x))}", ""),
     "6:52: error: warmup: 'soon' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {RULE(IN, "{window: {size: 100d, slide: 1d}, when: \"count(x) > ago(count(x), '101d')\"}", ""),
     "6:27: error: a window over incidents, with what ago() looks back on, is at most 200d, for which their rows are "
     "kept (state.row_retention)\n"},
    {RULE(IN, "{type: absence, of: x, every: 1d, when: ago(events) > 1}", ""),
     "6:51: error: ago() is of detector 'window'; 'absence' has outputs of its own\n"},
    {RULE(TELEMETRY,
          "{type: trend, of: x, window: {size: 2d, slide: 1h}, limit: 5, horizon: 1d, when: ago(current) > 1}", ""),
     "6:92: error: ago() is of detector 'window'; 'trend' has outputs of its own\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: avg(x) > 1}",
          "  validate: {measures: {m: {value: ago(avg(x)), met: after < before}}}\n  recommend: {category: "
          "architecture, title: t}\n"),
     "7:36: error: a measure compares before and after; ago() belongs in 'when'\n"},
    {RULE("{x: {stream: telemetry, where: ago(event.value) > 1}}", "{window: {size: 10m, slide: 1m}, when: avg(x) > 1}",
          ""),
     "5:40: error: an input sees one event; ago() belongs in 'when' or a template\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: ago(service) > 1}", ""),
     "6:54: error: unknown name service; did you mean services?\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: ago(services) > 1}", ""),
     "6:64: error: list > int: there is no such operation\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: ago(group) != 1}", ""),
     "6:54: error: this is the same in every window; ago() takes an expression over functions and outputs, such as "
     "avg(latency)\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 3m}, when: \"avg(x) > ago(avg(x))\"}", ""),
     "6:60: error: '10m' is no multiple of the window's slide, 3m, so no window lies there\n"},
    {HEAD "rules:\n- id: r\n  from: " TELEMETRY
          "\n  recommend: {category: architecture, title: \"{{ ago(count(x), '1d') "
          "}}\"}\n",
     "4:3: error: a rule has no 'detect'\n"},
    {RULE(TELEMETRY, "{window: {size: 1h, slide: 0s}, when: count(x) > 1}",
          "  recommend: {category: architecture, title: \"{{ ago(count(x)) }}\"}\n"),
     "6:38: error: slide must be more than 0s\n"},
};

#endif
