/* A row that contributed to a recommendation, remembered for as long as it counts or could be listed again.
 *
 * Incident rows are known by (incident_id, service) and carry what impact, benefit and counts need. Deployment rows are
 * remembered by their place, only so that none counts as an occurrence twice.
 */
#ifndef FORESTALL_RECOMMEND_REMEMBERED_H
#define FORESTALL_RECOMMEND_REMEMBERED_H

#include "recommend/tally.h"
#include "rule/ruleset.h"

enum { REMEMBERED_TEXT_BYTES_MAX = 1024, REMEMBERED_TITLE_BYTES_MAX = 200 }; /* longer texts are cut */

/* What an incident goes by whose cause nobody names: this, and the fingerprint of its title. */
#define REMEMBERED_UNNAMED "unnamed: "

struct remembered {
    struct str key;         /* sorts rows of one incident side by side; heap */
    size_t incident_length; /* of the key: what the rows of one incident have in common; 0: no incident */
    struct str data;        /* the encoding that the rest was read from and borrows from; heap */
    struct str groups;      /* encoded; empty where the recommendation is one group's */
    bool selected;          /* by one of its groups, so it counts; false: remembered only */
    int64_t opened_ms;
    int64_t start_ms;      /* INT64_MIN: unknown */
    int64_t end_ms;        /* INT64_MIN: not resolved */
    int weight;            /* of the current severity */
    struct str root_cause; /* or REMEMBERED_UNNAMED and a pattern */
    struct str component;
    struct str code_refs; /* encoded texts */
};

/* A group says whether it selects a row. */
struct remembered_choice {
    uint64_t group; /* REMEMBERED_NO_GROUP: a raw update, which no group takes back */
    bool selected;
    bool shared; /* the recommendation may have other groups, which say so of the row for themselves */
};

/* No more groups of a rule than it has inputs select a row at a time; and one for raw updates. */
enum { REMEMBERED_NO_GROUP = 0, REMEMBERED_GROUPS_MAX = RULE_INPUTS_MAX + 1 };

/* What a row's groups said: those through which it contributed, ascending. One that no longer selects it is remembered
 * while there is room. */
struct remembered_groups {
    bool shared;
    bool selected; /* where the recommendation is one group's, which then is not listed */
    size_t count;
    struct {
        uint64_t hash;
        bool selected;
    } items[REMEMBERED_GROUPS_MAX];
    bool added;   /* by remembered_choose: the choice's group was not among them */
    bool dropped; /* by remembered_choose: another had to go */
    uint64_t dropped_group;
};

/* Somebody named the cause. */
bool remembered_names_cause(const struct remembered *row);
/* True for a row, false for an event of its own (also a raw update of a row). */
bool remembered_is_row(const struct event *event);
/* True where the event is worth remembering: incidents and rows. */
bool remembered_takes(const struct event *event);
/* Appends the key under which the event is remembered. */
void remembered_key(struct buf *out, const struct event *event);
/* The row's groups with the choice of one of them; `before`: what is known of the row, or NULL. */
struct remembered_groups remembered_choose(const struct remembered *before, struct remembered_choice choice);
void remembered_groups_read(const struct remembered *row, struct remembered_groups *groups);
/* Appends the encoding of what is remembered of the event; `before`: what is known of it, or NULL. A raw update's nulls
 * leave what is known. */
void remembered_encode(struct buf *out, const struct event *event, const struct remembered_groups *groups,
                       const struct remembered *before);
/* Reads key and data, which are copied. NULL: they are no encoding. */
struct remembered *remembered_new(struct str key, struct str data);
/* Takes new data that remembered_encode wrote. */
void remembered_set(struct remembered *row, struct str data);
void remembered_free(struct remembered *row);
size_t remembered_bytes(const struct remembered *row);

static inline bool remembered_is_incident(const struct remembered *row)
{
    return row->incident_length > 0;
}
/* The end (exclusive) of the rows from `from` on that are of one incident; `rows` is in order of key. */
size_t remembered_incident_end(struct remembered *const *rows, size_t row_count, size_t from);

#endif
