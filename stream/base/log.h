/* Structured log lines on standard error: logfmt or JSON.
 *
 *     log_info("committed", LOG_I("records", n), LOG_S("topic", name));
 *
 * Safe from any thread: a line is one write. What a thread says of itself (log_context) is the last field of its lines.
 */
#ifndef FORESTALL_BASE_LOG_H
#define FORESTALL_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key;
    bool is_text;
    struct str text;
    int64_t number;
};

#define LOG_S(name, value) ((struct log_field){.key = (name), .is_text = true, .text = str_of(value)})
#define LOG_T(name, value) ((struct log_field){.key = (name), .is_text = true, .text = (value)})
#define LOG_I(name, value) ((struct log_field){.key = (name), .number = (int64_t)(value)})

/* What is below `level` is dropped. Default: info, logfmt. */
void log_setup(enum log_level level, enum log_format format);
bool log_level_parse(struct str text, enum log_level *level);
void log_write(enum log_level level, const char *message, size_t n, const struct log_field *fields);
/* From now on each line of the calling thread ends with this field. `name` is static; NULL: no field. */
void log_context(const char *name, int64_t number);

#define LOG_FIELDS(...) ((struct log_field[]){{0}, __VA_ARGS__})
#define LOG_LINE(level, message, ...)                                                                                  \
    log_write(level, message, sizeof(LOG_FIELDS(__VA_ARGS__)) / sizeof(struct log_field) - 1,                          \
              LOG_FIELDS(__VA_ARGS__) + 1)
#define log_debug(...)                 LOG_LINE_(LOG_DEBUG, __VA_ARGS__, )
#define log_info(...)                  LOG_LINE_(LOG_INFO, __VA_ARGS__, )
#define log_warn(...)                  LOG_LINE_(LOG_WARN, __VA_ARGS__, )
#define log_error(...)                 LOG_LINE_(LOG_ERROR, __VA_ARGS__, )
#define LOG_LINE_(level, message, ...) LOG_LINE(level, message, __VA_ARGS__)

#endif
