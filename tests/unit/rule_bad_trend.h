/* Rules of type trend that are wrong, each with all that is said of it. */
#ifndef FORESTALL_TESTS_RULE_BAD_TREND_H
#define FORESTALL_TESTS_RULE_BAD_TREND_H

#include "rule_bad.h"

#define TREND_OVER(from, window, more)                                                                                 \
    RULE(from, "{type: trend, of: x, window: " window ", limit: 90, horizon: 30d" more "}", "")
#define TREND(more) TREND_OVER(TELEMETRY, "{size: 7d, slide: 1d}", more)

static const struct bad_case bad_trend[] = {
    {TREND(""), ""},
    {RULE(TELEMETRY, "{type: trend}", ""),
     "6:11: error: detect has no 'horizon'; the condition is eta <= horizon unless 'when' says another\n"
     "6:11: error: detect has no 'limit'\n"
     "6:11: error: detect has no 'of'\n"
     "6:11: error: detect has no 'window'\n"},
    {RULE(TELEMETRY, "{type: trend, of: x, window: {size: 7d, slide: 1d}, limit: 90, when: eta < duration('3d')}", ""),
     ""},
    {RULE(TELEMETRY, "{type: trend, of: y, window: {size: 7d, slide: 1d}, limit: high, horizon: 0s}", ""),
     "6:29: error: unknown input 'y' in 'of'; inputs are x\n"
     "6:70: error: limit must be a number, not 'high'\n"
     "6:85: error: horizon must be more than 0s and at most 3660d\n"},
    {TREND_OVER(TELEMETRY, "{size: 7d}", ""),
     "6:40: error: a trend is told at the end of its window; write one with an end, such as {size: 7d, slide: 1d} or "
     "{calendar: week}\n"},
    {TREND_OVER(TELEMETRY, "{gap: 1h, max: 7d}", ""),
     "6:40: error: a trend is told at the end of its window; write one with an end, such as {size: 7d, slide: 1d} or "
     "{calendar: week}\n"},
    {TREND_OVER(TELEMETRY, "{size: 7d, slide: 8d}", ""),
     "6:58: error: slide must not be more than size, or events would fall between windows\n"},
    {TREND(", stp: 1h"), "6:88: error: unknown key 'stp' in detect; did you mean 'step'?\n"},
    {TREND(", step: 0s"), "6:94: error: step must be more than 0s and at most 3660d\n"},
    {TREND(", step: 1m"),
     "6:94: error: the window holds 10080 steps of 1m, and a line is drawn through at most 2000; take a step of at "
     "least 10m\n"},
    {TREND_OVER(TELEMETRY, "{calendar: quarter}", ", step: 1s"),
     "6:92: error: the window holds 8035200 steps of 1s, and a line is drawn through at most 2000; take a step of at "
     "least 3h\n"},
    {TREND(", step: 8h"), "6:94: error: the window holds 21 steps of 8h, and a forecast takes min_points 24 of them; "
                          "take a longer window or "
                          "a shorter step\n"},
    {TREND_OVER(TELEMETRY, "{size: 1d, slide: 1h}", ", min_points: 25"),
     "6:40: error: the window holds 24 steps of 1h, and a forecast takes min_points 25 of them; take a longer window "
     "or "
     "a shorter step\n"},
    {TREND_OVER(TELEMETRY, "{calendar: day}", ", min_points: 24"), ""},
    {TREND(", step: 601001ms"),
     "6:94: error: this window falls into 604800000 panes of 1 ms, of which at most 100000 are kept; take a step that "
     "shares a larger divisor with size\n"},
    {TREND(", min_points: 2"), "6:100: error: min_points must be from 3 to 2000, not 2\n"},
    {TREND(", min_fit: 1.5"), "6:97: error: min_fit is R2, from 0 to 1\n"},
    {TREND(", min_fit: good"), "6:97: error: min_fit must be a number, not 'good'\n"},
    {TREND(", method: lsq"), "6:96: error: unknown method 'lsq'; known are theil_sen or least_squares\n"},
    {TREND(", reset: z"), "6:95: error: unknown input 'z' in 'reset'; inputs are x\n"},
    {TREND(", reset: x"), "6:95: error: what resets the trend is an input of its own, not the one of its values\n"},
    {TREND(", value: event.nme"), "6:101: error: the stream telemetry has no field nme; did you mean name?\n"},
    {TREND(", value: event.name"), "6:95: error: value must be a number, not a string\n"},
    {TREND(", value: '90.0 - event.value'"), ""},
    {TREND_OVER(IN, "{size: 7d, slide: 1d}", ""),
     "6:29: error: stream 'incident' has no value; write value: event.FIELD\n"},
    {TREND_OVER(IN, "{size: 7d, slide: 1d}", ", value: event.ttr"),
     "6:95: error: value must be a number, not a duration; write its getSeconds()\n"},
    {TREND_OVER(IN, "{size: 7d, slide: 1d}", ", value: event.ttr.getSeconds()"), ""},
    {TREND_OVER(IN, "{size: 300d, slide: 1d}", ", value: event.reopened, step: 1d"),
     "6:47: error: a window over incidents is at most 200d, for which their rows are kept (state.row_retention)\n"},
    {TREND_OVER("{x: {stream: telemetry}, y: {stream: incident}}", "{size: 7d, slide: 1d}", ""),
     "5:37: error: input 'y' is used nowhere; name it in 'when', a template or a measure, or leave it out\n"},
    {RULE(TELEMETRY, "{type: trend, of: x, window: {calendar: week}, limit: 90, when: eta < 3}", ""),
     "6:79: error: duration < int: there is no such operation\n"},
    {RULE(TELEMETRY, "{type: trend, of: x, window: {calendar: week}, limit: 90, when: etta != null}", ""),
     "6:75: error: unknown name etta; did you mean eta?\n"},
    {RULE(TELEMETRY, "{type: trend, of: x, window: {calendar: week}, limit: 90, when: count(x) > 1}", ""),
     "6:75: error: count() is of detector 'window'; 'trend' has outputs of its own\n"},
};

#endif
