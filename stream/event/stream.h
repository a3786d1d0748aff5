/* The streams that rules read: their fields, types and defaults. The schemas in schemas/ say the same; a test compares.
 *
 * Field numbers are indices into `struct event`'s values. Row fields (derived from folded updates) come after the
 * record's own.
 */
#ifndef FORESTALL_EVENT_STREAM_H
#define FORESTALL_EVENT_STREAM_H

#include "event/value.h"

enum stream_id {
    STREAM_INCIDENT,
    STREAM_DEPLOYMENT,
    STREAM_TELEMETRY,
    STREAM_FEEDBACK,
    STREAM_DETECTION,
    STREAM_SCORECARD,
    STREAM_COUNT
};

enum { STREAM_FIELDS_MAX = 24 };

enum field_kind {
    FIELD_STRING,
    FIELD_ENUM, /* a string value in lower case */
    FIELD_TIME, /* timestamp-millis */
    FIELD_SPAN,
    FIELD_INT,
    FIELD_DOUBLE,
    FIELD_BOOL,
    FIELD_STRINGS, /* list of string */
    FIELD_LABELS,  /* map of string to string */
    FIELD_MAP,     /* map of string to any */
};

struct stream_field {
    const char *name;
    enum field_kind kind;
    bool nullable;              /* absent or null is null */
    bool has_default;           /* absent is `fallback`, or the empty list or map */
    bool derived;               /* of a row, not of the record */
    const char *fallback;       /* an enum's default symbol in lower case */
    const char *const *symbols; /* lower case, NULL-terminated; of enums */
};

struct stream {
    enum stream_id id;
    const char *name;   /* as rules and sources write it */
    const char *record; /* the Avro record's name; NULL: never read from a topic */
    const struct stream_field *fields;
    int field_count;        /* derived ones included */
    int record_field_count; /* the record's own: [0, record_field_count) */
    int time_field;         /* occurred_at */
    int service_field;      /* -1: none */
    int event_id_field;     /* -1: none */
    bool rows;              /* records are updates of rows */
};

/* Fields that code names. The order is that of the tables in stream.c. */
enum incident_field {
    INCIDENT_EVENT_ID,
    INCIDENT_ID,
    INCIDENT_STATUS,
    INCIDENT_OCCURRED_AT,
    INCIDENT_SERVICE,
    INCIDENT_ENVIRONMENT,
    INCIDENT_SEVERITY,
    INCIDENT_TITLE,
    INCIDENT_ROOT_CAUSE,
    INCIDENT_COMPONENT,
    INCIDENT_STARTED_AT,
    INCIDENT_DETECTED_AT,
    INCIDENT_ACKNOWLEDGED_AT,
    INCIDENT_RESOLVED_AT,
    INCIDENT_DETECTED_BY,
    INCIDENT_DEPLOYMENT_ID,
    INCIDENT_CODE_REFS,
    INCIDENT_LABELS,
    INCIDENT_OPENED_AT,
    INCIDENT_UPDATED_AT,
    INCIDENT_WORST_SEVERITY,
    INCIDENT_REOPENED,
    INCIDENT_TTD,
    INCIDENT_TTR
};
enum deployment_field {
    DEPLOYMENT_EVENT_ID,
    DEPLOYMENT_ID,
    DEPLOYMENT_SERVICE,
    DEPLOYMENT_ENVIRONMENT,
    DEPLOYMENT_VERSION,
    DEPLOYMENT_STATUS,
    DEPLOYMENT_OCCURRED_AT,
    DEPLOYMENT_STRATEGY,
    DEPLOYMENT_COMMIT_SHA,
    DEPLOYMENT_LABELS,
    DEPLOYMENT_OPENED_AT,
    DEPLOYMENT_UPDATED_AT
};
enum telemetry_field {
    TELEMETRY_EVENT_ID,
    TELEMETRY_KIND,
    TELEMETRY_SERVICE,
    TELEMETRY_ENVIRONMENT,
    TELEMETRY_NAME,
    TELEMETRY_VALUE,
    TELEMETRY_UNIT,
    TELEMETRY_LEVEL,
    TELEMETRY_MESSAGE,
    TELEMETRY_OCCURRED_AT,
    TELEMETRY_LABELS
};

enum feedback_field {
    FEEDBACK_EVENT_ID,
    FEEDBACK_RECOMMENDATION_ID,
    FEEDBACK_ACTION,
    FEEDBACK_EXPECTED_VERSION,
    FEEDBACK_UNTIL,
    FEEDBACK_ACTOR,
    FEEDBACK_COMMENT,
    FEEDBACK_OCCURRED_AT
};
enum detection_field { DETECTION_RULE_ID, DETECTION_OCCURRED_AT, DETECTION_GROUP, DETECTION_VALUES, DETECTION_SERVICE };
enum scorecard_field {
    SCORECARD_SCORECARD_ID,
    SCORECARD_ID,
    SCORECARD_GROUP,
    SCORECARD_SERVICE,
    SCORECARD_VALUE,
    SCORECARD_PREVIOUS,
    SCORECARD_CHANGE,
    SCORECARD_TREND,
    SCORECARD_TARGET_MET,
    SCORECARD_WINDOW_FROM,
    SCORECARD_WINDOW_TO,
    SCORECARD_EVENT_TIME
};

/* Of streams that rules make: the field with the id of the rule or scorecard; -1: the stream comes from sources. */
static inline int stream_maker_field(const struct stream *stream)
{
    return stream->id == STREAM_DETECTION   ? (int)DETECTION_RULE_ID
           : stream->id == STREAM_SCORECARD ? (int)SCORECARD_ID
                                            : -1;
}

const struct stream *stream_get(enum stream_id id);
const struct stream *stream_find(struct str name);                   /* NULL: no such stream */
int stream_field_find(const struct stream *stream, struct str name); /* -1: no such field */
/* Severity weight of DESIGN section 7 (sev1 16 … sev5 1); 0 for anything else. */
int severity_weight(struct str severity);
/* The symbol of `kind`'s table that equals `text` in any case, as the table's own lower-case text; NULL: none. */
const char *stream_symbol(const struct stream_field *field, struct str text);

#endif
