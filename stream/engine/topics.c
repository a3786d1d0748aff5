/* Which topics there are, and how each must be set. A setting is checked against what the broker says is in force. */
#include "engine/topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/restore.h"
#include "io/kafka_admin.h"

enum {
    SETTINGS_MAX = 8,
    SOURCE_PARTITIONS = 4,
    OUTPUT_PARTITIONS = 4,
    NAMES_BYTES = 300,     /* in a line about several */
    RECORD_ROOM = 64 << 10 /* for the batch around a record */
};

/* How a setting is held against what is in force. */
enum match { MATCH_EQUAL, MATCH_AT_LEAST, MATCH_AT_MOST, MATCH_NONE };

struct setting_wanted {
    struct kafka_setting setting;
    enum match match;
    bool refused; /* where it does not match, `run` does not start */
};

struct topic_wanted {
    const char *name;
    enum topic_role role;
    int partitions;
    bool partitions_exact;
    struct setting_wanted settings[SETTINGS_MAX];
    size_t setting_count;
};

static void want(struct topic_wanted *topic, const char *name, const char *value, enum match match, bool refused)
{
    ASSERT(topic->setting_count < SETTINGS_MAX);
    topic->settings[topic->setting_count++] = (struct setting_wanted){{name, value}, match, refused};
}

/* What is committed must be on two brokers, or it is lost with the one that has it. */
static void want_replicas(const struct config *config, struct topic_wanted *topic, enum match match)
{
    if (config->replication_factor >= 3)
        want(topic, "min.insync.replicas", "2", match, false);
}

static struct topic_wanted *wanted_add(struct topic_wanted *list, size_t *count, const char *name, enum topic_role role)
{
    /* One topic may serve twice; the first role decides. */
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i].name, name) == 0)
            return NULL;
    list[*count] = (struct topic_wanted){.name = name, .role = role, .partitions = OUTPUT_PARTITIONS};
    return &list[(*count)++];
}

static void internal_wanted(const struct config *config, struct topic_wanted *list, size_t *count, const char *bytes,
                            struct arena *arena)
{
    const char *app = arena_str(arena, config->application_id).p;
    struct topic_wanted *topic = wanted_add(list, count, arena_printf(arena, "%s-changelog", app), TOPIC_CHANGELOG);
    if (topic != NULL) {
        topic->partitions = config->tasks;
        topic->partitions_exact = true;
        want(topic, "cleanup.policy", "compact", MATCH_EQUAL, true);
        want(topic, "delete.retention.ms", arena_printf(arena, "%" PRId64, CHANGELOG_DELETE_RETENTION_MS),
             MATCH_AT_LEAST, true);
        want(topic, "max.message.bytes", bytes, MATCH_AT_LEAST, false);
        want(topic, "segment.bytes", "67108864", MATCH_AT_MOST, false);
        want(topic, "min.cleanable.dirty.ratio", "0.2", MATCH_AT_MOST, false);
        want_replicas(config, topic, MATCH_AT_LEAST);
    }
    topic = wanted_add(list, count, arena_printf(arena, "%s-marks", app), TOPIC_MARKS);
    if (topic != NULL) {
        topic->partitions = 1;
        topic->partitions_exact = true;
        want(topic, "cleanup.policy", "compact", MATCH_EQUAL, true);
        want(topic, "segment.bytes", "67108864", MATCH_NONE, false);
        want_replicas(config, topic, MATCH_AT_LEAST);
    }
}

/* A record is needed until its task has applied it, however long that takes; then it is deleted by the task's owner.
 * Nothing reads the time of its records, so the broker's clock will do. */
static void exchange_wanted(const struct config *config, struct topic_wanted *list, size_t *count, const char *bytes,
                            struct arena *arena)
{
    const char *app = arena_str(arena, config->application_id).p;
    struct topic_wanted *topic = wanted_add(list, count, arena_printf(arena, "%s-exchange", app), TOPIC_EXCHANGE);
    if (topic == NULL)
        return;
    topic->partitions = config->tasks;
    topic->partitions_exact = true;
    want(topic, "cleanup.policy", "delete", MATCH_EQUAL, true);
    want(topic, "retention.ms", "-1", MATCH_EQUAL, true);
    want(topic, "retention.bytes", "-1", MATCH_EQUAL, true);
    want(topic, "max.message.bytes", bytes, MATCH_AT_LEAST, false);
    want(topic, "segment.bytes", "67108864", MATCH_AT_MOST, false);
    want(topic, "message.timestamp.type", "LogAppendTime", MATCH_NONE, false);
    want_replicas(config, topic, MATCH_AT_LEAST);
}

