/* See junit.h. */
#include "cli/junit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

struct junit {
    struct arena arena;
    struct junit_case *cases;
    size_t count;
    size_t cap;
};

/* Sums over cases. */
struct sums {
    size_t tests;
    size_t failed;
    int64_t took_us;
};

struct junit *junit_new(void)
{
    return mem_zalloc(sizeof(struct junit));
}

void junit_free(struct junit *junit)
{
    if (junit == NULL)
        return;
    arena_fini(&junit->arena);
    free(junit->cases);
    free(junit);
}

void junit_add(struct junit *junit, const struct junit_case *item)
{
    junit->cases = mem_grow(junit->cases, junit->count, &junit->cap, sizeof *junit->cases);
    struct junit_case *copy = &junit->cases[junit->count++];
    *copy = *item;
    copy->suite = arena_str(&junit->arena, item->suite);
    copy->name = arena_str(&junit->arena, item->name);
    copy->file = arena_str(&junit->arena, str_of(item->file)).p;
    copy->text = arena_str(&junit->arena, item->text);
}

/* Text as XML 1.0 takes it; what it has no place for becomes a question mark. Lines stay lines but in an attribute. */
static void put_text(struct buf *out, struct str text, bool attribute)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        switch (c) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        case '\n':
        case '\t':
            if (attribute)
                buf_printf(out, "&#%d;", c);
            else
                buf_byte(out, c);
            break;
        default:
            buf_byte(out, c < 0x20 || c == 0x7f ? '?' : c);
        }
    }
}

static void put_attribute(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, " %s=\"", name);
    put_text(out, text, true);
    buf_byte(out, '"');
}

static struct sums sum(const struct junit_case *cases, size_t count)
{
    struct sums sums = {.tests = count};
    for (size_t i = 0; i < count; i++) {
        sums.failed += cases[i].failed;
        sums.took_us += cases[i].took_us;
    }
    return sums;
}

static void put_sums(struct buf *out, const struct sums *sums)
{
    buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.6f\"", sums->tests,
               sums->failed, (double)sums->took_us / 1e6);
}

/* The first line that says something, without its indentation: what a report shows before it is opened. */
static struct str first_line(struct str text)
{
    while (text.n > 0 && (*text.p == ' ' || *text.p == '\n')) {
        text.p++;
        text.n--;
    }
    size_t end = 0;
    while (end < text.n && text.p[end] != '\n')
        end++;
    return (struct str){text.p, end};
}

static void put_case(struct buf *out, const struct junit_case *item)
{
    buf_puts(out, "    <testcase");
    put_attribute(out, "name", item->name);
    put_attribute(out, "classname", item->suite);
    put_attribute(out, "file", str_of(item->file));
    buf_printf(out, " line=\"%d\" time=\"%.6f\"", item->line, (double)item->took_us / 1e6);
    if (!item->failed) {
        buf_puts(out, "/>\n");
        return;
    }
    buf_puts(out, ">\n      <failure");
    put_attribute(out, "message", first_line(item->text));
    buf_byte(out, '>');
    put_text(out, item->text, false);
    buf_puts(out, "</failure>\n    </testcase>\n");
}

static void put_suite(struct buf *out, const struct junit_case *cases, size_t count)
{
    struct sums sums = sum(cases, count);
    buf_puts(out, "  <testsuite");
    put_attribute(out, "name", cases[0].suite);
    put_attribute(out, "file", str_of(cases[0].file));
    put_sums(out, &sums);
    buf_puts(out, ">\n");
    for (size_t i = 0; i < count; i++)
        put_case(out, &cases[i]);
    buf_puts(out, "  </testsuite>\n");
}

static void put_report(struct buf *out, const struct junit *junit)
{
    struct sums sums = sum(junit->cases, junit->count);
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"forestall test\"");
    put_sums(out, &sums);
    buf_puts(out, ">\n");
    for (size_t i = 0; i < junit->count;) {
        size_t end = i + 1;
        while (end < junit->count && str_eq(junit->cases[end].suite, junit->cases[i].suite))
            end++;
        put_suite(out, junit->cases + i, end - i);
        i = end;
    }
    buf_puts(out, "</testsuites>\n");
}

int junit_write(const struct junit *junit, const char *path, struct error *err)
{
    struct buf out = {0};
    put_report(&out, junit);
    FILE *file = fopen(path, "w");
    bool good = file != NULL && fwrite(out.p, 1, out.len, file) == out.len;
    int reason = errno;
    if (file != NULL && fclose(file) != 0) {
        reason = good ? errno : reason;
        good = false;
    }
    buf_fini(&out);
    return good ? 0 : error_set(err, ERROR_FATAL, "%s: %s", path, strerror(reason));
}
