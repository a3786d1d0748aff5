/* The exchange as logs, one a task: what is sent is encoded into records, which a commit publishes and the task's owner
 * reads. A record holds items in the order in which they were sent; it is about EXCHANGE_RECORD_BYTES long, so that a
 * broker sees few of them.
 *
 *     partial | update | event | feedback | change    for the task's inbox
 *     source                                          a source partition's time: all that it sent before counts
 *     stages                                          a task's times by stage, likewise
 *
 * Rules are named by the hash of their meaning: sender and receiver may have different rule sets for a while. One
 * worker's thread owns it.
 */
#ifndef FORESTALL_ENGINE_EXCHANGE_LOG_H
#define FORESTALL_ENGINE_EXCHANGE_LOG_H

#include "engine/config.h"
#include "engine/exchange.h"
#include "rule/ruleset.h"

enum { EXCHANGE_RECORD_BYTES = 48 * 1024 }; /* and one item more, which the topics leave room for */

/* What a source partition says of its time. */
struct exchange_source {
    struct str topic;
    int32_t partition;
    int64_t watermark_ms; /* TIME_NONE: none yet */
    int64_t first_ms;     /* the time of its first event; TIME_NONE: none yet */
    int64_t switch_ms;    /* it was mapped with the rules of `rules_digest` from this time on; TIME_NONE: all of it */
    uint64_t rules_digest;
    bool idle; /* quiet, and read to its end */
};

/* Up to where a task has applied its stages. */
struct exchange_stages {
    int task;
    const int64_t *applied_ms;
    size_t count;
};

struct exchange_log;

struct exchange_log *exchange_log_new(const struct ruleset *rules, const struct config *config);
void exchange_log_free(struct exchange_log *log);
/* Routes each call to the record of its task. */
struct exchange *exchange_log_exchange(struct exchange_log *log);
/* To all tasks. */
void exchange_log_source(struct exchange_log *log, const struct exchange_source *source);
void exchange_log_stages(struct exchange_log *log, const struct exchange_stages *stages);
/* Shows every record, a task's in order, and starts anew: they hold until exchange_log_sent, whatever is sent
 * meanwhile. */
void exchange_log_hand(struct exchange_log *log, void (*record)(void *context, int task, struct str bytes),
                       void *context);
/* What was handed over is done with. */
void exchange_log_sent(struct exchange_log *log);
size_t exchange_log_bytes(const struct exchange_log *log);
/* A task sent something that another one waits for. */
bool exchange_log_hurries(const struct exchange_log *log);
/* Drops everything. */
void exchange_log_clear(struct exchange_log *log);

#endif
