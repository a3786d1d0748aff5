/* The bounds of hopping and calendar windows, and of their panes, in event time: every window is [start, end), and
 * named by its end. Any int64 will do as a time. O(1); of a calendar O(log transitions of its zone). */
#ifndef FORESTALL_DETECT_SPAN_H
#define FORESTALL_DETECT_SPAN_H

#include "rule/cel_zone.h"
#include "rule/ruleset.h"

struct span {
    int64_t start_ms;
    int64_t end_ms;
};

/* The least end above `after_ms`. */
int64_t span_end_after(const struct window *window, int64_t after_ms);
/* The end of the window after the one that ends at `end_ms`. */
int64_t span_next_end(const struct window *window, int64_t end_ms);
/* The end of the window before the one that ends at `end_ms`. */
int64_t span_end_before(const struct window *window, int64_t end_ms);
int64_t span_start(const struct window *window, int64_t end_ms);
/* The end of the window that is `ago_ms`, a multiple of the slide, before the one that ends at `end_ms`; in a calendar
 * of the one before it, unless ago_ms is 0. */
int64_t span_end_ago(const struct window *window, int64_t end_ms, int64_t ago_ms);
/* The end of the last window that holds `time_ms`, or that looks back on one that does by `ago_ms`. */
int64_t span_end_last(const struct window *window, int64_t time_ms, int64_t ago_ms);
/* The pane that holds `time_ms`: it lies wholly inside or outside of every window. In a calendar panes are counted from
 * the window's start, and the last one ends with it. */
struct span span_pane(const struct window *window, int64_t time_ms);

#endif