static void outputs_wanted(const struct config *config, struct topic_wanted *list, size_t *count, const char *bytes,
                           struct arena *arena)
{
    const struct str compacted[] = {config->recommendations.topic, config->scorecards.topic};
    for (size_t i = 0; i < sizeof compacted / sizeof *compacted; i++) {
        if (compacted[i].n == 0)
            continue;
        struct topic_wanted *topic = wanted_add(list, count, arena_str(arena, compacted[i]).p, TOPIC_OUTPUT);
        if (topic == NULL)
            continue;
        want(topic, "cleanup.policy", "compact", MATCH_EQUAL, false);
        want(topic, "max.message.bytes", bytes, MATCH_AT_LEAST, false);
        want_replicas(config, topic, MATCH_NONE);
    }
    if (config->dead_letter.topic.n == 0)
        return;
    struct topic_wanted *topic = wanted_add(list, count, arena_str(arena, config->dead_letter.topic).p, TOPIC_OUTPUT);
    if (topic == NULL)
        return;
    want(topic, "cleanup.policy", "delete", MATCH_EQUAL, false);
    want(topic, "retention.ms", "2592000000", MATCH_NONE, false);
    want_replicas(config, topic, MATCH_NONE);
    want(topic, "max.message.bytes", bytes, MATCH_AT_LEAST, false);
}

static int name_order(const void *left, const void *right)
{
    return strcmp(((const struct topic_wanted *)left)->name, ((const struct topic_wanted *)right)->name);
}

static struct topic_wanted *topics_wanted(const struct config *config, int source_partitions, size_t *count,
                                          struct arena *arena)
{
    struct topic_wanted *list = arena_zalloc(arena, (config->source_count + 6) * sizeof *list);
    const char *bytes = arena_printf(arena, "%" PRId64, config_produced_bytes(config) + RECORD_ROOM);
    *count = 0;
    for (size_t i = 0; i < config->source_count; i++) {
        struct topic_wanted *topic =
            wanted_add(list, count, arena_str(arena, config->sources[i].topic).p, TOPIC_SOURCE);
        if (topic == NULL)
            continue;
        topic->partitions = source_partitions > 0 ? source_partitions : SOURCE_PARTITIONS;
        want(topic, "message.timestamp.type", "LogAppendTime", MATCH_EQUAL, false);
        want(topic, "max.message.bytes", bytes, MATCH_NONE, false); /* its owner knows what is sent to it */
    }
    outputs_wanted(config, list, count, bytes, arena);
    internal_wanted(config, list, count, bytes, arena);
    if (config->exchange == EXCHANGE_KAFKA)
        exchange_wanted(config, list, count, bytes, arena);
    qsort(list, *count, sizeof *list, name_order);
    return list;
}

static int topic_make(rd_kafka_t *client, const struct config *config, const struct topic_wanted *wanted, bool *made,
                      struct error *err)
{
    struct kafka_setting settings[SETTINGS_MAX + 1] = {0};
    for (size_t i = 0; i < wanted->setting_count; i++)
        settings[i] = wanted->settings[i].setting;
    const struct kafka_topic_new topic = {
        .name = wanted->name,
        .partitions = wanted->partitions,
        .replication_factor = config->replication_factor,
        .settings = settings,
    };
    return kafka_topic_create(client, &topic, made, err);
}

/* Compares one topic's settings as the broker tells them, one call a setting. */
struct comparison {
    const struct topic_wanted *wanted;
    struct topic_status *status;
    struct buf wrong;
};

static void wrong_add(struct comparison *comparison, const struct setting_wanted *wanted, const char *is)
{
    static const char *const at[] = {[MATCH_EQUAL] = "", [MATCH_AT_LEAST] = "at least ", [MATCH_AT_MOST] = "at most "};
    buf_printf(&comparison->wrong, "%s%s is %s, should be %s%s", comparison->wrong.len > 0 ? "; " : "",
               wanted->setting.name, is, at[wanted->match], wanted->setting.value);
    comparison->status->refused = comparison->status->refused || wanted->refused;
}

