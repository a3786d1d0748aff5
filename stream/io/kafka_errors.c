/* The table, in order of code. Where a class is not what librdkafka's documentation says, a comment says why.
 *
 * Versions are those in which a defect ended; both packaged ones, 2.0.2 and 2.8.0, are older unless it is said.
 */
#include "io/kafka_errors.h"

#define LOCAL(name)  RD_KAFKA_RESP_ERR__##name
#define BROKER(name) RD_KAFKA_RESP_ERR_##name
#define NONE         ERROR_NONE
#define RETRY        ERROR_RETRY
#define ABORT        ERROR_ABORT
#define FATAL        ERROR_FATAL
#define NOTHING      KAFKA_ABOUT_NOTHING
#define GROUP        KAFKA_ABOUT_GROUP
#define PRODUCER     KAFKA_ABOUT_PRODUCER
#define TOPIC        KAFKA_ABOUT_TOPIC
#define ANOTHER      KAFKA_ABOUT_ANOTHER

static const char credentials[] = "are the credentials right?";
static const char right[] = "give this user the right to it";
static const char old_broker[] = "the brokers are too old";
static const char deleted[] = "was the topic deleted?";
static const char size[] = "raise the topic's max.message.bytes";
static const char gone[] = "its records are gone (retention?): start again to be told the choices";
static const char replicas[] = "fewer replicas are in sync than min.insync.replicas asks for: are brokers down?";
static const char damaged[] = "the broker's log is damaged: see its own log";

