/* Feedback from the command line: written to the topic of stream `feedback`, then its effect, or its refusal, is
 * awaited where the engine publishes them.
 *
 * What is awaited is found by the event itself: the dead letter holds its very bytes, and the history names its actor,
 * comment and status after what was there before. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/recommendations.h"
#include "codec/avro_write.h"
#include "io/kafka_follow.h"
#include "io/kafka_writer.h"

enum { SLICE_MS = 200 };

struct saying {
    const struct recommendations_request *request;
    const struct config *config;
    const struct config_source *source;
    struct value record; /* the recommendation as it was */
    struct arena arena;
    struct buf event; /* as written */
    struct str event_id;
    struct str actor;
    int64_t wait_ms;
};

static bool wrong(const char *option, const char *text, const char *takes)
{
    (void)fprintf(stderr, "error: %s '%s': %s\n", option, text, takes);
    return false;
}

static bool until_read(const char *text, int64_t *ms)
{
    int64_t span_ms;
    if (time_parse_ms(str_of(text), ms))
        return true;
    *ms = duration_parse(str_of(text), &span_ms) ? clock_wall_ms() + span_ms : 0;
    return *ms != 0;
}

bool recommendations_feedback_check(const struct recommendations_request *request)
{
    int64_t ms;
    char *end = NULL;
    if (request->until != NULL && request->action != LIFE_DISMISS)
        return wrong("--until", request->until, "it goes with dismiss");
    if (request->until != NULL && !until_read(request->until, &ms))
        return wrong("--until", request->until, "neither a time such as 2024-05-06T07:08:09Z nor a span such as 30d");
    if (!duration_parse(str_of(request->wait), &ms))
        return wrong("--wait", request->wait, "it takes a span such as 30s");
    if (request->expected_version != NULL &&
        (strtol(request->expected_version, &end, 10) < 0 || *end != '\0' || end == request->expected_version))
        return wrong("--expected-version", request->expected_version, "it takes a number");
    if (request->action == LIFE_COMMENT && request->comment == NULL)
        return wrong("comment", request->id, "it needs --comment TEXT");
    return true;
}

static struct str actor_of(const struct recommendations_request *request)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *named = request->actor != NULL ? request->actor : getenv("USER");
    if (named == NULL || named[0] == '\0')
        named = user != NULL ? user->pw_name : "unknown";
    return str_of(named);
}

/* A random UUID (RFC 9562, version 4). */
static int uuid_make(struct arena *arena, struct str *out, struct error *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return error_set(err, ERROR_FATAL, "there are no random numbers");
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    *out =
        str_of(arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                            b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]));
    return 0;
}

static int source_find(struct saying *saying, struct error *err)
{
    const struct config *config = saying->config;
    for (size_t i = 0; i < config->source_count && saying->source == NULL; i++)
        if (config->sources[i].stream->id == STREAM_FEEDBACK)
            saying->source = &config->sources[i];
    if (saying->source == NULL)
        return error_set(
            err, ERROR_FATAL,
            "the configuration reads no feedback: add a source such as {topic: forestall.feedback, stream: "
            "feedback, format: json}, make its topic by `forestall topics create`, and restart `forestall "
            "run`");
    if (saying->source->framing != FRAMING_NONE)
        return error_set(err, ERROR_FATAL, "feedback in Confluent's framing is not written by this version");
    return 0;
}

static int encode(struct saying *saying, struct value event, struct error *err)
{
    struct avro_encoder *encoder;
    if (saying->source->format == FORMAT_JSON) {
        value_json(&saying->event, event);
        return 0;
    }
    TRY(avro_encoder_new(&encoder, saying->source->schema, err));
    int result = avro_encode(encoder, event, &saying->event, err);
    avro_encoder_free(encoder);
    return result;
}

