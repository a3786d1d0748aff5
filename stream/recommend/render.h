/* The record of one version, in the order of DESIGN section 7. */
#ifndef FORESTALL_RECOMMEND_RENDER_H
#define FORESTALL_RECOMMEND_RENDER_H

#include "recommend/impact.h"

/* How a dismissed one's note of its `until` begins; the time follows. */
#define NOTE_DISMISSED "dismissed until "

/* The record without its versions and event time, which are null until render_stamp. It borrows from the
 * recommendation, its rule and the arena. */
struct rendered {
    struct value *pairs;
    size_t count;
    struct str id;
};

/* A group's keys and values as records have them: text or null, whatever their type in the rule. */
struct value render_group(struct value group, struct arena *arena);
/* The id; in the arena. */
struct str render_id(const struct recommendation *recommendation, struct arena *arena);
/* Appends title and spec of the newest evaluation, encoded: what life.frozen holds. */
void render_spec(struct buf *out, const struct recommendation *recommendation);
struct rendered render_content(const struct recommendation *recommendation, const struct impact *impact,
                               struct arena *arena);
/* A hash of the content's JSON. */
uint64_t render_hash(const struct rendered *rendered);
/* A hash of what life_version counts: status, title and spec. */
uint64_t render_life_hash(const struct rendered *rendered);
/* The whole record. */
struct render_versions {
    uint64_t version;
    uint64_t life_version;
};
struct value render_stamp(struct rendered *rendered, struct render_versions versions, int64_t time_ms);

#endif
