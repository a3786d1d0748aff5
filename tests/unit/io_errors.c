/* The one table of Kafka's errors: nothing of librdkafka is missing in it, and what follows from what matters most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/kafka_errors.h"

enum { NEWEST_KNOWN = 0x020800ff };

static bool class_possible(enum error_class class)
{
    return class == ERROR_NONE || class == ERROR_RETRY || class == ERROR_ABORT || class == ERROR_FATAL;
}

/* Of a library that is newer than what the table was made for, codes may be missing: those have the default. */
static void test_every_code_is_there(void **state)
{
    (void)state;
    const struct rd_kafka_err_desc *all;
    size_t count;
    rd_kafka_get_err_descs(&all, &count);
    size_t looked = 0;
    for (size_t i = 0; i < count; i++) {
        bool end = all[i].code == RD_KAFKA_RESP_ERR__BEGIN || all[i].code == RD_KAFKA_RESP_ERR__END;
        if (all[i].name == NULL || end)
            continue;
        looked++;
        if (rd_kafka_version() <= NEWEST_KNOWN && !kafka_code_known(all[i].code))
            fail_msg("%s (%d) is not in the table", all[i].name, (int)all[i].code);
        const struct kafka_code *found = kafka_code(all[i].code);
        assert_true(class_possible(found->reads) && class_possible(found->writes));
        assert_int_equal(found->reads, kafka_error_class(KAFKA_READS, all[i].code));
        assert_int_equal(found->writes, kafka_error_class(KAFKA_WRITES, all[i].code));
        assert_int_equal(found->reads == ERROR_RETRY, kafka_passing(all[i].code));
    }
    assert_true(looked > 140);
}

static void test_one_row_a_code(void **state)
{
    (void)state;
    int known = 0;
    for (int code = -300; code < 400; code++) {
        if (!kafka_code_known((rd_kafka_resp_err_t)code))
            continue;
        known++;
        assert_int_equal(kafka_code((rd_kafka_resp_err_t)code)->code, code);
    }
    assert_int_equal(known, kafka_code_count());
}

static void test_an_unknown_code(void **state)
{
    (void)state;
    const rd_kafka_resp_err_t unknown = (rd_kafka_resp_err_t)9999;
    assert_false(kafka_code_known(unknown));
    assert_int_equal(kafka_error_class(KAFKA_READS, unknown), ERROR_FATAL);
    assert_int_equal(kafka_error_class(KAFKA_WRITES, unknown), ERROR_ABORT);
    assert_null(kafka_code(unknown)->advice);
    const struct kafka_verdict verdict = kafka_verdict(unknown, 0);
    assert_true(verdict.class == ERROR_ABORT && verdict.dead && !verdict.group_lost);
}

/* What the rest of the program rests on. */
static const struct {
    int code;
    enum error_class reads;
    enum error_class writes;
    enum kafka_about about;
} classes[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, ERROR_RETRY, ERROR_RETRY, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ERROR_RETRY, ERROR_RETRY, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, ERROR_RETRY, ERROR_RETRY, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR__PARTIAL, ERROR_RETRY, ERROR_ABORT, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERROR_RETRY, ERROR_ABORT, KAFKA_ABOUT_TOPIC},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ERROR_ABORT, ERROR_ABORT, KAFKA_ABOUT_GROUP},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ERROR_ABORT, ERROR_ABORT, KAFKA_ABOUT_GROUP},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ERROR_ABORT, ERROR_ABORT, KAFKA_ABOUT_GROUP},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_GROUP},
    {RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, ERROR_ABORT, ERROR_ABORT, KAFKA_ABOUT_GROUP},
    {RD_KAFKA_RESP_ERR__FATAL, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_PRODUCER},
    {RD_KAFKA_RESP_ERR__FENCED, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_PRODUCER},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_PRODUCER},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_PRODUCER},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_ANOTHER},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERROR_FATAL, ERROR_FATAL, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, ERROR_FATAL, ERROR_FATAL, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERROR_FATAL, ERROR_FATAL, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ERROR_FATAL, ERROR_ABORT, KAFKA_ABOUT_NOTHING},
    {RD_KAFKA_RESP_ERR__PARTITION_EOF, ERROR_NONE, ERROR_NONE, KAFKA_ABOUT_NOTHING},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        const struct kafka_code *found = kafka_code((rd_kafka_resp_err_t)classes[i].code);
        if (found->reads != classes[i].reads || found->writes != classes[i].writes || found->about != classes[i].about)
            fail_msg("%s", rd_kafka_err2name((rd_kafka_resp_err_t)classes[i].code));
    }
}

static const struct {
    int code;
    unsigned flags;
    struct kafka_verdict verdict; /* class, dead, group_lost */
} verdicts[] = {
    /* The flags decide where the code leaves it open. */
    {RD_KAFKA_RESP_ERR__TIMED_OUT, KAFKA_FLAG_RETRIABLE, {ERROR_RETRY, true, false}},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, KAFKA_FLAG_ABORT, {ERROR_ABORT, false, false}},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, KAFKA_FLAG_RETRIABLE | KAFKA_FLAG_ABORT, {ERROR_ABORT, false, false}},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, KAFKA_FLAG_RETRIABLE | KAFKA_FLAG_FATAL, {ERROR_ABORT, true, false}},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, 0, {ERROR_ABORT, true, false}},
    {RD_KAFKA_RESP_ERR__FENCED, KAFKA_FLAG_FATAL, {ERROR_ABORT, true, false}},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, KAFKA_FLAG_FATAL, {ERROR_ABORT, true, false}},
    {RD_KAFKA_RESP_ERR__STATE, 0, {ERROR_ABORT, true, false}},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, KAFKA_FLAG_ABORT, {ERROR_ABORT, false, true}},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, KAFKA_FLAG_ABORT, {ERROR_ABORT, false, true}},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, KAFKA_FLAG_ABORT, {ERROR_ABORT, false, true}},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, KAFKA_FLAG_ABORT, {ERROR_ABORT, false, true}},
    /* No transaction will do better. */
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, KAFKA_FLAG_ABORT, {ERROR_FATAL, false, false}},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KAFKA_FLAG_FATAL, {ERROR_FATAL, true, false}},
    {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, KAFKA_FLAG_ABORT, {ERROR_FATAL, false, false}},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        const rd_kafka_resp_err_t code = (rd_kafka_resp_err_t)verdicts[i].code;
        const struct kafka_verdict verdict = kafka_verdict(code, verdicts[i].flags);
        const struct kafka_verdict *wanted = &verdicts[i].verdict;
        if (verdict.class != wanted->class || verdict.dead != wanted->dead || verdict.group_lost != wanted->group_lost)
            fail_msg("%s with %u: class %d, dead %d, group_lost %d", rd_kafka_err2name(code), verdicts[i].flags,
                     (int)verdict.class, verdict.dead, verdict.group_lost);
    }
}

static void test_an_error_without_flags(void **state)
{
    (void)state;
    rd_kafka_error_t *error = rd_kafka_error_new(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, "said");
    const struct kafka_verdict verdict = kafka_error_judge(error);
    assert_true(verdict.class == ERROR_ABORT && verdict.dead && verdict.group_lost);
    rd_kafka_error_destroy(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_is_there),
        cmocka_unit_test(test_one_row_a_code),
        cmocka_unit_test(test_an_unknown_code),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_an_error_without_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