static int event_make(struct saying *saying, struct error *err)
{
    const struct recommendations_request *request = saying->request;
    int64_t until_ms = 0;
    TRY(uuid_make(&saying->arena, &saying->event_id, err));
    saying->actor = actor_of(request);
    int64_t expected = request->expected_version != NULL ? strtol(request->expected_version, NULL, 10)
                                                         : published_number(saying->record, "life_version");
    bool until = request->until != NULL && until_read(request->until, &until_ms);
    const struct value pairs[] = {value_text("event_id"),
                                  value_str(saying->event_id),
                                  value_text("recommendation_id"),
                                  value_str(published_text(saying->record, "recommendation_id")),
                                  value_text("action"),
                                  value_text(lifecycle_action_name(request->action)),
                                  value_text("expected_version"),
                                  value_int(expected),
                                  value_text("until"),
                                  until ? value_time_ms(until_ms) : value_null(),
                                  value_text("actor"),
                                  value_str(saying->actor),
                                  value_text("comment"),
                                  request->comment != NULL ? value_text(request->comment) : value_null(),
                                  value_text("occurred_at"),
                                  value_time_ms(clock_wall_ms())};
    return encode(saying, value_map(pairs, sizeof pairs / sizeof *pairs / 2), err);
}

static int event_send(struct saying *saying, struct error *err)
{
    const char *topic = arena_str(&saying->arena, saying->source->topic).p;
    const struct kafka_writer_options options = {saying->config->kafka, saying->config->kafka_count, &topic, 1};
    struct kafka_writer *writer;
    TRY(kafka_writer_open(&writer, &options, err));
    const struct kafka_writer_record record = {.partition = RD_KAFKA_PARTITION_UA,
                                               .key = published_text(saying->record, "recommendation_id"),
                                               .value = buf_str(&saying->event)};
    int result = kafka_writer_send(writer, &record, err);
    if (result == 0)
        result = kafka_writer_flush(writer, err);
    kafka_writer_close(writer);
    return result;
}

/* Whether a change of the history is this feedback. Long texts are cut in it. */
static bool is_effect(const struct saying *saying, struct value change)
{
    enum life_status to = lifecycle_target(saying->request->action);
    struct str actor = published_text(change, "actor");
    struct str comment = published_text(change, "comment");
    const char *said = saying->request->comment;
    struct str status = published_text(change, "to");
    bool moved =
        to != LIFE_STATUSES ? str_is(status, life_status_name(to)) : str_eq(status, published_text(change, "from"));
    return moved && actor.n > 0 && str_starts(saying->actor, actor) && (said != NULL) == (comment.p != NULL) &&
           (said == NULL || str_starts(str_of(said), comment));
}

static bool has_effect(const struct saying *saying, struct value newest)
{
    struct value before = published_value(saying->record, "history");
    struct value history = published_value(newest, "history");
    int64_t known_ms = before.n > 0 ? published_time(before.items[before.n - 1], "at") : INT64_MIN;
    for (uint32_t i = history.type == VALUE_LIST ? history.n : 0; i > 0; i--) {
        bool later = i > before.n || published_time(history.items[i - 1], "at") > known_ms;
        if (later && is_effect(saying, history.items[i - 1]))
            return true;
    }
    return false;
}

static void say_effect(const struct saying *saying, struct value newest)
{
    struct str id = published_text(saying->record, "recommendation_id");
    struct str was = published_text(saying->record, "status");
    struct str is = published_text(newest, "status");
    if (str_eq(was, is))
        (void)printf("%.*s: noted; it stays %.*s\n", STR_ARG(id), STR_ARG(is));
    else
        (void)printf("%.*s: %.*s, was %.*s\n", STR_ARG(id), STR_ARG(is), STR_ARG(was));
}

/* How long feedback may wait for the time of quiet sources; INT64_MAX: one of them never counts as idle. */
static int64_t quiet_ms(const struct config *config)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        if (source->idle_lag_ms == INT64_MAX)
            return INT64_MAX;
        int64_t ms = source->idle_lag_ms + source->out_of_orderness_ms;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

/* 1: nothing was heard. */
static int say_silence(const struct saying *saying)
{
    int64_t ms = quiet_ms(saying->config);
    struct buf takes = {0};
    if (ms == INT64_MAX)
        buf_puts(&takes, "until each source has a newer event, since one has idle_lag never");
    else
        buf_puts(&takes, "up to about ");
    if (ms != INT64_MAX)
        duration_print(&takes, ms);
    (void)fprintf(
        stderr,
        "error: it was written, but nothing came of it within %s\n"
        "  Is `forestall run` running? It applies feedback once the time of every source has passed it. Where "
        "sources are\n"
        "  quiet that takes %.*s with this configuration (out_of_orderness and idle_lag of its\n"
        "  sources). Look again with `forestall recommendations show`, or wait longer with --wait.\n",
        saying->request->wait, STR_ARG(buf_str(&takes)));
    buf_fini(&takes);
    return 1;
}

