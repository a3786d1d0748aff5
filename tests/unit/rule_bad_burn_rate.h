/* Rules of type burn_rate that are wrong, each with all that is said of it. */
#ifndef FORESTALL_TESTS_RULE_BAD_BURN_RATE_H
#define FORESTALL_TESTS_RULE_BAD_BURN_RATE_H

#include "rule_bad.h"

#define BURN_IN       "{b: {stream: telemetry}, x: {stream: telemetry}}"
#define BURN(more)    RULE(BURN_IN, "{type: burn_rate, bad: b, all: x, objective: 0.99" more "}", "")
#define SIDES(sides)  RULE(BURN_IN, "{type: burn_rate, objective: 0.99, " sides "}", "")
#define OBJECTIVE(to) RULE(BURN_IN, "{type: burn_rate, bad: b, all: x, objective: " to "}", "")
#define BURN_PAIR(of) BURN(", pairs: [" of "]")

static const struct bad_case bad_burn_rate[] = {
    {BURN(""), ""},
    {RULE(BURN_IN, "{type: burn_rate}", ""), "6:11: error: detect has no 'all'\n"
                                             "6:11: error: detect has no 'bad'\n"
                                             "6:11: error: detect has no 'objective'\n"},
    {BURN(", window: {size: 1d}"),
     "6:62: error: unknown key 'window' in detect; known are type, group_by, when, bad, all, objective or pairs\n"},
    {SIDES("bad: y, all: x"), "6:51: error: unknown input 'y' in 'bad'; inputs are b or x\n"},
    {SIDES("bad: [b], all: x"), "6:51: error: bad must be text, not a list\n"},
    {SIDES("bad: count(b), all: sum(x)"), ""},
    {SIDES("bad: 'sum(b, event.value * 2.0)', all: 'distinct(x, event.name)'"), ""},
    {SIDES("bad: sum(y), all: x"), "6:55: error: unknown input 'y' in sum(); inputs are b or x\n"},
    {SIDES("bad: count(b) + 1.0, all: x"),
     "6:51: error: bad is an input, whose events count, or one function over an input, such as sum(requests)\n"},
    {SIDES("bad: 'share(b, x, event.name)', all: x"),
     "6:51: error: bad is an input, whose events count, or one function over an input, such as sum(requests)\n"},
    {SIDES("bad: ago(sum(b)), all: x"), "6:51: error: ago() is of detector 'window'\n"},
    {SIDES("bad: burn_long, all: events"), "6:51: error: unknown input 'burn_long' in 'bad'; inputs are b or x\n"
                                           "6:67: error: unknown input 'events' in 'all'; inputs are b or x\n"},
    {SIDES("bad: summ(b), all: x"), "6:51: error: unknown function summ(); did you mean 'sum'?\n"},
    {SIDES("bad: event.value, all: x"),
     "6:51: error: there is no one event here; write a function over an input, such as max(INPUT, event.value)\n"},
    {SIDES("bad: x, all: count(x)"), "6:59: error: 'all' is the same as 'bad', so all would always be bad\n"},
    {OBJECTIVE("high"), "6:56: error: objective must be a number, not 'high'\n"},
    {OBJECTIVE("99.9%"), "6:56: error: objective must be a number, not '99.9%'\n"},
    {OBJECTIVE("99.9"),
     "6:56: error: objective is the share that is to be good, more than 0 and less than 1; write 0.999 for 99.9 %\n"},
    {OBJECTIVE("1"),
     "6:56: error: objective is the share that is to be good, more than 0 and less than 1; write 0.999 for 99.9 %\n"},
    {OBJECTIVE("0"),
     "6:56: error: objective is the share that is to be good, more than 0 and less than 1; write 0.999 for 99.9 %\n"},
    {OBJECTIVE("-5"),
     "6:56: error: objective is the share that is to be good, more than 0 and less than 1; write 0.999 for 99.9 %\n"},
    {OBJECTIVE("0.9999999999999999"),
     "6:56: error: objective is the share that is to be good, more than 0 and less than 1; write 0.999 for 99.9 %\n"},
    {BURN(", pairs: {long: 1h}"), "6:69: error: pairs must be a list, not a mapping\n"},
    {BURN(", pairs: []"), "6:69: error: a burn rate has from 1 to 8 pairs, not 0\n"},
    {BURN_PAIR("a, b, c, d, e, f, g, h, i"), "6:69: error: a burn rate has from 1 to 8 pairs, not 9\n"},
    {BURN_PAIR("1h"), "6:70: error: a pair must be a mapping, not a scalar\n"},
    {BURN_PAIR("{}"), "6:70: error: a pair has no 'factor'\n"
                      "6:70: error: a pair has no 'long'\n"
                      "6:70: error: a pair has no 'short'\n"},
    {BURN_PAIR("{long: 1h, short: 5m, rate: 14.4}"),
     "6:70: error: a pair has no 'factor'\n"
     "6:92: error: unknown key 'rate' in a pair; known are long, short or factor\n"},
    {BURN_PAIR("{long: 1h, short: 5m, factor: fast}"), "6:100: error: factor must be a number, not 'fast'\n"},
    {BURN_PAIR("{long: 1h, short: 5m, factor: 0}"),
     "6:100: error: factor must be more than 0; at 1 the budget is used up just in time\n"},
    {BURN_PAIR("{long: 5m, short: 5m, factor: 2}"), "6:88: error: short must be less than long\n"},
    {BURN_PAIR("{long: 90s, short: 1m, factor: 2}"), "6:77: error: long must be whole minutes, from 1m to 30d\n"},
    {BURN_PAIR("{long: 31d, short: 0s, factor: 2}"), "6:77: error: long must be whole minutes, from 1m to 30d\n"
                                                     "6:89: error: short must be whole minutes, from 1m to 30d\n"},
    {BURN_PAIR("{long: 30d, short: 1m, factor: 2}, {long: hour, short: 1m, factor: 2}"),
     "6:112: error: long: 'hour' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {BURN(", when: burn_fast > 2.0"), "6:68: error: unknown name burn_fast; did you mean burn_factor?\n"},
    {BURN(", when: sum(b) > 2.0"), "6:68: error: sum() is of detector 'window'; 'burn_rate' has outputs of its own\n"},
    {RULE("{b: {stream: incident}, x: {stream: telemetry}}", "{type: burn_rate, bad: sum(b), all: x, objective: 0.9}",
          ""),
     "6:34: error: stream 'incident' has no value; write sum(b, event.FIELD)\n"},
    {RULE("{b: {stream: telemetry}, x: {stream: telemetry}, y: {stream: incident}}",
          "{type: burn_rate, bad: b, all: x, objective: 0.9}", ""),
     "5:61: error: input 'y' is used nowhere; name it in 'when', a template or a measure, or leave it out\n"},
};

#endif