static const struct kafka_code codes[] = {
    /* librdkafka's own. */
    {LOCAL(BAD_MSG), FATAL, ABORT, NOTHING, damaged},
    {LOCAL(BAD_COMPRESSION), FATAL, FATAL, NOTHING, "this librdkafka was built without that compression"},
    {LOCAL(DESTROY), FATAL, ABORT, ANOTHER, NULL},
    {LOCAL(FAIL), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(TRANSPORT), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(CRIT_SYS_RESOURCE), FATAL, FATAL, NOTHING, "the system refuses threads or memory"},
    {LOCAL(RESOLVE), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(MSG_TIMED_OUT), FATAL, ABORT, NOTHING,
     "the partition has no leader, or fewer replicas in sync than min.insync.replicas: are brokers down?"},
    {LOCAL(PARTITION_EOF), NONE, NONE, NOTHING, NULL},
    /* Said to be permanent, of topics and partitions that are there: until 2.10.0 (#4970) what one broker answers
     * while it starts or stops is handed on. */
    {LOCAL(UNKNOWN_PARTITION), RETRY, ABORT, TOPIC, deleted},
    {LOCAL(FS), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(UNKNOWN_TOPIC), RETRY, ABORT, TOPIC, deleted},
    {LOCAL(ALL_BROKERS_DOWN), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(INVALID_ARG), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(TIMED_OUT), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(QUEUE_FULL), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(ISR_INSUFF), RETRY, ABORT, NOTHING, NULL},
    {LOCAL(NODE_UPDATE), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(SSL), FATAL, ABORT, NOTHING, "are the certificates right?"},
    {LOCAL(WAIT_COORD), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(UNKNOWN_GROUP), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(IN_PROGRESS), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(PREV_IN_PROGRESS), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(EXISTING_SUBSCRIPTION), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(ASSIGN_PARTITIONS), NONE, NONE, NOTHING, NULL},
    {LOCAL(REVOKE_PARTITIONS), NONE, NONE, NOTHING, NULL},
    /* Another transactional call was given up and goes on. */
    {LOCAL(CONFLICT), FATAL, ABORT, PRODUCER, NULL},
    {LOCAL(STATE), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(UNKNOWN_PROTOCOL), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(NOT_IMPLEMENTED), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(AUTHENTICATION), FATAL, FATAL, NOTHING, credentials},
    {LOCAL(NO_OFFSET), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(OUTDATED), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(TIMED_OUT_QUEUE), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(UNSUPPORTED_FEATURE), FATAL, FATAL, NOTHING, old_broker},
    {LOCAL(WAIT_CACHE), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(INTR), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(KEY_SERIALIZATION), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(VALUE_SERIALIZATION), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(KEY_DESERIALIZATION), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(VALUE_DESERIALIZATION), FATAL, FATAL, NOTHING, NULL},
    /* A question to all brokers, of which some did not answer. */
    {LOCAL(PARTIAL), RETRY, ABORT, NOTHING, NULL},
    {LOCAL(READ_ONLY), FATAL, FATAL, NOTHING, NULL},
    /* No partition asked about has a leader. */
    {LOCAL(NOENT), RETRY, ABORT, NOTHING, NULL},
    {LOCAL(UNDERFLOW), FATAL, ABORT, NOTHING, NULL},
    {LOCAL(INVALID_TYPE), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(RETRY), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(PURGE_QUEUE), FATAL, ABORT, ANOTHER, NULL},
    {LOCAL(PURGE_INFLIGHT), FATAL, ABORT, ANOTHER, NULL},
    /* To a consumer it is the fence of its group.instance.id (#2635); a producer's are mended by a new one. */
    {LOCAL(FATAL), FATAL, ABORT, PRODUCER, NULL},
    /* From 2.2.0 to 2.4.0 raised without cause where a large batch is sent again (#4736). */
    {LOCAL(INCONSISTENT), FATAL, ABORT, PRODUCER, NULL},
    {LOCAL(GAPLESS_GUARANTEE), FATAL, ABORT, PRODUCER, NULL},
    {LOCAL(MAX_POLL_EXCEEDED), ABORT, ABORT, GROUP, NULL},
    {LOCAL(UNKNOWN_BROKER), RETRY, RETRY, NOTHING, NULL},
    {LOCAL(NOT_CONFIGURED), FATAL, FATAL, NOTHING, NULL},
    /* What INVALID_PRODUCER_EPOCH and PRODUCER_FENCED become in transactions. The documentation speaks of a second
     * instance, but a transaction that timed out on the broker does it too (KIP-588 is not there). */
    {LOCAL(FENCED), FATAL, ABORT, PRODUCER, NULL},
    {LOCAL(APPLICATION), FATAL, FATAL, NOTHING, NULL},
    {LOCAL(ASSIGNMENT_LOST), ABORT, ABORT, GROUP, NULL},
    {LOCAL(NOOP), NONE, NONE, NOTHING, NULL},
    {LOCAL(AUTO_OFFSET_RESET), FATAL, ABORT, NOTHING, gone},
    {-139 /* LOG_TRUNCATION, 2.1.0 */, FATAL, ABORT, NOTHING,
     "an election lost records: start again to be told the choices"},
    {-138 /* INVALID_DIFFERENT_RECORD, 2.4.0 */, FATAL, ABORT, ANOTHER, NULL},

    /* The brokers'. */
    {BROKER(UNKNOWN), RETRY, ABORT, NOTHING, "see the broker's log"},
    {BROKER(NO_ERROR), NONE, NONE, NOTHING, NULL},
    {BROKER(OFFSET_OUT_OF_RANGE), FATAL, ABORT, NOTHING, gone},
    {BROKER(INVALID_MSG), FATAL, ABORT, NOTHING, damaged},
    {BROKER(UNKNOWN_TOPIC_OR_PART), RETRY, ABORT, TOPIC, deleted}, /* as UNKNOWN_PARTITION above */
    {BROKER(INVALID_MSG_SIZE), FATAL, FATAL, NOTHING, size},
    {BROKER(LEADER_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(NOT_LEADER_FOR_PARTITION), RETRY, RETRY, NOTHING, NULL},
    {BROKER(REQUEST_TIMED_OUT), RETRY, RETRY, NOTHING, NULL},
    {BROKER(BROKER_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(REPLICA_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(MSG_SIZE_TOO_LARGE), FATAL, FATAL, NOTHING, size},
    {BROKER(STALE_CTRL_EPOCH), RETRY, RETRY, NOTHING, NULL},
    {BROKER(OFFSET_METADATA_TOO_LARGE), FATAL, FATAL, NOTHING, "the brokers' offset.metadata.max.bytes is under 4096"},
    {BROKER(NETWORK_EXCEPTION), RETRY, RETRY, NOTHING, NULL},
    {BROKER(COORDINATOR_LOAD_IN_PROGRESS), RETRY, RETRY, NOTHING, NULL},
    {BROKER(COORDINATOR_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(NOT_COORDINATOR), RETRY, RETRY, NOTHING, NULL},
    {BROKER(TOPIC_EXCEPTION), FATAL, FATAL, NOTHING, NULL},
    {BROKER(RECORD_LIST_TOO_LARGE), FATAL, FATAL, NOTHING, "raise the topic's segment.bytes"},
    {BROKER(NOT_ENOUGH_REPLICAS), RETRY, RETRY, NOTHING, replicas},
    {BROKER(NOT_ENOUGH_REPLICAS_AFTER_APPEND), RETRY, RETRY, NOTHING, replicas},
    {BROKER(INVALID_REQUIRED_ACKS), FATAL, FATAL, NOTHING, NULL},
    {BROKER(ILLEGAL_GENERATION), ABORT, ABORT, GROUP, NULL},
    {BROKER(INCONSISTENT_GROUP_PROTOCOL), FATAL, ABORT, NOTHING, "another program is in this group"},
    {BROKER(INVALID_GROUP_ID), FATAL, FATAL, NOTHING, NULL},
    {BROKER(UNKNOWN_MEMBER_ID), ABORT, ABORT, GROUP, NULL},
    {BROKER(INVALID_SESSION_TIMEOUT), FATAL, FATAL, NOTHING, "the brokers must allow group sessions of 10 s"},
    {BROKER(REBALANCE_IN_PROGRESS), ABORT, ABORT, GROUP, NULL},
    {BROKER(INVALID_COMMIT_OFFSET_SIZE), FATAL, FATAL, NOTHING, NULL},
    {BROKER(TOPIC_AUTHORIZATION_FAILED), FATAL, FATAL, NOTHING, right},
    {BROKER(GROUP_AUTHORIZATION_FAILED), FATAL, FATAL, NOTHING, right},
    {BROKER(CLUSTER_AUTHORIZATION_FAILED), FATAL, FATAL, NOTHING, right},
    {BROKER(INVALID_TIMESTAMP), FATAL, FATAL, NOTHING, "is this machine's clock right?"},
    {BROKER(UNSUPPORTED_SASL_MECHANISM), FATAL, FATAL, NOTHING, credentials},
    {BROKER(ILLEGAL_SASL_STATE), FATAL, FATAL, NOTHING, credentials},
    {BROKER(UNSUPPORTED_VERSION), FATAL, FATAL, NOTHING, old_broker},
    {BROKER(TOPIC_ALREADY_EXISTS), FATAL, ABORT, NOTHING, NULL},
    {BROKER(INVALID_PARTITIONS), FATAL, FATAL, NOTHING, NULL},
    {BROKER(INVALID_REPLICATION_FACTOR), FATAL, FATAL, NOTHING, "are there so many brokers?"},
    {BROKER(INVALID_REPLICA_ASSIGNMENT), FATAL, FATAL, NOTHING, NULL},
    {BROKER(INVALID_CONFIG), FATAL, FATAL, NOTHING, NULL},
    {BROKER(NOT_CONTROLLER), RETRY, RETRY, NOTHING, NULL},
    {BROKER(INVALID_REQUEST), FATAL, ABORT, NOTHING, NULL},
    {BROKER(UNSUPPORTED_FOR_MESSAGE_FORMAT), FATAL, FATAL, NOTHING, old_broker},
    {BROKER(POLICY_VIOLATION), FATAL, FATAL, NOTHING, NULL},
    /* Until 2.4.0 also after a record that was sent again and had not arrived the first time (#4438). */
    {BROKER(OUT_OF_ORDER_SEQUENCE_NUMBER), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(DUPLICATE_SEQUENCE_NUMBER), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(INVALID_PRODUCER_EPOCH), FATAL, ABORT, PRODUCER, NULL},
    /* Fatal to librdkafka, though it only says that the transaction timed out meanwhile (#3297). */
    {BROKER(INVALID_TXN_STATE), FATAL, ABORT, PRODUCER, NULL},
    /* Fatal too, or retried for ever: the transactional id was not used for the time that the brokers keep it. */
    {BROKER(INVALID_PRODUCER_ID_MAPPING), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(INVALID_TRANSACTION_TIMEOUT), FATAL, FATAL, NOTHING,
     "transaction.max.timeout.ms of the brokers must allow 10 s, for replay --out topic:NAME 15 min"},
    {BROKER(CONCURRENT_TRANSACTIONS), RETRY, RETRY, NOTHING, NULL},
    {BROKER(TRANSACTION_COORDINATOR_FENCED), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), FATAL, FATAL, NOTHING, right},
    {BROKER(SECURITY_DISABLED), FATAL, FATAL, NOTHING, NULL},
    {BROKER(OPERATION_NOT_ATTEMPTED), FATAL, ABORT, ANOTHER, NULL},
    {BROKER(KAFKA_STORAGE_ERROR), RETRY, RETRY, NOTHING, NULL},
    {BROKER(LOG_DIR_NOT_FOUND), FATAL, ABORT, NOTHING, NULL},
    {BROKER(SASL_AUTHENTICATION_FAILED), FATAL, FATAL, NOTHING, credentials},
    {BROKER(UNKNOWN_PRODUCER_ID), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(REASSIGNMENT_IN_PROGRESS), RETRY, RETRY, NOTHING, NULL},
    {BROKER(DELEGATION_TOKEN_AUTH_DISABLED), FATAL, FATAL, NOTHING, credentials},
    {BROKER(DELEGATION_TOKEN_NOT_FOUND), FATAL, FATAL, NOTHING, credentials},
    {BROKER(DELEGATION_TOKEN_OWNER_MISMATCH), FATAL, FATAL, NOTHING, credentials},
    {BROKER(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED), FATAL, FATAL, NOTHING, credentials},
    {BROKER(DELEGATION_TOKEN_AUTHORIZATION_FAILED), FATAL, FATAL, NOTHING, credentials},
    {BROKER(DELEGATION_TOKEN_EXPIRED), FATAL, FATAL, NOTHING, credentials},
    {BROKER(INVALID_PRINCIPAL_TYPE), FATAL, FATAL, NOTHING, NULL},
    {BROKER(NON_EMPTY_GROUP), FATAL, ABORT, NOTHING, "stop its members, and wait until their sessions are over"},
    {BROKER(GROUP_ID_NOT_FOUND), FATAL, ABORT, GROUP, NULL},
    {BROKER(FETCH_SESSION_ID_NOT_FOUND), RETRY, RETRY, NOTHING, NULL},
    {BROKER(INVALID_FETCH_SESSION_EPOCH), RETRY, RETRY, NOTHING, NULL},
    {BROKER(LISTENER_NOT_FOUND), RETRY, RETRY, NOTHING, NULL},
    {BROKER(TOPIC_DELETION_DISABLED), FATAL, FATAL, NOTHING, NULL},
    {BROKER(FENCED_LEADER_EPOCH), RETRY, RETRY, NOTHING, NULL},
    {BROKER(UNKNOWN_LEADER_EPOCH), RETRY, RETRY, NOTHING, NULL},
    {BROKER(UNSUPPORTED_COMPRESSION_TYPE), FATAL, FATAL, NOTHING, old_broker},
    {BROKER(STALE_BROKER_EPOCH), RETRY, RETRY, NOTHING, NULL},
    {BROKER(OFFSET_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(MEMBER_ID_REQUIRED), RETRY, RETRY, NOTHING, NULL},
    {BROKER(PREFERRED_LEADER_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(GROUP_MAX_SIZE_REACHED), FATAL, FATAL, NOTHING, "raise the brokers' group.max.size"},
    /* A member's client is done for, and only a new one helps; a commit that is fenced by it goes back. */
    {BROKER(FENCED_INSTANCE_ID), FATAL, ABORT, GROUP, "another process uses this instance's id"},
    {BROKER(ELIGIBLE_LEADERS_NOT_AVAILABLE), RETRY, RETRY, NOTHING, NULL},
    {BROKER(ELECTION_NOT_NEEDED), FATAL, ABORT, NOTHING, NULL},
    {BROKER(NO_REASSIGNMENT_IN_PROGRESS), FATAL, ABORT, NOTHING, NULL},
    {BROKER(GROUP_SUBSCRIBED_TO_TOPIC), FATAL, ABORT, NOTHING, NULL},
    {BROKER(INVALID_RECORD), FATAL, FATAL, NOTHING, NULL},
    {BROKER(UNSTABLE_OFFSET_COMMIT), RETRY, RETRY, NOTHING, NULL},
    {BROKER(THROTTLING_QUOTA_EXCEEDED), RETRY, RETRY, NOTHING, NULL},
    {BROKER(PRODUCER_FENCED), FATAL, ABORT, PRODUCER, NULL},
    {BROKER(RESOURCE_NOT_FOUND), FATAL, ABORT, NOTHING, NULL},
    {BROKER(DUPLICATE_RESOURCE), FATAL, ABORT, NOTHING, NULL},
    {BROKER(UNACCEPTABLE_CREDENTIAL), FATAL, FATAL, NOTHING, credentials},
    {BROKER(INCONSISTENT_VOTER_SET), FATAL, ABORT, NOTHING, NULL},
    {BROKER(INVALID_UPDATE_VERSION), FATAL, ABORT, NOTHING, NULL},
    {BROKER(FEATURE_UPDATE_FAILED), FATAL, ABORT, NOTHING, NULL},
    {BROKER(PRINCIPAL_DESERIALIZATION_FAILURE), FATAL, ABORT, NOTHING, NULL},
    /* Newer than 2.0.2's header. */
    {100 /* UNKNOWN_TOPIC_ID */, RETRY, ABORT, TOPIC, deleted},
    {110 /* FENCED_MEMBER_EPOCH */, ABORT, ABORT, GROUP, NULL},
    {111 /* UNRELEASED_INSTANCE_ID */, FATAL, ABORT, NOTHING, NULL},
    {112 /* UNSUPPORTED_ASSIGNOR */, FATAL, ABORT, NOTHING, NULL},
    {113 /* STALE_MEMBER_EPOCH */, ABORT, ABORT, GROUP, NULL},
    {117 /* UNKNOWN_SUBSCRIPTION_ID */, RETRY, RETRY, NOTHING, NULL},
    {118 /* TELEMETRY_TOO_LARGE */, RETRY, RETRY, NOTHING, NULL},
};

static const struct kafka_code *find(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == (int)code)
            return &codes[i];
    return NULL;
}

const struct kafka_code *kafka_code(rd_kafka_resp_err_t code)
{
    static const struct kafka_code unknown = {0, FATAL, ABORT, NOTHING, NULL};
    const struct kafka_code *found = find(code);
    return found != NULL ? found : &unknown;
}

bool kafka_code_known(rd_kafka_resp_err_t code)
{
    return find(code) != NULL;
}

size_t kafka_code_count(void)
{
    return sizeof codes / sizeof *codes;
}

enum error_class kafka_error_class(enum kafka_role role, rd_kafka_resp_err_t code)
{
    const struct kafka_code *found = kafka_code(code);
    return role == KAFKA_READS ? found->reads : found->writes;
}

bool kafka_passing(rd_kafka_resp_err_t code)
{
    return kafka_code(code)->reads == ERROR_RETRY;
}

bool kafka_offset_gone(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

struct kafka_verdict kafka_verdict(rd_kafka_resp_err_t code, unsigned flags)
{
    const struct kafka_code *found = kafka_code(code);
    struct kafka_verdict verdict = {.class = ERROR_ABORT, .group_lost = found->about == KAFKA_ABOUT_GROUP};
    if (found->writes == ERROR_FATAL) {
        /* No other transaction would fare better, whatever the flags let one try. */
        verdict.class = ERROR_FATAL;
        verdict.dead = (flags & KAFKA_FLAG_FATAL) != 0;
    } else if ((flags & KAFKA_FLAG_ABORT) == 0) {
        bool again = (flags & KAFKA_FLAG_RETRIABLE) != 0 && (flags & KAFKA_FLAG_FATAL) == 0;
        verdict.class = again ? ERROR_RETRY : ERROR_ABORT;
        verdict.dead = true;
    }
    return verdict;
}

struct kafka_verdict kafka_error_judge(const rd_kafka_error_t *error)
{
    unsigned flags = 0;
    flags |= rd_kafka_error_is_fatal(error) ? KAFKA_FLAG_FATAL : 0;
    flags |= rd_kafka_error_txn_requires_abort(error) ? KAFKA_FLAG_ABORT : 0;
    flags |= rd_kafka_error_is_retriable(error) ? KAFKA_FLAG_RETRIABLE : 0;
    return kafka_verdict(rd_kafka_error_code(error), flags);
}