/* *answered: it took effect, or was refused, as was printed; *status is the exit status. */
static int take(struct saying *saying, const struct kafka_followed *record, bool *answered, int *status,
                struct error *err)
{
    struct value newest;
    if (record->topic == 1) {
        struct str reason = kafka_followed_header(record, "forestall.error");
        if (!str_eq(record->value, buf_str(&saying->event)))
            return 0;
        *answered = true;
        *status = 1;
        (void)fprintf(stderr, "error: refused: %.*s\n", STR_ARG(reason));
        return 0;
    }
    if (record->value.p == NULL || !str_eq(record->key, published_text(saying->record, "recommendation_id")))
        return 0;
    TRY(published_recommendation(saying->config->recommendations.format, record->value, &saying->arena, &newest, err));
    *answered = has_effect(saying, newest);
    if (*answered)
        say_effect(saying, newest);
    return 0;
}

static int await(struct saying *saying, struct kafka_follow *follow, int *status, struct error *err)
{
    int64_t end_us = clock_mono_us() + saying->wait_ms * 1000;
    bool answered = false;
    *status = 0;
    while (!answered && clock_mono_us() < end_us) {
        struct kafka_followed record;
        bool any;
        TRY(kafka_follow_next(follow, SLICE_MS, &record, &any, err));
        if (any)
            TRY(take(saying, &record, &answered, status, err));
    }
    if (!answered)
        *status = say_silence(saying);
    return 0;
}

/* Whoever waits listens before it speaks. */
static int say(struct saying *saying, int *status, struct error *err)
{
    const struct str topics[] = {saying->config->recommendations.topic, saying->config->dead_letter.topic};
    const struct kafka_follow_options options = {saying->config->kafka, saying->config->kafka_count, topics, 2};
    struct kafka_follow *follow = NULL;
    TRY(source_find(saying, err));
    TRY(event_make(saying, err));
    if (saying->wait_ms > 0)
        TRY(kafka_follow_open(&follow, &options, err));
    int result = event_send(saying, err);
    if (result == 0 && follow == NULL) {
        (void)printf("written to %.*s, event_id %.*s\n", STR_ARG(saying->source->topic), STR_ARG(saying->event_id));
        *status = 0;
    } else if (result == 0) {
        if (isatty(STDERR_FILENO) == 1)
            (void)fprintf(stderr, "written; waiting up to %s for its effect\n", saying->request->wait);
        result = await(saying, follow, status, err);
    }
    if (follow != NULL)
        kafka_follow_close(follow);
    return result;
}

/* What the engine would refuse anyway is not sent. */
static bool allowed(const struct recommendations_request *request, struct value record)
{
    struct str status = published_text(record, "status");
    int at = 0;
    while (at < LIFE_STATUSES && !str_is(status, life_status_name((enum life_status)at)))
        at++;
    if (request->expected_version != NULL || at == LIFE_STATUSES ||
        lifecycle_allows((enum life_status)at, request->action))
        return true;
    struct buf names = {0};
    lifecycle_allowed(&names, (enum life_status)at);
    (void)fprintf(stderr, "error: '%s' is not allowed: the status of %.*s is %.*s; allowed now: %.*s\n",
                  lifecycle_action_name(request->action), STR_ARG(published_text(record, "recommendation_id")),
                  STR_ARG(status), STR_ARG(buf_str(&names)));
    buf_fini(&names);
    return false;
}

int recommendations_feedback(const struct recommendations_request *request, const struct config *config,
                             struct value record)
{
    struct saying saying = {.request = request, .config = config, .record = record};
    struct error err = {0};
    int status = 1;
    if (!allowed(request, record) || !duration_parse(str_of(request->wait), &saying.wait_ms))
        return 1;
    if (say(&saying, &status, &err) != 0)
        (void)fprintf(stderr, "error: %s\n", err.message);
    buf_fini(&saying.event);
    arena_fini(&saying.arena);
    return status;
}