static bool matches(const struct setting_wanted *wanted, const char *value)
{
    switch (wanted->match) {
    case MATCH_EQUAL:
        return strcmp(value, wanted->setting.value) == 0;
    case MATCH_AT_LEAST:
        return strtod(value, NULL) >= strtod(wanted->setting.value, NULL);
    case MATCH_AT_MOST:
        return strtod(value, NULL) <= strtod(wanted->setting.value, NULL);
    case MATCH_NONE:
        break;
    }
    return true;
}

static void setting_compare(void *context, const char *name, const char *value)
{
    struct comparison *comparison = context;
    for (size_t i = 0; i < comparison->wanted->setting_count; i++) {
        const struct setting_wanted *wanted = &comparison->wanted->settings[i];
        if (strcmp(wanted->setting.name, name) != 0)
            continue;
        if (!matches(wanted, value))
            wrong_add(comparison, wanted, value);
    }
}

/* Of what the program writes: how often a source is kept is its owner's to say. */
static int replicas_check(rd_kafka_t *client, const struct config *config, struct comparison *comparison,
                          struct arena *arena, struct error *err)
{
    int replicas = 0;
    if (comparison->wanted->role == TOPIC_SOURCE)
        return 0;
    TRY(kafka_topic_replicas(client, comparison->wanted->name, &replicas, err));
    const struct setting_wanted wanted = {
        {"replication factor", arena_printf(arena, "%d", config->replication_factor)}, MATCH_AT_LEAST, false};
    if (replicas > 0 && replicas < config->replication_factor)
        wrong_add(comparison, &wanted, arena_printf(arena, "%d", replicas));
    return 0;
}

/* More partitions would not divide anew what is there, so of those with one a task none are asked for. */
static bool tasks_differ(const struct topic_wanted *wanted, struct topic_status *status, struct arena *arena)
{
    bool by_task = wanted->role == TOPIC_CHANGELOG || wanted->role == TOPIC_EXCHANGE;
    if (!by_task || status->partitions == wanted->partitions)
        return false;
    status->refused = true;
    status->wrong = arena_printf(arena, TASKS_CHANGED, status->partitions, wanted->partitions);
    status->advice = "set it back, or " RESET_ADVICE;
    return true;
}

static int topic_check(rd_kafka_t *client, const struct config *config, const struct topic_wanted *wanted,
                       struct topic_status *status, struct arena *arena, struct error *err)
{
    struct comparison comparison = {wanted, status, {0}};
    status->advice = "set it right (or start anew with another application_id)";
    if (wanted->partitions_exact && status->partitions != wanted->partitions) {
        const struct setting_wanted exact = {
            {"partitions", arena_printf(arena, "%d", wanted->partitions)}, MATCH_EQUAL, true};
        wrong_add(&comparison, &exact, arena_printf(arena, "%d", status->partitions));
    }
    int result = replicas_check(client, config, &comparison, arena, err);
    if (result == 0)
        result = kafka_topic_settings(client, wanted->name, setting_compare, &comparison, err);
    if (result == 0 && comparison.wrong.len > 0)
        status->wrong = arena_str(arena, buf_str(&comparison.wrong)).p;
    buf_fini(&comparison.wrong);
    return result;
}

/* `insist`: that it is missing is not believed at once. */
static int topic_settle(rd_kafka_t *client, const struct config *config, const struct topics_options *options,
                        const struct topic_wanted *wanted, bool insist, struct topic_status *status,
                        struct arena *arena, struct error *err)
{
    *status = (struct topic_status){.name = wanted->name, .role = wanted->role};
    bool internal = wanted->role != TOPIC_SOURCE && wanted->role != TOPIC_OUTPUT;
    TRY(kafka_topic_partitions(client, wanted->name, &status->partitions, err));
    bool make = options->make_all || (internal && options->make_internal);
    if (status->partitions == 0 && make) {
        TRY(topic_make(client, config, wanted, &status->made, err));
        TRY(kafka_topic_await(client, wanted->name, &status->partitions, err));
    } else if (status->partitions == 0 && insist) {
        TRY(kafka_topic_await(client, wanted->name, &status->partitions, err));
    }
    if (status->partitions == 0 || tasks_differ(wanted, status, arena))
        return 0;
    return topic_check(client, config, wanted, status, arena, err);
}

