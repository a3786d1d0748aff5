/* One log line: formatted into a buffer, written with one call. */
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/time_text.h"

static enum log_level level_min = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;
static _Thread_local struct log_field context; /* key NULL: none */
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level level, enum log_format format)
{
    level_min = level;
    line_format = format;
}

void log_context(const char *name, int64_t number)
{
    context = LOG_I(name, number);
}

bool log_level_parse(struct str text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (str_is(text, level_names[i])) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

static void put_quoted(struct buf *line, struct str text)
{
    buf_byte(line, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c == '\n')
            buf_puts(line, "\\n");
        else if (c < 0x20 || c == 0x7F)
            buf_printf(line, "\\u%04x", c);
        else
            buf_byte(line, c);
    }
    buf_byte(line, '"');
}

static bool needs_quotes(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F)
            return true;
    }
    return text.n == 0;
}

static void put_field(struct buf *line, const char *key, struct str text, bool is_text)
{
    bool json = line_format == LOG_JSON;
    if (line->len > 1)
        buf_byte(line, json ? ',' : ' ');
    if (json)
        buf_printf(line, "\"%s\":", key);
    else
        buf_printf(line, "%s=", key);
    if (is_text && (json || needs_quotes(text)))
        put_quoted(line, text);
    else
        buf_str_put(line, text);
}

static void put_log_field(struct buf *line, const struct log_field *field)
{
    char digits[32];
    if (field->key == NULL)
        return;
    int length = snprintf(digits, sizeof digits, "%lld", (long long)field->number);
    struct str number = {digits, (size_t)(length > 0 ? length : 0)};
    put_field(line, field->key, field->is_text ? field->text : number, field->is_text);
}

void log_write(enum log_level level, const char *message, size_t n, const struct log_field *fields)
{
    if (level < level_min)
        return;
    struct buf line = {0};
    struct buf time = {0};
    time_print_ms(&time, clock_wall_ms());
    if (line_format == LOG_JSON)
        buf_byte(&line, '{');
    put_field(&line, "time", buf_str(&time), true);
    put_field(&line, "level", str_of(level_names[level]), true);
    put_field(&line, "msg", str_of(message), true);
    for (size_t i = 0; i < n; i++)
        put_log_field(&line, &fields[i]);
    put_log_field(&line, &context);
    buf_puts(&line, line_format == LOG_JSON ? "}\n" : "\n");
    ssize_t written = write(STDERR_FILENO, line.p, line.len);
    (void)written; /* a log that cannot be written has nowhere to be reported */
    buf_fini(&line);
    buf_fini(&time);
}
