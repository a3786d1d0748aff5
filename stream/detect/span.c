/* Windows [k slide, k slide + size) from the epoch. */
#include "detect/span.h"

int64_t span_end_after(const struct window *window, int64_t after_ms)
{
    return (floor_div(after_ms - window->size_ms, window->slide_ms) + 1) * window->slide_ms + window->size_ms;
}

int64_t span_next_end(const struct window *window, int64_t end_ms)
{
    return end_ms + window->slide_ms;
}

int64_t span_end_before(const struct window *window, int64_t end_ms)
{
    return end_ms - window->slide_ms;
}

int64_t span_start(const struct window *window, int64_t end_ms)
{
    return end_ms - window->size_ms;
}

struct span span_pane(const struct window *window, int64_t time_ms)
{
    int64_t start_ms = floor_div(time_ms, window->pane_ms) * window->pane_ms;
    return (struct span){start_ms, start_ms + window->pane_ms};
}