/* Why a broker that could be reached did not let this user in. */
struct refusal {
    char reason[256];
};

/* The newest counts: a connection that breaks while it is asked for its credentials is told as refused too, and then as
 * broken. */
static void client_failed(rd_kafka_t *client, int code, const char *reason, void *context)
{
    struct refusal *refusal = context;
    (void)client;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    (void)snprintf(refusal->reason, sizeof refusal->reason, "%s",
                   code == RD_KAFKA_RESP_ERR__AUTHENTICATION ? reason : "");
}

static void client_prepare(rd_kafka_conf_t *conf, void *context)
{
    rd_kafka_conf_set_opaque(conf, context);
    rd_kafka_conf_set_error_cb(conf, client_failed);
}

/* A cluster that does not answer is waited for; one that answers, and refuses, would be so for ever. */
static void silence_judge(rd_kafka_t *client, const struct refusal *refusal, struct error *err)
{
    if (err->class != ERROR_RETRY)
        return;
    (void)rd_kafka_poll(client, 0);
    if (refusal->reason[0] != '\0')
        (void)error_set(err, ERROR_FATAL, "no broker lets this user in (are the credentials right?): %s",
                        refusal->reason);
}

int topics_settle(const struct config *config, const struct topics_options *options, struct arena *arena,
                  struct topics_report *report, struct error *err)
{
    *report = (struct topics_report){0};
    struct refusal refusal = {0};
    const struct kafka_client about = {.type = RD_KAFKA_PRODUCER,
                                       .properties = config->kafka,
                                       .property_count = config->kafka_count,
                                       .prepare = client_prepare,
                                       .context = &refusal};
    rd_kafka_t *client;
    TRY(kafka_client_new(&client, &about, err));
    struct topic_wanted *wanted = topics_wanted(config, options->source_partitions, &report->count, arena);
    report->topics = arena_zalloc(arena, (report->count + 1) * sizeof *report->topics);
    int result = 0;
    bool insist = options->insist; /* until one is missing: then the broker has had the time to learn of the others */
    for (size_t i = 0; i < report->count && result == 0; i++) {
        result = topic_settle(client, config, options, &wanted[i], insist, &report->topics[i], arena, err);
        insist = insist && report->topics[i].partitions > 0;
    }
    if (result != 0)
        silence_judge(client, &refusal, err);
    kafka_client_free(client);
    return result;
}

static int status_judge(const struct topic_status *topic, struct error *err)
{
    if (topic->made)
        log_info("topic made", LOG_S("topic", topic->name), LOG_I("partitions", topic->partitions));
    if (topic->refused)
        return error_set(err, ERROR_FATAL, "topic %s: %s: %s", topic->name, topic->wrong, topic->advice);
    if (topic->wrong != NULL)
        log_warn("a topic's settings are not right", LOG_S("topic", topic->name), LOG_S("differs", topic->wrong));
    return 0;
}

/* All that are missing are told at once: whoever makes one is not sent back for the next. */
static int missing_judge(const struct topics_report *report, struct error *err)
{
    struct buf names = {0};
    size_t missing = 0, left_out = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct topic_status *topic = &report->topics[i];
        if (topic->partitions > 0)
            continue;
        if (missing++ == 0 || names.len + strlen(topic->name) < NAMES_BYTES)
            buf_printf(&names, "%s%s", missing > 1 ? ", " : "", topic->name);
        else
            left_out++;
    }
    if (left_out > 0)
        buf_printf(&names, " and %zu more", left_out);
    if (missing > 0)
        (void)error_set(err, ERROR_FATAL, "there is no topic %.*s: `forestall topics create` makes %s",
                        STR_ARG(buf_str(&names)), missing > 1 ? "them" : "it");
    buf_fini(&names);
    return missing > 0 ? -1 : 0;
}

int topics_for_run(const struct config *config, struct error *err)
{
    struct arena arena = {0};
    struct topics_report report;
    const struct topics_options options = {.make_internal = true, .insist = true};
    int result = topics_settle(config, &options, &arena, &report, err);
    for (size_t i = 0; i < report.count && result == 0; i++)
        result = status_judge(&report.topics[i], err);
    if (result == 0)
        result = missing_judge(&report, err);
    arena_fini(&arena);
    return result;
}
