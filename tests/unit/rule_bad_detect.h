/* Rule files that are wrong in their head, inputs or detector, each with all that is said of it: `line:column: kind:
 * message` lines. */
#ifndef FORESTALL_TESTS_RULE_BAD_DETECT_H
#define FORESTALL_TESTS_RULE_BAD_DETECT_H

#include "rule_bad.h"

#define TWO_IN     "{d: {stream: deployment}, x: {stream: incident}}"
#define SHARE_ARGS "share() takes two inputs and a key: share(OVER, OF, event.FIELD)\n"
#define CALENDAR   "{calendar: week, timezone: Europe/Berlin, wait: 0s}"

static const struct bad_case bad_detect[] = {
    /* the file */
    {"", "1:1: error: this file is empty; a rule file begins with 'apiVersion: forestall.io/v1' and 'kind: RuleSet'\n"},
    {"kind: RuleSet\n", "1:1: error: a rule file has no 'apiVersion'\n"},
    {"apiVersion: v2\nkind: RuleSet\n", "1:13: error: unknown apiVersion 'v2'; this version reads 'forestall.io/v1'\n"},
    {"apiVersion: forestall.io/v1\nkind: Rules\n",
     "2:7: error: unknown kind 'Rules'; this version reads 'RuleSet' and 'Scorecard'\n"},
    {"- a\n", "1:1: error: a rule file must be a mapping, not a list\n"},
    {HEAD "rule: []\n", "3:1: error: unknown key 'rule' in a rule file; did you mean 'rules'?\n"},
    {HEAD "rules: {}\n", "3:8: error: rules must be a list, not a mapping\n"},
    {HEAD "rules: [1]\n", "3:9: error: a rule must be a mapping, not a scalar\n"},
    {HEAD "rules:\n- {}\n", "4:3: error: a rule has no 'detect'\n"
                            "4:3: error: a rule has no 'from'\n"
                            "4:3: error: a rule has no 'id'\n"},
    {HEAD "metadata: {name: A b}\n",
     "3:18: error: metadata.name 'A b' must be lower-case letters, digits and hyphens, at most 100 of them\n"},
    {HEAD "metadata: {nam: a}\n", "3:12: error: unknown key 'nam' in metadata; did you mean 'name'?\n"},
    {HEAD "topology: {a: [a]}\n", "3:16: error: 'a' calls itself\n"},
    {HEAD "topology: {a: [b, b]}\n", "3:19: error: 'b' is listed twice\n"},
    {HEAD "topology: {a: b}\n", "3:15: error: the services that a service calls must be a list, not a scalar\n"},
    {HEAD "lists: {count: [a], event: [a]}\n",
     "3:21: error: 'event' has a meaning of its own in expressions; name the list otherwise\n"},
    {HEAD "lists: {a: b}\n", "3:12: error: each of lists must be a list, not a scalar\n"},
    {HEAD "lists: {a: [x]}\nmacros: {a: '1'}\n", "4:10: error: 'a' is a list of this file too\n"},
    {HEAD "macros: {a-b: '1'}\n", "3:10: error: 'a-b' is no name for a macro; take letters, digits and _\n"},
    {HEAD "macros: {a: [1]}\n", "3:13: error: a macro must be text, not a list\n"},
    {HEAD "overrides: {r: {id: s}}\n", "3:21: error: an override does not change a rule's id\n"},
    {HEAD "overrides: {q: {description: d}}\n", "3:13: error: there is no rule 'q' to override\n"},
    {HEAD "overrides: {lists: {l: [a]}}\n", "3:21: error: no file has a list 'l' to override\n"},
    {HEAD "overrides: {s: {description: d}}\nrules: []\n", "3:13: error: there is no rule 's' to override\n"},
    /* a rule */
    {HEAD "rules:\n- id: R_1\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n",
     "4:7: error: a rule's id 'R_1' must be lower-case letters, digits and hyphens, at most 100 of them\n"},
    {HEAD "rules:\n- ids: r\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n",
     "4:3: error: unknown key 'ids' in a rule; did you mean 'id'?\n"},
    {HEAD "rules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n- id: "
          "r\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n",
     "7:7: error: duplicate rule id 'r', first in rules.yaml:4\n"},
    {RULE(IN, DETECT, "  recommends: {category: architecture, titel: t, sevrity: sev9}\n"),
     "7:3: error: unknown key 'recommends' in a rule; did you mean 'recommend'?\n"
     "7:40: error: unknown key 'titel' in recommend; did you mean 'title'?\n"
     "7:50: error: unknown key 'sevrity' in recommend; did you mean 'severity'?\n"
     "7:59: error: unknown severity 'sev9'; did you mean 'sev1'?\n"},
    /* A misspelt name is one mistake: what hangs on it is read by the right one. */
    {HEAD "rule:\n- id: r\n  fron: " IN "\n  detecht: {typ: absence, off: x, evry: 1h}\n",
     "3:1: error: unknown key 'rule' in a rule file; did you mean 'rules'?\n"
     "5:3: error: unknown key 'fron' in a rule; did you mean 'from'?\n"
     "6:3: error: unknown key 'detecht' in a rule; did you mean 'detect'?\n"
     "6:13: error: unknown key 'typ' in detect; did you mean 'type'?\n"
     "6:27: error: unknown key 'off' in detect; did you mean 'of'?\n"
     "6:35: error: unknown key 'evry' in detect; did you mean 'every'?\n"},
    {HEAD "Rules:\n- ID: r\n  from: {x: {stream: Incident}}\n  detect: " DETECT "\n" REC(", severity: SEV2"),
     "3:1: error: unknown key 'Rules' in a rule file; did you mean 'rules'?\n"
     "4:3: error: unknown key 'ID' in a rule; did you mean 'id'?\n"
     "5:22: error: unknown stream 'Incident'; did you mean 'incident'?\n"
     "7:59: error: unknown severity 'SEV2'; did you mean 'sev2'?\n"},
    {RULE("{stream: incident, match: {service: s}}", DETECT, ""),
     "5:9: error: an input has a name: write {NAME: {stream: incident, ...}}\n"},
    {RULE(IN, "{group: [service], window: {size: 1d}, when: \"count(x) > 1 && group.service != 'a'\"}", ""),
     "6:12: error: unknown key 'group' in detect; did you mean 'group_by'?\n"},
    {RULE("{x: {stream: incident}, y: {stream: telemetry}}",
          "{group_by: [servic, root_cause], window: {size: 1d, slide: 1h}, when: count(x) > count(y)}",
          REC(", per: [service], services: [\"{{ group.service }}\"]")),
     "6:23: error: stream 'incident' has no field 'servic'; did you mean 'service'?\n"
     "6:31: error: stream 'telemetry' has no field 'root_cause'; its fields are event_id, kind, service, environment, "
     "name, value, unit, level, message, occurred_at or labels\n"},
    {RULE(IN, "{window: {size:1d}, when: count(x) > 1}", ""),
     "6:21: error: 'size:1d' is a key without a value; write 'size: 1d'\n"},
    {RULE(IN, "{window: {size 1d}, when: count(x) > 1}", ""),
     "6:21: error: 'size 1d' is a key without a value; write 'size: 1d'\n"},
    {RULE(IN, "{window: {size: 1d, sizes: 2d}, when: count(x) > 1}", ""),
     "6:31: error: unknown key 'sizes' in window; did you mean 'size'?\n"},
    {HEAD "lists: {p: a}\nmacros: {m: event.service in p}\nrules:\n- id: r\n  from: " INCIDENT(
         "where: m") "\n"
                     "  detect: " DETECT "\n",
     "3:12: error: each of lists must be a list, not a scalar\n"},
    {HEAD "lists: {p: [a]}\nmacros: {p: a, m: event.service in p}\nrules:\n- id: r\n  from: " INCIDENT(
         "where: m") "\n"
                     "  detect: " DETECT "\n",
     "4:10: error: 'p' is a list of this file too\n"},
    {RULE(IN, DETECT, "  description: ''\n"), "7:16: error: description must be text, not empty\n"},
    {HEAD "rules:\n- id: r\n  detect: {window: {size: 1d}, when: count(x) > 1}\n",
     "4:3: error: a rule has no 'from'\n"},
    {HEAD "rules:\n- id: r\n  from: {x: {stream: incident}}\n", "4:3: error: a rule has no 'detect'\n"},
    /* from */
    {RULE("[]", DETECT, ""), "5:9: error: from must be a mapping, not a list\n"},
    {RULE("{}", DETECT, ""), "5:9: error: a rule has from 1 to 16 inputs, not 0\n"},
    {RULE("{x: incident}", DETECT, ""), "5:13: error: an input must be a mapping, not a scalar\n"},
    {RULE("{x: {}}", DETECT, ""), "5:13: error: an input has no 'stream'\n"},
    {RULE("{x: {stream: incidents}}", DETECT, ""),
     "5:22: error: unknown stream 'incidents'; did you mean 'incident'?\n"},
    {RULE("{x: {stream: feedback}}", DETECT, ""),
     "5:22: error: unknown stream 'feedback'; known are incident, deployment, telemetry, detection or scorecard\n"},
    {RULE("{x: {stream: detection, match: {rule_id: r}}}", DETECT, ""),
     "5:9: error: the rule 'r' reads its own detections\n"},
    {RULE("{x: {stream: detection, match: {rule_id: nobody}}}", DETECT, ""),
     "5:10: error: there is no rule 'nobody' whose detections 'x' could read\n"},
    {RULE(INCIDENT("matches: {}"), DETECT, ""),
     "5:32: error: unknown key 'matches' in an input; did you mean 'match'?\n"},
    {RULE("{x: {stream: incident}, y: {stream: incident}}", DETECT, ""),
     "5:36: error: input 'y' is used nowhere; name it in 'when', a template or a measure, or leave it out\n"},
    {RULE("{count-x: {stream: incident}, x: {stream: incident}}", WHEN("incidents > 1"), ""),
     "5:10: error: 'count-x' is no name for an input; take letters, digits and _, a letter first\n"},
    {RULE("{incidents: {stream: incident}}", WHEN("count(incidents) > 1"), ""),
     "5:10: error: 'incidents' has a meaning of its own in expressions; name the input otherwise\n"},
    {RULE(INCIDENT("updates: yes"), DETECT, ""), "5:41: error: updates must be true or false, not 'yes'\n"},
    {RULE("{x: {stream: telemetry, updates: true}}", HOP, ""),
     "5:42: error: stream 'telemetry' has no rows, so it has no updates of them\n"},
    {HEAD "lists: {x: [a]}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: "
          "count(x) > 1}\n",
     "6:10: error: 'x' is a list of this file too; name the input otherwise\n"},
    /* match */
    {RULE(INCIDENT("match: {servce: a}"), DETECT, ""),
     "5:40: error: stream 'incident' has no field 'servce'; did you mean 'service'?\n"},
    {RULE(INCIDENT("match: {severity: sev9}"), DETECT, ""),
     "5:50: error: unknown severity 'sev9'; known are sev1, sev2, sev3, sev4 or sev5\n"},
    {RULE(INCIDENT("match: {severity: [sev1, bad, SEV2]}"), DETECT, ""),
     "5:57: error: unknown severity 'bad'; known are sev1, sev2, sev3, sev4 or sev5\n"},
    {RULE(INCIDENT("match: {service: []}"), DETECT, ""),
     "5:49: error: 'service' must be a value or a list of values, not an empty list, which nothing matches\n"},
    {RULE(INCIDENT("match: {service: {a: b}}"), DETECT, ""),
     "5:49: error: 'service' must be a value or a list of values, not a mapping\n"},
    {RULE(INCIDENT("match: {labels: a}"), DETECT, ""),
     "5:48: error: 'labels' is a map; match compares single values, so write where: \"event.labels['key'] == 'x'\"\n"},
    {RULE(INCIDENT("match: {code_refs: a}"), DETECT, ""),
     "5:51: error: 'code_refs' is a list; match compares single values, so write where: \"'x' in event.code_refs\"\n"},
    {RULE(INCIDENT("match: {service: null}"), DETECT, ""), "5:49: error: 'service' is never null\n"},
    {RULE(INCIDENT("match: {opened_at: yesterday}"), DETECT, ""),
     "5:51: error: 'yesterday' is no time; write one such as 2024-05-06T07:08:09Z\n"},
    {RULE(INCIDENT("match: {ttr: 5 minutes}"), DETECT, ""),
     "5:45: error: ttr: '5 minutes' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {RULE(INCIDENT("match: {reopened: many}"), DETECT, ""),
     "5:50: error: reopened must be a whole number, not 'many'\n"},
    {RULE("{x: {stream: telemetry, match: {value: high}}}", HOP, ""),
     "5:48: error: value must be a number, not 'high'\n"},
    {RULE(INCIDENT("match: []"), DETECT, ""), "5:39: error: match must be a mapping, not a list\n"},
    {RULE(INCIDENT("updates: true, match: {reopened: 1}"), DETECT, ""),
     "5:55: error: 'reopened' is a row's; an input with updates: true reads records\n"},
    {RULE(INCIDENT("match: {kind: log}"), DETECT, ""),
     "5:40: error: stream 'incident' has no field 'kind'; its fields are event_id, incident_id, status, occurred_at, "
     "service, environment, severity, title, root_cause, component, started_at, detected_at, acknowledged_at, "
     "resolved_at, detected_by, deployment_id, code_refs, labels, opened_at, updated_at, worst_severity, reopened, ttd "
     "or ttr\n"},
    /* where */
    {RULE(INCIDENT("where: event.servce == 'a'"), DETECT, ""),
     "5:45: error: the stream incident has no field servce; did you mean service?\n"},
    {RULE(INCIDENT("where: \"event.severity == 'sev9'\""), DETECT, ""),
     "5:58: error: 'sev9' is never the field's value; it is one of 'sev1', 'sev2', 'sev3', 'sev4', 'sev5'\n"},
    {RULE(INCIDENT("where: evnt.service == 'a'"), DETECT, ""), "5:39: error: unknown name evnt; did you mean event?\n"},
    {RULE(INCIDENT("where: event.service"), DETECT, ""), "5:45: error: a bool is wanted; this is a string\n"},
    {RULE(INCIDENT("where: 'false'"), DETECT, ""), "5:39: error: this is never true, so the input selects nothing\n"},
    {RULE(INCIDENT("where: count(x) > 1"), DETECT, ""),
     "5:39: error: an input sees one event; count() belongs in 'when' or a template\n"},
    {RULE(INCIDENT("where: x.service == 'a'"), DETECT, ""),
     "5:39: error: 'x' is an input; here one of its events is 'event'\n"},
    {RULE(INCIDENT("where: [a]"), DETECT, ""), "5:39: error: where must be text, not a list\n"},
    {RULE(INCIDENT("where: event.service == "), DETECT, ""), "5:55: error: an expression is missing at the end\n"},
    {RULE(INCIDENT("updates: true, where: event.reopened > 1"), DETECT, ""),
     "5:54: error: 'reopened' is a row's; an input with updates: true reads records\n"},
    /* group_by */
    {RULE(IN, "{group_by: service, window: {size: 1d}, when: count(x) > 1}", ""),
     "6:22: error: group_by must be a list of fields or a map of names to expressions\n"},
    {RULE(IN, "{group_by: [servce], window: {size: 1d}, when: count(x) > 1}", ""),
     "6:23: error: stream 'incident' has no field 'servce'; did you mean 'service'?\n"},
    {RULE(IN, "{group_by: [service, service], window: {size: 1d}, when: count(x) > 1}", ""),
     "6:32: error: 'service' is in group_by twice\n"},
    {RULE(IN, "{group_by: [labels], window: {size: 1d}, when: count(x) > 1}", ""),
     "6:23: error: 'labels' is a map; group by one of its parts: {NAME: \"event.labels[\xe2"
     "\x80"
     "\xa6"
     "]\"}\n"},
    {RULE(IN, "{group_by: [event.service], window: {size: 1d}, when: count(x) > 1}", ""),
     "6:23: error: a list names fields; for an expression write a map: {NAME: EXPRESSION}\n"},
    {RULE(IN, "{group_by: {a b: event.service}, window: {size: 1d}, when: count(x) > 1}", ""),
     "6:23: error: a group key's name takes letters, digits and _, a letter first\n"},
    {RULE(IN, "{group_by: {a: service}, window: {size: 1d}, when: count(x) > 1}", ""),
     "6:26: error: unknown name service; did you mean event.service?\n"},
    {RULE(IN, "{group_by: {a: event.labels}, window: {size: 1d}, when: count(x) > 1}", ""),
     "6:26: error: a group key is a single value, not a map\n"},
    {RULE(INCIDENT("group_by: [service]"), DETECT, ""),
     "5:42: error: an input's group_by has as many keys as the rule's: 0, not 1\n"},
    {RULE(INCIDENT("group_by: {b: event.service}"), "{group_by: [service], window: {size: 1d}, when: count(x) > 1}",
          ""),
     "5:43: error: 'b' is no key of the rule's group_by\n"},
    {RULE("{x: {stream: incident}, y: {stream: telemetry}}",
          "{group_by: [severity], window: {size: 1d, slide: 1h}, when: count(x) > count(y)}", ""),
     "6:23: error: stream 'telemetry' has no field 'severity'; its fields are event_id, kind, service, environment, "
     "name, value, unit, level, message, occurred_at or labels\n"},
    {RULE(IN,
          "{group_by: [service], window: {size: 1d}, when: \"group.servic == 'a' && 'group.b' != group.service && "
          "count(x) > 1\"}",
          ""),
     "6:66: error: 'servic' is no key of group_by; did you mean 'service'?\n"},
    {RULE(IN, WHEN("\"group.service == 'a' && count(x) > 1\""), ""),
     "6:45: error: 'service' is no key of group_by; group_by names none\n"},
    {RULE(IN, "{group_by: [a,b,c,d,e,f,g,h,i], window: {size: 1d}, when: count(x) > 1}", ""),
     "6:22: error: group_by has at most 8 keys, not 9\n"},
    /* detect */
    {RULE(IN, "[]", ""), "6:11: error: detect must be a mapping, not a list\n"},
    {RULE(IN, "{window: {size: 1d}}", ""), "6:11: error: detect has no 'when'\n"},
    {RULE(IN, "{when: count(x) > 1}", ""), "6:11: error: detect has no 'window'\n"},
    {RULE(IN, "{window: 1d, when: count(x) > 1}", ""), "6:20: error: window must be a mapping, not a scalar\n"},
    {RULE(IN, "{windows: {size: 1d}, when: count(x) > 1}", ""),
     "6:12: error: unknown key 'windows' in detect; did you mean 'window'?\n"},
    {RULE(IN, "{type: windw, window: {size: 1d}, when: count(x) > 1}", ""),
     "6:18: error: unknown detector 'windw'; did you mean 'window'?\n"},
    /* detectors that match events */
    {RULE(IN, "{type: absence}", ""), "6:11: error: detect has no 'every'\n"
                                      "6:11: error: detect has no 'of'\n"},
    {RULE(IN, "{type: absence, of: y, every: 1d}", ""), "6:31: error: unknown input 'y' in 'of'; inputs are x\n"},
    {RULE(IN, "{type: absence, of: x, every: 0s}", ""), "6:41: error: every must be more than 0s and at most 3660d\n"},
    {RULE(IN, "{type: absence, of: x, every: 1d, within: 1h}", ""),
     "6:45: error: unknown key 'within' in detect; known are type, group_by, when, of or every\n"},
    {RULE(IN, "{type: absence, of: x, every: 1d, when: count(x) > 1}", ""),
     "6:51: error: count() is of detector 'window'; 'absence' has outputs of its own\n"},
    {RULE(IN, "{type: absence, of: x, every: 1d, when: silenc > duration('1h')}", ""),
     "6:51: error: unknown name silenc; did you mean silence?\n"},
    {RULE(IN, "{type: absence, of: x, every: 1d, when: 1 > 2}", ""),
     "6:51: error: this is never true, so the rule cannot fire\n"},
    {RULE("{x: {stream: incident}, y: {stream: incident}}", "{type: absence, of: x, every: 1d, when: events > 0}", ""),
     "5:36: error: input 'y' is used nowhere; name it in 'when', a template or a measure, or leave it out\n"},
    {RULE(IN, "{type: cascade, of: x, within: 5m}", ""),
     "6:18: error: no file says which service calls which, so no two are joined; write a 'topology'\n"},
    {HEAD "topology: {a: [b]}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {type: cascade}\n",
     "7:11: error: detect has no 'of'\n"
     "7:11: error: detect has no 'within'\n"},
    {HEAD "topology: {a: [b]}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {type: cascade, of: x, "
          "within: 5m, when: root > 1}\n",
     "7:57: error: string > int: there is no such operation\n"},
    {HEAD "topology: {a: [b]}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {type: cascade, of: x, "
          "within: 5m, when: size(affcted) > 1}\n",
     "7:57: error: unknown name affcted; did you mean affected?\n"},
    {RULE(IN, "{type: new_value}", ""), "6:11: error: detect has no 'memory'\n"
                                        "6:11: error: detect has no 'of'\n"
                                        "6:11: error: detect has no 'value'\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.titel, memory: 1d}", ""),
     "6:49: error: the stream incident has no field titel; did you mean title?\n"},
    {RULE(IN, "{type: new_value, of: x, value: title, memory: 1d}", ""),
     "6:43: error: unknown name title; did you mean event.title?\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.labels, memory: 1d}", ""),
     "6:43: error: what is remembered is a single value, not a map\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.code_refs, memory: 1d}", ""),
     "6:43: error: what is remembered is a single value, not a list\n"},
    {RULE(IN, "{type: new_value, of: x, value: \"'a' + 'b'\", memory: 1d}", ""),
     "6:43: error: this reads nothing of the event, so it is the same for each; name a field, such as "
     "event.service\n"},
    {RULE(INCIDENT("updates: true"), "{type: new_value, of: x, value: event.reopened, memory: 1d}", ""),
     "6:43: error: 'reopened' is a row's; an input with updates: true reads records\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.title, memory: 4000d}", ""),
     "6:64: error: memory must be more than 0s and at most 3660d\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.title, memory: 1d, warmup: 4000d}", ""),
     "6:76: error: warmup is at most 3660d\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.title, memory: 1d, warmup: soon}", ""),
     "6:76: error: warmup: 'soon' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {RULE(IN, "{type: new_value, of: x, value: event.title, memory: 1d, when: previous == 'a'}", ""),
     "6:74: error: unknown name previous\n"},
    {RULE(IN, "{type: revert, of: x, value: event.title, memory: 1d, warmup: 1d}", ""),
     "6:65: error: unknown key 'warmup' in detect; known are type, group_by, when, of, value or memory\n"},
    {RULE(IN, "{type: revert, of: x, value: event.title, memory: 1d, when: previous > 1}", ""),
     "6:80: error: string > int: there is no such operation\n"},
    {RULE(IN, "{window: {}, when: count(x) > 1}", ""),
     "6:20: error: window has no 'size'; a window is written {size: 30d} or {size: 5m, slide: 1m, wait: 0s}, "
     "{calendar: "
     "week, timezone: Europe/Berlin, wait: 0s} or {gap: 30m, max: 12h}\n"},
    {RULE(IN, "{window: {size: 0s}, when: count(x) > 1}", ""),
     "6:27: error: size must be more than 0s and at most 3660d\n"},
    {RULE(IN, "{window: {size: ten days}, when: count(x) > 1}", ""),
     "6:27: error: size: 'ten days' is no duration; write one such as 30s, 10m or 1d12h\n"},
    {RULE(IN, "{window: {size: 1d, slide: 2d}, when: count(x) > 1}", ""),
     "6:38: error: slide must not be more than size, or events would fall between windows\n"},
    {RULE(IN, "{window: {size: 1d, slide: 0s}, when: count(x) > 1}", ""), "6:38: error: slide must be more than 0s\n"},
    {RULE(IN, "{window: {size: 1d, wait: 1h}, when: count(x) > 1}", ""),
     "6:37: error: a sliding window is evaluated at each event and waits for nothing; write a slide, or no wait\n"},
    {RULE(IN, "{window: {size: 200d, slide: 1ms}, when: count(x) > 1}", ""),
     "6:40: error: this window falls into 17280000000 panes of 1 ms, of which at most 100000 are kept; take a slide "
     "that shares a larger divisor with size\n"},
    {RULE(IN, "{window: {size: 201d}, when: count(x) > 1}", ""),
     "6:27: error: a window over incidents is at most 200d, for which their rows are kept (state.row_retention)\n"},
    {RULE(IN, "{window: {calendar: weak}, when: count(x) > 1}", ""),
     "6:31: error: unknown period 'weak'; did you mean 'week'?\n"},
    {RULE(IN, "{window: {calendar: week, gap: 1h, size: 7d, slide: 1d, max: 1d}, when: count(x) > 1}", ""),
     "6:37: error: 'gap' does not go with 'calendar'; such a window is written " CALENDAR "\n"
     "6:46: error: 'size' does not go with 'calendar'; such a window is written " CALENDAR "\n"
     "6:56: error: 'slide' does not go with 'calendar'; such a window is written " CALENDAR "\n"
     "6:67: error: 'max' does not go with 'calendar'; such a window is written " CALENDAR "\n"},
    {RULE(IN, "{window: {calendar: day, timezone: Europe/Berln}, when: count(x) > 1}", ""),
     "6:46: error: 'Europe/Berln' is no time zone; written Europe/Berlin, UTC or +02:00; did you mean "
     "'Europe/Berlin'?\n"},
    {RULE(IN, "{window: {calendar: day, timezone: Kolkata}, when: count(x) > 1}", ""),
     "6:46: error: 'Kolkata' is no time zone; written Europe/Berlin, UTC or +02:00; did you mean 'Asia/Kolkata'?\n"},
    {RULE(IN, "{window: {calendar: day, timezone: ../../etc/passwd}, when: count(x) > 1}", ""),
     "6:46: error: '../../etc/passwd' is no time zone; written Europe/Berlin, UTC or +02:00\n"},
    {RULE(IN, "{window: {calendar: day, wait: 5000d}, when: count(x) > 1}", ""),
     "6:42: error: wait is at most 3660d\n"},
    {RULE(IN, "{window: {gap: 0s}, when: count(x) > 1}", ""),
     "6:26: error: gap must be more than 0s and at most 3660d\n"},
    {RULE(IN, "{window: {gap: 30m, max: 29m}, when: count(x) > 1}", ""),
     "6:36: error: max must not be less than gap\n"},
    {RULE(IN, "{window: {gap: 25h}, when: count(x) > 1}", ""),
     "6:26: error: max must not be less than gap; left out, it is 24h\n"},
    {RULE(IN, "{window: {gap: 30m, max: 201d}, when: count(x) > 1}", ""),
     "6:36: error: a window over incidents is at most 200d, for which their rows are kept (state.row_retention)\n"},
    {RULE(IN, "{window: {gap: 30m, wait: 1h}, when: count(x) > 1}", ""),
     "6:31: error: 'wait' does not go with 'gap'; such a window is written {gap: 30m, max: 12h}\n"},
    {RULE(IN, "{window: {size: 1d, max: 1h}, when: count(x) > 1}", ""),
     "6:31: error: 'max' does not go with 'size'; such a window is written {size: 30d} or {size: 5m, slide: 1m, wait: "
     "0s}\n"},
    {RULE(IN, "{window: {size: 5000d}, when: count(x) > 1}", ""),
     "6:27: error: size must be more than 0s and at most 3660d\n"},
    /* when */
    {RULE(IN, WHEN("x > 1"), ""), "6:38: error: 'x' is an input; write count(x)\n"},
    {RULE(IN, WHEN("count(y) > 1"), ""), "6:44: error: unknown input 'y' in count(); inputs are x\n"},
    {RULE(IN, WHEN("count(xx) > 1"), ""), "6:44: error: unknown input 'xx' in count(); did you mean 'x'?\n"},
    {RULE(IN, WHEN("count() > 1"), ""), "6:38: error: count() needs the name of an input\n"},
    {RULE(IN, WHEN("\"count(x, event.service) > 1\""), ""),
     "6:54: error: count() takes one input and nothing else; narrow it by its where\n"},
    {RULE(IN, WHEN("distinct(x) > 1"), ""),
     "6:38: error: distinct() needs what to tell apart: distinct(INPUT, event.FIELD)\n"},
    {RULE(IN, WHEN("avg(x) > 1"), ""), "6:38: error: stream 'incident' has no value; write avg(x, event.FIELD)\n"},
    {RULE(IN, WHEN("\"avg(x, event.ttr) > 1\""), ""),
     "6:52: error: avg() takes numbers, not durations; write its getSeconds()\n"},
    {RULE(IN, WHEN("\"max(x, event.service) > 1\""), ""), "6:52: error: max() takes numbers, not string\n"},
    {RULE(IN, WHEN("\"sum(x, event.nothing) > 1\""), ""),
     "6:52: error: the stream incident has no field nothing; it has event_id incident_id status occurred_at service "
     "environment severity title root_cause component started_at detected_at acknowledged_at resolved_at detected_by "
     "deployment_id code_refs labels opened_at updated_at worst_severity reopened ttd ttr\n"},
    {RULE(IN, WHEN("\"avg(1) > 1\""), ""), "6:43: error: the first argument of avg() is the name of an input\n"},
    {RULE(IN, WHEN("\"avg(x, event.reopened, 3) > 1\""), ""), "6:62: error: avg() takes an input and one expression\n"},
    {RULE(IN, WHEN("p99(x) > 1"), ""), "6:38: error: stream 'incident' has no value; write p99(x, event.FIELD)\n"},
    {RULE(IN, WHEN("\"stddev(x, event.ttr) > 1\""), ""),
     "6:55: error: stddev() takes numbers, not durations; write its getSeconds()\n"},
    {RULE(TELEMETRY, "{window: {size: 10m, slide: 1m}, when: p75(x) > 1}", ""),
     "6:50: error: unknown function p75(); did you mean 'p95'?\n"},
    {RULE(IN, WHEN("\"share(x, x, event.service) > 0.1\""), ""),
     "6:48: error: share() compares two inputs; of one in itself it is always 1\n"},
    {RULE(IN, WHEN("\"share(x, event.service) > 0.1\""), ""), "6:39: error: " SHARE_ARGS},
    {RULE(IN, WHEN("share() > 0.1"), ""), "6:38: error: " SHARE_ARGS},
    {RULE(TWO_IN, WHEN("\"share(x, d, event.service, 1) > 0.1\""), ""), "6:66: error: " SHARE_ARGS},
    {RULE(TWO_IN, WHEN("\"share(x, y, event.service) > 0.1\""), ""),
     "6:48: error: unknown input 'y' in share(); inputs are d or x\n"},
    {RULE(TWO_IN, WHEN("\"share(event.service, d, event.service) > 0.1\""), ""),
     "6:51: error: the first argument of share() is the name of an input\n"},
    {RULE(TWO_IN, WHEN("\"share(x, 1, event.service) > 0.1\""), ""),
     "6:48: error: the second argument of share() is the name of an input\n"},
    {RULE(TWO_IN, WHEN("\"share(d, x, event.version) > 0.1\""), ""),
     "6:57: error: the stream incident has no field version; it has event_id incident_id status occurred_at service "
     "environment severity title root_cause component started_at detected_at acknowledged_at resolved_at detected_by "
     "deployment_id code_refs labels opened_at updated_at worst_severity reopened ttd ttr\n"},
    {RULE(IN, WHEN("cont(x) > 1"), ""), "6:38: error: unknown function cont(); did you mean 'count'?\n"},
    {RULE(IN, WHEN("count(x)"), ""), "6:38: error: a bool is wanted; this is a double\n"},
    {RULE(IN, WHEN("'false'"), ""), "6:38: error: this is never true, so the rule cannot fire\n"},
    {RULE(IN, WHEN("1 > 2"), ""), "6:38: error: this is never true, so the rule cannot fire\n"},
    {RULE(IN, WHEN("event.service == 'a'"), ""),
     "6:38: error: there is no one event here; write a function over an input, such as max(INPUT, event.value)\n"},
    {RULE(IN, WHEN("incident > 1"), ""), "6:38: error: unknown name incident; did you mean incidents?\n"},
    {RULE(IN, WHEN("mttr > 15"), ""), "6:43: error: duration > int: there is no such operation\n"},
    {RULE(IN, WHEN("count(x) > 1 &&"), ""), "6:53: error: an expression is missing at the end\n"},
    {RULE(IN, "\n    window: {size: 1d}\n    when: |\n      count(x) > 1\n      && mttd_ > 1\n", ""),
     "10:10: error: unknown name mttd_; did you mean mttd?\n"},
    {RULE(IN, "\n    window: {size: 1d}\n    when: >-\n      count(x) > 1 &&\n      mttd_ > 1\n", ""),
     "10:7: error: unknown name mttd_; did you mean mttd?\n"},
    {RULE(IN, "\n    window: {size: 1d}\n    when: \"count(x) > 1 && '\\u00e9' != '' &&\n      mttd_ > 1\"\n", ""),
     "9:7: error: unknown name mttd_; did you mean mttd?\n"},
    {RULE(IN,
          "\n    window: {size: 1d}\n    when: 'count(x) > 1 && ''\xc3"
          "\xa9"
          "'' != \"\" && mttd_ > 1'\n",
          ""),
     "8:43: error: unknown name mttd_; did you mean mttd?\n"},
    {HEAD "macros: {m: count(x) > nothing}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {window: "
          "{size: 1d}, when: count(x) > 1 && m}\n",
     "7:54: error: the macro m does not fit here: unknown name nothing\n"},
    /* what is wrong with a macro is said in its own text, once */
    {HEAD
     "macros: {m: event.servce == 'a', k: \"m || m\"}\nrules:\n- id: r\n  from: {x: {stream: incident, where: m}, y: "
     "{stream: deployment, where: k}}\n  detect: {window: {size: 1d}, when: count(x) > count(y)}\n",
     "3:19: error: the stream incident has no field servce; did you mean service?\n"},
    {HEAD "macros: {m: 'count(x) > ', k: m}\nrules:\n- id: r\n  from: {x: {stream: incident}}\n  detect: {window: "
          "{size: 1d}, when: k || m}\n",
     "3:25: error: an expression is missing at the end\n"},
    {HEAD "macros: {a: b || b, b: a}\nrules:\n- id: r\n  from: {x: {stream: incident, where: a}}\n  detect: {window: "
          "{size: 1d}, when: count(x) > 1}\n",
     "3:13: error: the macro b contains itself\n"},
    {HEAD "macros: {high: event.severity == 'sev1'}\nrules:\n- id: r\n  from: {x: {stream: telemetry, where: high}}\n"
          "  detect: {window: {size: 1d, slide: 1h}, when: count(x) > 1 || high}\n",
     "6:40: error: the macro high does not fit here: the stream telemetry has no field severity; it has event_id kind "
     "service environment name value unit level message occurred_at labels\n"
     "7:65: error: the macro high does not fit here: there is no one event here; write a function over "
     "an input, such as max(INPUT, event.value)\n"},
    {HEAD
     "macros: {a: [1], in: '1'}\nlists: {b: c, n: [x]}\nrules:\n- id: r\n  from: {x: {stream: incident, where: a && "
     "event.service in b && event.service in n}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n",
     "3:13: error: a macro must be text, not a list\n"
     "3:18: error: 'in' has a meaning of its own in expressions; name the macro otherwise\n"
     "4:12: error: each of lists must be a list, not a scalar\n"
     "4:15: error: 'n' has a meaning of its own in expressions; name the list otherwise\n"},
};

#endif
