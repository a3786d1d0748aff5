/* Properties, log lines and error messages of Kafka clients. Log lines come from librdkafka's threads. */
#include "io/kafka.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/kafka_lines.h"

enum { REACH_MS = 30000, REACH_BRIEFLY_MS = 10000 };

/* What clients say before the cluster has answered. The lock is for librdkafka's threads. */
static struct {
    pthread_mutex_t lock;
    bool brief; /* kafka_wait_briefly */
    bool quiet; /* lines are kept: nobody has answered yet */
    char said[256];
    struct kafka_lines lines;
} contact = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool (*stop_is_wanted)(void); /* set before there are threads */

static const char *const reserved[] = {
    "group.id",
    "group.instance.id",
    "group.protocol",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "enable.partition.eof",
    "transactional.id",
    "transaction.timeout.ms",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "acks",
    "request.required.acks",
    "delivery.report.only.error",
    "message.max.bytes",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "heartbeat.interval.ms",
    "allow.auto.create.topics",
};

static const struct kafka_setting shared_defaults[] = {
    {"client.id", "forestall"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "2000"},
    /* A producer's own default is true, and then a broker with Kafka's defaults makes whatever topic is asked about. */
    {"allow.auto.create.topics", "false"},
    {NULL, NULL},
};

/* What an older librdkafka does not know and goes without. Metrics for the broker's operator (2.5): with them on,
 * rd_kafka_destroy of 2.8 can miss its own signal and then waits a second, for each short-lived client of a start. */
static const struct kafka_setting newer_defaults[] = {
    {"enable.metrics.push", "false"},
    {NULL, NULL},
};

static bool property_reserved(struct str name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_is(name, reserved[i]))
            return true;
    return false;
}

void kafka_wait_briefly(void)
{
    (void)pthread_mutex_lock(&contact.lock);
    contact.brief = contact.quiet = true;
    contact.said[0] = '\0';
    (void)pthread_mutex_unlock(&contact.lock);
}

int64_t kafka_reach_ms(void)
{
    return contact.brief || stop_is_wanted != NULL ? REACH_BRIEFLY_MS : REACH_MS;
}

void kafka_reached(void)
{
    (void)pthread_mutex_lock(&contact.lock);
    contact.quiet = false;
    (void)pthread_mutex_unlock(&contact.lock);
}

void kafka_stop_when(bool (*wanted)(void))
{
    stop_is_wanted = wanted;
}

bool kafka_stopping(void)
{
    return stop_is_wanted != NULL && stop_is_wanted();
}

/* True: the line is not to be logged now. Of those about failures (facility FAIL) the newest is kept, without the
 * thread before it and the circumstances behind: "[thrd:a:9]: a:9: Connect to … failed: Connection refused (after 0ms
 * …)". */
static bool keep_line(const char *facility, const char *text)
{
    (void)pthread_mutex_lock(&contact.lock);
    bool quiet = contact.quiet;
    if (quiet && strcmp(facility, "FAIL") == 0) {
        const char *thread_end = text[0] == '[' ? strstr(text, "]: ") : NULL;
        const char *start = thread_end != NULL ? thread_end + 3 : text;
        const char *end = strstr(start, " (after ");
        (void)snprintf(contact.said, sizeof contact.said, "%.*s", end != NULL ? (int)(end - start) : (int)strlen(start),
                       start);
    }
    (void)pthread_mutex_unlock(&contact.lock);
    return quiet;
}

static bool let_line(const char *facility, int64_t *left_out)
{
    (void)pthread_mutex_lock(&contact.lock);
    bool let = kafka_lines_let(&contact.lines, facility, clock_mono_us(), left_out);
    (void)pthread_mutex_unlock(&contact.lock);
    return let;
}

static void log_line(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    /* The user's properties go to consumers and producers alike, so this says nothing. */
    if (strcmp(facility, "CONFWARN") == 0)
        return;
    int64_t left_out = 0;
    /* debug lines are there because somebody asked for them */
    if (level <= 6 && (keep_line(facility, text) || !let_line(facility, &left_out)))
        return;
    struct log_field fields[] = {
        LOG_S("client", client != NULL ? rd_kafka_name(client) : "?"),
        LOG_S("about", facility),
        LOG_S("text", text),
        LOG_I("left_out", left_out),
    };
    size_t count = sizeof fields / sizeof *fields - (left_out == 0);
    enum log_level ours = level <= 3 ? LOG_ERROR : level == 4 ? LOG_WARN : level <= 6 ? LOG_INFO : LOG_DEBUG;
    log_write(ours, "kafka", count, fields);
}

