/* The progress bar. */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { DRAW_EVERY_US = 100 * 1000, BAR_CELLS = 30 };

void progress_start(struct progress *progress, const char *label)
{
    *progress =
        (struct progress){.label = label, .started_us = clock_mono_us(), .terminal = isatty(STDERR_FILENO) == 1};
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
    (void)fprintf(stderr, "\r%s [%s] %3d %%  %llu records, %.0f/s ", progress->label, bar, (int)(done * 100 / total),
                  (unsigned long long)records, seconds > 0 ? (double)records / seconds : 0);
}

int64_t progress_end(struct progress *progress)
{
    if (progress->terminal && progress->drawn_us > 0)
        (void)fputs("\r\033[K", stderr);
    return clock_mono_us() - progress->started_us;
}
