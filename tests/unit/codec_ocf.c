/* Container files: blocks, both codecs, and files that are broken in every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "codec/ocf.h"

#define SYNC "0123456789abcdef"

static char path[] = "/tmp/codec_ocf.XXXXXX";
static struct error err;

static void put_bytes(struct buf *out, struct str bytes)
{
    buf_zigzag(out, (int64_t)bytes.n);
    buf_str_put(out, bytes);
}

static void put_header(struct buf *out, const char *codec)
{
    buf_put(out, "Obj\x01", 4);
    buf_zigzag(out, codec != NULL ? 2 : 1);
    put_bytes(out, STR_LIT("avro.schema"));
    put_bytes(out, STR_LIT("\"long\""));
    if (codec != NULL) {
        put_bytes(out, STR_LIT("avro.codec"));
        put_bytes(out, str_of(codec));
    }
    buf_zigzag(out, 0);
    buf_puts(out, SYNC);
}

static void put_block(struct buf *out, int64_t count, struct str bytes, bool deflated)
{
    char packed[1024];
    if (deflated) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes.p,
                      .avail_in = (uInt)bytes.n,
                      .next_out = (Bytef *)packed,
                      .avail_out = sizeof packed};
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        bytes = (struct str){packed, z.total_out};
        assert_int_equal(deflateEnd(&z), Z_OK);
    }
    buf_zigzag(out, count);
    put_bytes(out, bytes);
    buf_puts(out, SYNC);
}

static void save(const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static struct ocf *open_saved(const struct buf *file)
{
    struct ocf *ocf = NULL;
    save(file->p, file->len);
    err = (struct error){0};
    return ocf_open(&ocf, path, &err) == 0 ? ocf : NULL;
}

static void test_blocks(void **state)
{
    (void)state;
    static const char *const codecs[] = {NULL, "null", "deflate"};
    for (int i = 0; i < 3; i++) {
        struct buf file = {0};
        struct str bytes;
        int64_t count;
        int64_t skipped = 0;
        int64_t at;
        int64_t size;
        put_header(&file, codecs[i]);
        put_block(&file, 3, STR_LIT("aaa"), i == 2);
        put_block(&file, 0, STR_LIT(""), i == 2);
        put_block(&file, 2, STR_LIT("bb"), i == 2);
        struct ocf *ocf = open_saved(&file);
        if (ocf == NULL)
            fail_msg("%s", err.message);
        assert_true(ocf_is(path));
        assert_true(str_is(ocf_schema(ocf), "\"long\""));
        assert_int_equal(ocf_next_block(ocf, &bytes, &count, &skipped, &err), 0);
        assert_true(count == 3 && str_is(bytes, "aaa"));
        assert_int_equal(ocf_next_block(ocf, &bytes, &count, &skipped, &err), 0);
        assert_true(count == 2 && str_is(bytes, "bb"));
        assert_int_equal(ocf_next_block(ocf, &bytes, &count, &skipped, &err), 0);
        assert_true(count == 0 && skipped == 0);
        ocf_progress(ocf, &at, &size);
        assert_true(at == size && size == (int64_t)file.len);
        ocf_close(ocf);
        buf_fini(&file);
    }
}

static void test_headers_refused(void **state)
{
    (void)state;
    struct buf file = {0};
    struct ocf *ocf;
    put_header(&file, "snappy");
    assert_null(open_saved(&file));
    assert_non_null(strstr(err.message, "compressed with 'snappy'; null and deflate can be read"));
    buf_reset(&file);
    put_header(&file, NULL);
    for (size_t cut = 0; cut < file.len; cut++) {
        save(file.p, cut);
        assert_int_equal(ocf_open(&ocf, path, &err), -1);
    }
    assert_int_equal(ocf_open(&ocf, "/nonexistent", &err), -1);
    assert_int_equal(ocf_open(&ocf, "/tmp", &err), -1);
    assert_false(ocf_is("/nonexistent"));
    buf_fini(&file);
}

/* Reads to the end; returns how many records came, -1 where it ends in an error. */
static int64_t read_all(struct ocf *ocf, int64_t *skipped)
{
    int64_t total = 0;
    for (;;) {
        struct str bytes;
        int64_t count = 0;
        if (ocf_next_block(ocf, &bytes, &count, skipped, &err) != 0)
            return -1;
        if (count == 0)
            return total;
        assert_int_equal(bytes.n, count);
        total += count;
    }
}

static void test_broken_block(void **state)
{
    (void)state;
    struct buf file = {0};
    put_header(&file, NULL);
    size_t start = file.len;
    put_block(&file, 3, STR_LIT("aaa"), false);
    size_t second = file.len;
    put_block(&file, 2, STR_LIT("bb"), false);
    size_t third = file.len;
    put_block(&file, 4, STR_LIT("cccc"), false);
    /* A size that reaches beyond the file, a count below zero, a marker that is not there. */
    static const struct {
        size_t at;
        char byte;
    } damages[] = {{1, 0x7e}, {0, 0x03}, {1, 0x02}};
    for (size_t i = 0; i < 3; i++) {
        int64_t skipped = 0;
        char kept = file.p[second + damages[i].at];
        file.p[second + damages[i].at] = damages[i].byte;
        struct ocf *ocf = open_saved(&file);
        assert_int_equal(read_all(ocf, &skipped), 3 + 4);
        assert_int_equal(skipped, 1);
        ocf_close(ocf);
        file.p[second + damages[i].at] = kept;
    }
    /* Cut off anywhere within the last block: an error once what came before has been read. */
    for (size_t cut = third + 1; cut < file.len; cut++) {
        int64_t skipped = 0;
        save(file.p, cut);
        struct ocf *ocf;
        assert_int_equal(ocf_open(&ocf, path, &err), 0);
        assert_int_equal(read_all(ocf, &skipped), -1);
        assert_int_equal(err.class, ERROR_BAD_INPUT);
        assert_int_equal(read_all(ocf, &skipped), 0);
        ocf_close(ocf);
    }
    assert_true(start < second);
    buf_fini(&file);
}

/* A marker that lies across the windows in which markers are looked for. */
static void test_resync_far(void **state)
{
    (void)state;
    for (size_t gap = 65520; gap <= 65560; gap++) {
        struct buf file = {0};
        int64_t skipped = 0;
        put_header(&file, NULL);
        buf_puts(&file, "\x02\x7f"); /* size -64 */
        memset(buf_reserve(&file, gap), '0', gap);
        file.len += gap;
        buf_puts(&file, SYNC);
        put_block(&file, 5, STR_LIT("eeeee"), false);
        struct ocf *ocf = open_saved(&file);
        assert_int_equal(read_all(ocf, &skipped), 5);
        assert_int_equal(skipped, 1);
        ocf_close(ocf);
        buf_fini(&file);
    }
}

static void test_broken_deflate(void **state)
{
    (void)state;
    struct buf file = {0};
    put_header(&file, "deflate");
    size_t first = file.len;
    put_block(&file, 8, STR_LIT("aaaaaaaa"), true);
    put_block(&file, 2, STR_LIT("bb"), true);
    file.p[first + 2] = (char)0xff; /* a block type that deflate does not have */
    int64_t skipped = 0;
    struct ocf *ocf = open_saved(&file);
    assert_int_equal(read_all(ocf, &skipped), 2);
    assert_int_equal(skipped, 1);
    ocf_close(ocf);
    buf_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),     cmocka_unit_test(test_headers_refused), cmocka_unit_test(test_broken_block),
        cmocka_unit_test(test_resync_far), cmocka_unit_test(test_broken_deflate),
    };
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
