/* The pieces that the tables of wrong rule files are made of. */
#ifndef FORESTALL_TESTS_RULE_BAD_H
#define FORESTALL_TESTS_RULE_BAD_H

struct bad_case {
    const char *text;
    const char *expected;
};

#define HEAD "apiVersion: forestall.io/v1\nkind: RuleSet\n"
/* A file of one rule: `from` is line 5, `detect` line 6, `rest` begins in line 7. */
#define RULE(from, detect, rest) HEAD "rules:\n- id: r\n  from: " from "\n  detect: " detect "\n" rest
#define IN                       "{x: {stream: incident}}"
#define INCIDENT(more)           "{x: {stream: incident, " more "}}"
#define TELEMETRY                "{x: {stream: telemetry}}"
#define WHEN(when)               "{window: {size: 1d}, when: " when "}"
#define DETECT                   WHEN("count(x) > 1")
#define HOP                      "{window: {size: 10m, slide: 1m}, when: avg(x) > 1}"
#define REC(more)                "  recommend: {category: architecture, title: t" more "}\n"

#endif