static int setting_put(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return error_set(err, ERROR_FATAL, "kafka: %s: %s", name, text);
}

static int settings_put(rd_kafka_conf_t *conf, const struct kafka_setting *settings, struct error *err)
{
    for (; settings != NULL && settings->name != NULL; settings++)
        TRY(setting_put(conf, settings->name, settings->value, err));
    return 0;
}

static int newer_settings_put(rd_kafka_conf_t *conf, const struct kafka_setting *settings, struct error *err)
{
    for (; settings->name != NULL; settings++) {
        char text[256];
        if (rd_kafka_conf_set(conf, settings->name, settings->value, text, sizeof text) == RD_KAFKA_CONF_INVALID)
            return error_set(err, ERROR_FATAL, "kafka: %s: %s", settings->name, text);
    }
    return 0;
}

static int property_put(rd_kafka_conf_t *conf, struct str name, struct str value, struct error *err)
{
    struct arena arena = {0};
    int result;
    if (property_reserved(name))
        result = error_set(err, ERROR_FATAL,
                           "kafka: '%.*s' is Forestall's to set, since its guarantees depend on it: remove it",
                           STR_ARG(name));
    else
        result = setting_put(conf, arena_str(&arena, name).p, arena_str(&arena, value).p, err);
    arena_fini(&arena);
    return result;
}

static int properties_put(rd_kafka_conf_t *conf, const struct kafka_client *options, struct error *err)
{
    for (size_t i = 0; i < options->property_count; i++)
        TRY(property_put(conf, options->properties[i].key, options->properties[i].value, err));
    return 0;
}

int kafka_property_check(struct str name, struct str value, struct error *err)
{
    /* Set, these libraries are loaded, which is not for who only looks. */
    if (str_is(name, "plugin.library.paths"))
        return 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = property_put(conf, name, value, err);
    rd_kafka_conf_destroy(conf);
    return result;
}

/* librdkafka's reason, with the values of the properties that it names in backquotes: some are not the user's. */
static int client_refused(const rd_kafka_conf_t *conf, const char *reason, struct error *err)
{
    char values[256] = "";
    size_t n = 0;
    for (const char *p = strchr(reason, '`'); p != NULL; p = strchr(p, '`')) {
        char name[64];
        char value[64];
        size_t size = sizeof value;
        size_t length = strcspn(++p, "`");
        (void)snprintf(name, sizeof name, "%.*s", (int)length, p);
        if (rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK && n < sizeof values)
            n += (size_t)snprintf(values + n, sizeof values - n, "%s%s is %s", n == 0 ? " (" : ", ", name, value);
        p += length + (p[length] != '\0');
    }
    return error_set(err, ERROR_FATAL, "kafka: %s%s%s", reason, values, n > 0 ? ")" : "");
}

int kafka_client_new(rd_kafka_t **client, const struct kafka_client *options, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (settings_put(conf, shared_defaults, err) != 0 || newer_settings_put(conf, newer_defaults, err) != 0 ||
        settings_put(conf, options->defaults, err) != 0 || properties_put(conf, options, err) != 0 ||
        settings_put(conf, options->fixed, err) != 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    rd_kafka_conf_set_log_cb(conf, log_line);
    if (options->prepare != NULL)
        options->prepare(conf, options->context);
    char text[256];
    *client = rd_kafka_new(options->type, conf, text, sizeof text);
    if (*client == NULL) {
        (void)client_refused(conf, text, err);
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    return 0;
}

void kafka_client_free(rd_kafka_t *client)
{
    if (client != NULL)
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

int kafka_failed(struct error *err, rd_kafka_resp_err_t code, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const struct kafka_code *about = kafka_code(code);
    enum error_class class =
        about->reads == ERROR_NONE || about->about == KAFKA_ABOUT_TOPIC ? ERROR_FATAL : about->reads;
    if (about->advice == NULL)
        return error_set(err, class, "%s: %s", what, rd_kafka_err2str(code));
    return error_set(err, class, "%s: %s (%s)", what, rd_kafka_err2str(code), about->advice);
}

int kafka_silence(struct error *err, rd_kafka_resp_err_t code, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)pthread_mutex_lock(&contact.lock);
    (void)error_set(err, ERROR_RETRY, "%s: %s", what, contact.said[0] != '\0' ? contact.said : rd_kafka_err2str(code));
    (void)pthread_mutex_unlock(&contact.lock);
    return -1;
}
