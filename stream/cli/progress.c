/* The progress bar. */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/time_text.h"

enum { DRAW_EVERY_US = 100 * 1000, ESTIMATE_AFTER_US = 1000 * 1000, BAR_CELLS = 20 };

void progress_start(struct progress *progress, const char *label)
{
    *progress = (struct progress){
        .label = label, .started_us = clock_mono_us(), .reached_ms = INT64_MIN, .terminal = isatty(STDERR_FILENO) == 1};
}

void progress_show(struct progress *progress, int64_t done, int64_t total, uint64_t records)
{
    int64_t now_us = clock_mono_us();
    if (!progress->terminal || total <= 0 || now_us - progress->drawn_us < DRAW_EVERY_US)
        return;
    progress->drawn_us = now_us;
    if (done > total)
        done = total;
    char bar[BAR_CELLS + 1];
    int filled = (int)(done * BAR_CELLS / total);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_CELLS] = '\0';
    double seconds = (double)(now_us - progress->started_us) / 1e6;
    struct buf text = {0};
    if (progress->reached_ms != INT64_MIN) {
        size_t start = text.len;
        time_print_ms(&text, progress->reached_ms);
        text.len = start + strlen("2026-01-30T10:00");
        buf_puts(&text, "  ");
    }
    buf_printf(&text, "%.0f/s", seconds > 0 ? (double)records / seconds : 0);
    if (done > 0 && now_us - progress->started_us > ESTIMATE_AFTER_US) {
        double left_s = seconds * (double)(total - done) / (double)done;
        buf_puts(&text, "  ");
        duration_print(&text, (int64_t)left_s * SECOND_MS);
        buf_puts(&text, " left");
    }
    (void)fprintf(stderr, "\r%s [%s] %3d %%  %.*s\033[K", progress->label, bar, (int)(done * 100 / total),
                  STR_ARG(buf_str(&text)));
    buf_fini(&text);
}

int64_t progress_end(struct progress *progress)
{
    if (progress->terminal && progress->drawn_us > 0)
        (void)fputs("\r\033[K", stderr);
    return clock_mono_us() - progress->started_us;
}
