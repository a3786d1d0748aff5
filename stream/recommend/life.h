/* The life of a recommendation as its record keeps it: status, what froze with it, who changed it when.
 *
 * What may follow what is in lifecycle.h, whose lifecycle_transition alone changes the status.
 */
#ifndef FORESTALL_RECOMMEND_LIFE_H
#define FORESTALL_RECOMMEND_LIFE_H

#include "event/value.h"

/* In the order of the state's bytes. */
enum life_status {
    LIFE_PROPOSED,
    LIFE_ACCEPTED,
    LIFE_IN_PROGRESS,
    LIFE_IMPLEMENTED,
    LIFE_VALIDATING,
    LIFE_VALIDATED,
    LIFE_INEFFECTIVE,
    LIFE_DISMISSED,
    LIFE_SUPERSEDED,
    LIFE_REOPENED,
    LIFE_STATUSES
};

enum {
    LIFE_CHANGES_MAX = 99, /* beside the first one, which is always kept */
    LIFE_SEEN_MAX = 64,    /* feedback that is known when it comes again */
    LIFE_SUPERSEDES_MAX = 100,
    LIFE_TEXT_BYTES_MAX = 1024 /* longer actors and comments are cut */
};

/* A change of status, or a comment: then `from` is `to`. */
struct life_change {
    int64_t at_ms;
    enum life_status from;
    enum life_status to;
    struct str actor;   /* heap */
    struct str comment; /* heap; p NULL: none */
};

struct life {
    enum life_status status;
    int64_t since_ms; /* of the status; where it is LIFE_PROPOSED for the first time, not set */
    int64_t until_ms; /* of LIFE_DISMISSED: proposed again then; INT64_MAX: never */
    bool untold;      /* something that is published at once; never while nobody works on the recommendation */
    bool appeared;    /* made, or open again by itself; likewise */

    uint64_t version;         /* life_version of the record last published */
    uint64_t published;       /* hash of its status, title and spec */
    int64_t implemented_ms;   /* INT64_MIN: never */
    struct buf frozen;        /* title and spec, encoded as one list; empty: they are the newest evaluation's */
    struct str superseded_by; /* an id; heap; empty: none */

    struct life_change *changes; /* ascending; the first, by which it was proposed, is not among them; heap */
    size_t change_count;
    size_t change_cap;
    struct str *supersedes; /* ids, ascending; heap, the texts too */
    size_t supersedes_count;
    size_t supersedes_cap;
    uint64_t seen[LIFE_SEEN_MAX]; /* hashes of event ids, the newest last */
    size_t seen_count;
};

void life_init(struct life *life);
void life_fini(struct life *life);
size_t life_bytes(const struct life *life);

/* "in_progress". */
const char *life_status_name(enum life_status status);
/* Nothing is told of one that is dismissed or superseded, whatever it counts. */
bool life_is_quiet(enum life_status status);
/* Closed ones are forgotten some day: dismissed, superseded, validated, ineffective. */
bool life_is_closed(enum life_status status);

/* Adds to the history; the texts are copied, and cut. False: an older change had to go. */
bool life_note(struct life *life, const struct life_change *change);
/* Takes note that the feedback of this event id took effect. */
void life_see(struct life *life, struct str event_id);
bool life_has_seen(const struct life *life, struct str event_id);
/* False: it was there. The oldest id in order goes when there are too many. */
bool life_add_superseded(struct life *life, struct str id);
void life_set_superseded_by(struct life *life, struct str id);

/* Two parts of a record: what a restore needs of it, and the rest. Decoding latches failures in the reader. */
void life_encode_head(struct buf *out, const struct life *life);
void life_decode_head(struct reader *r, struct life *life);
void life_encode(struct buf *out, const struct life *life);
void life_decode(struct reader *r, struct life *life);

#endif
