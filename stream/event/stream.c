/* The tables of DESIGN section 4. */
#include "event/stream.h"

#include <strings.h>

static const char *const incident_status[] = {"open", "acknowledged", "mitigated", "resolved", "cancelled", NULL};
static const char *const severities[] = {"sev1", "sev2", "sev3", "sev4", "sev5", NULL};
static const char *const detected_by[] = {"alert", "customer", "person", "unknown", NULL};
static const char *const deployment_status[] = {"started", "succeeded", "failed", "rolled_back", NULL};
static const char *const telemetry_kind[] = {"metric", "log", "alert", NULL};
static const char *const trends[] = {"up", "down", "flat", NULL};
static const char *const feedback_action[] = {"accept", "start", "implement", "dismiss", "reopen", "comment", NULL};

#define REQUIRED(text, type)       {.name = (text), .kind = (type)}
#define NULLABLE(text, type)       {.name = (text), .kind = (type), .nullable = true}
#define DEFAULTED(text, type)      {.name = (text), .kind = (type), .has_default = true}
#define ENUM(text, table)          {.name = (text), .kind = FIELD_ENUM, .symbols = (table)}
#define NULLABLE_ENUM(text, table) {.name = (text), .kind = FIELD_ENUM, .symbols = (table), .nullable = true}
#define ENUM_OR(text, table, symbol)                                                                                   \
    {.name = (text), .kind = FIELD_ENUM, .symbols = (table), .has_default = true, .fallback = (symbol)}
#define DERIVED(text, type) {.name = (text), .kind = (type), .nullable = true, .derived = true}

static const struct stream_field incident_fields[] = {
    REQUIRED("event_id", FIELD_STRING),
    REQUIRED("incident_id", FIELD_STRING),
    ENUM("status", incident_status),
    REQUIRED("occurred_at", FIELD_TIME),
    REQUIRED("service", FIELD_STRING),
    NULLABLE("environment", FIELD_STRING),
    ENUM("severity", severities),
    REQUIRED("title", FIELD_STRING),
    NULLABLE("root_cause", FIELD_STRING),
    NULLABLE("component", FIELD_STRING),
    NULLABLE("started_at", FIELD_TIME),
    NULLABLE("detected_at", FIELD_TIME),
    NULLABLE("acknowledged_at", FIELD_TIME),
    NULLABLE("resolved_at", FIELD_TIME),
    ENUM_OR("detected_by", detected_by, "unknown"),
    NULLABLE("deployment_id", FIELD_STRING),
    DEFAULTED("code_refs", FIELD_STRINGS),
    DEFAULTED("labels", FIELD_LABELS),
    DERIVED("opened_at", FIELD_TIME),
    DERIVED("updated_at", FIELD_TIME),
    {.name = "worst_severity", .kind = FIELD_ENUM, .symbols = severities, .nullable = true, .derived = true},
    DERIVED("reopened", FIELD_INT),
    DERIVED("ttd", FIELD_SPAN),
    DERIVED("ttr", FIELD_SPAN),
};

static const struct stream_field deployment_fields[] = {
    REQUIRED("event_id", FIELD_STRING),   REQUIRED("deployment_id", FIELD_STRING),
    REQUIRED("service", FIELD_STRING),    NULLABLE("environment", FIELD_STRING),
    REQUIRED("version", FIELD_STRING),    ENUM("status", deployment_status),
    REQUIRED("occurred_at", FIELD_TIME),  NULLABLE("strategy", FIELD_STRING),
    NULLABLE("commit_sha", FIELD_STRING), DEFAULTED("labels", FIELD_LABELS),
    DERIVED("opened_at", FIELD_TIME),     DERIVED("updated_at", FIELD_TIME),
};

static const struct stream_field telemetry_fields[] = {
    NULLABLE("event_id", FIELD_STRING), ENUM_OR("kind", telemetry_kind, "metric"),
    REQUIRED("service", FIELD_STRING),  NULLABLE("environment", FIELD_STRING),
    REQUIRED("name", FIELD_STRING),     NULLABLE("value", FIELD_DOUBLE),
    NULLABLE("unit", FIELD_STRING),     NULLABLE("level", FIELD_STRING),
    NULLABLE("message", FIELD_STRING),  REQUIRED("occurred_at", FIELD_TIME),
    DEFAULTED("labels", FIELD_LABELS),
};

static const struct stream_field feedback_fields[] = {
    REQUIRED("event_id", FIELD_STRING), REQUIRED("recommendation_id", FIELD_STRING),
    ENUM("action", feedback_action),    NULLABLE("expected_version", FIELD_INT),
    NULLABLE("until", FIELD_TIME),      REQUIRED("actor", FIELD_STRING),
    NULLABLE("comment", FIELD_STRING),  REQUIRED("occurred_at", FIELD_TIME),
};

static const struct stream_field detection_fields[] = {
    REQUIRED("rule_id", FIELD_STRING), REQUIRED("occurred_at", FIELD_TIME), DEFAULTED("group", FIELD_MAP),
    DEFAULTED("values", FIELD_MAP),    NULLABLE("service", FIELD_STRING), /* the group's; else the one service seen, if
                                                                             it is one */
};

static const struct stream_field scorecard_fields[] = {
    REQUIRED("scorecard_id", FIELD_STRING), REQUIRED("id", FIELD_STRING),      DEFAULTED("group", FIELD_MAP),
    NULLABLE("service", FIELD_STRING),      NULLABLE("value", FIELD_DOUBLE),   NULLABLE("previous", FIELD_DOUBLE),
    NULLABLE("change", FIELD_DOUBLE),       NULLABLE_ENUM("trend", trends),    NULLABLE("target_met", FIELD_BOOL),
    REQUIRED("window_from", FIELD_TIME),    REQUIRED("window_to", FIELD_TIME), REQUIRED("event_time", FIELD_TIME),
};

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))
static const struct stream streams[STREAM_COUNT] = {
    [STREAM_INCIDENT] = {STREAM_INCIDENT, "incident", "Incident", incident_fields, COUNT(incident_fields),
                         INCIDENT_OPENED_AT, INCIDENT_OCCURRED_AT, INCIDENT_SERVICE, INCIDENT_EVENT_ID, true},
    [STREAM_DEPLOYMENT] = {STREAM_DEPLOYMENT, "deployment", "Deployment", deployment_fields, COUNT(deployment_fields),
                           DEPLOYMENT_OPENED_AT, DEPLOYMENT_OCCURRED_AT, DEPLOYMENT_SERVICE, DEPLOYMENT_EVENT_ID, true},
    [STREAM_TELEMETRY] = {STREAM_TELEMETRY, "telemetry", "Telemetry", telemetry_fields, COUNT(telemetry_fields),
                          COUNT(telemetry_fields), TELEMETRY_OCCURRED_AT, TELEMETRY_SERVICE, TELEMETRY_EVENT_ID, false},
    [STREAM_FEEDBACK] = {STREAM_FEEDBACK, "feedback", "Feedback", feedback_fields, COUNT(feedback_fields),
                         COUNT(feedback_fields), FEEDBACK_OCCURRED_AT, -1, FEEDBACK_EVENT_ID, false},
    [STREAM_DETECTION] = {STREAM_DETECTION, "detection", NULL, detection_fields, COUNT(detection_fields),
                          COUNT(detection_fields), DETECTION_OCCURRED_AT, DETECTION_SERVICE, -1, false},
    [STREAM_SCORECARD] = {STREAM_SCORECARD, "scorecard", NULL, scorecard_fields, COUNT(scorecard_fields),
                          COUNT(scorecard_fields), SCORECARD_EVENT_TIME, SCORECARD_SERVICE, -1, false},
};
_Static_assert(INCIDENT_TTR + 1 == sizeof incident_fields / sizeof *incident_fields, "the enum follows the table");
_Static_assert(DEPLOYMENT_UPDATED_AT + 1 == sizeof deployment_fields / sizeof *deployment_fields, "as above");
_Static_assert(TELEMETRY_LABELS + 1 == sizeof telemetry_fields / sizeof *telemetry_fields, "as above");
_Static_assert(FEEDBACK_OCCURRED_AT + 1 == sizeof feedback_fields / sizeof *feedback_fields, "as above");
_Static_assert(DETECTION_SERVICE + 1 == sizeof detection_fields / sizeof *detection_fields, "as above");
_Static_assert(SCORECARD_EVENT_TIME + 1 == sizeof scorecard_fields / sizeof *scorecard_fields, "as above");
_Static_assert(sizeof incident_fields / sizeof *incident_fields <= STREAM_FIELDS_MAX, "an event holds every field");

const struct stream *stream_get(enum stream_id id)
{
    return &streams[id];
}

const struct stream *stream_find(struct str name)
{
    for (int i = 0; i < STREAM_COUNT; i++)
        if (str_is(name, streams[i].name))
            return &streams[i];
    return NULL;
}

int stream_field_find(const struct stream *stream, struct str name)
{
    for (int i = 0; i < stream->field_count; i++)
        if (str_is(name, stream->fields[i].name))
            return i;
    return -1;
}

int severity_weight(struct str severity)
{
    static const int weights[] = {16, 8, 4, 2, 1};
    if (severity.n != 4 || memcmp(severity.p, "sev", 3) != 0 || severity.p[3] < '1' || severity.p[3] > '5')
        return 0;
    return weights[severity.p[3] - '1'];
}

const char *stream_symbol(const struct stream_field *field, struct str text)
{
    for (const char *const *symbol = field->symbols; *symbol != NULL; symbol++)
        if (strlen(*symbol) == text.n && strncasecmp(*symbol, text.p, text.n) == 0)
            return *symbol;
    return NULL;
}
