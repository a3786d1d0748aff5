/* Container files by pread: a header, then blocks of (count, size, records, sync marker).
 *
 * Invariant: `at` is where the next block's head starts, at most `size`. Whatever a head or a compressed block says is
 * checked against the file's size and OCF_BLOCK_BYTES_MAX before memory is taken for it.
 */
#define ZLIB_CONST
#include "codec/ocf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { MAGIC_BYTES = 4, SYNC_BYTES = 16, HEADER_BYTES_MAX = 1024 * 1024, HEAD_BYTES_MAX = 20 };
enum { DEFLATE_TRAILER_MAX = 4 };
enum { OCF_BLOCK_BYTES_MAX = 256 * 1024 * 1024, SCAN_BYTES = 64 * 1024 };
static const char magic[] = {'O', 'b', 'j', 1};

struct ocf {
    int fd;
    int64_t size;
    int64_t at;
    bool deflate;
    char sync[SYNC_BYTES];
    struct buf schema;
    struct buf raw;   /* the block as it lies in the file */
    struct buf plain; /* and inflated */
};

/* Reads exactly `n` bytes from `offset`; false at the end of the file or on an error. */
static bool read_at(const struct ocf *ocf, void *bytes, size_t n, int64_t offset)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(ocf->fd, (char *)bytes + done, n - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

bool ocf_is(const char *path)
{
    struct ocf ocf = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    char start[MAGIC_BYTES];
    if (ocf.fd < 0)
        return false;
    bool is = read_at(&ocf, start, sizeof start, 0) && memcmp(start, magic, sizeof start) == 0;
    (void)close(ocf.fd);
    return is;
}

static struct str read_bytes(struct reader *r)
{
    int64_t n = read_zigzag(r);
    if (r->failed || n < 0 || (uint64_t)n > reader_left(r)) {
        r->failed = true;
        return (struct str){"", 0};
    }
    struct str bytes = {(const char *)r->p, (size_t)n};
    r->p += n;
    return bytes;
}

struct header {
    struct str schema;
    struct str codec;
};

/* The metadata: a map of bytes in blocks. */
static void read_metadata(struct reader *r, struct header *header)
{
    for (;;) {
        int64_t count = read_zigzag(r);
        if (count == 0 || r->failed)
            return;
        if (count < 0) {
            (void)read_zigzag(r); /* the block's size in bytes */
            count = count == INT64_MIN ? INT64_MAX : -count;
        }
        for (int64_t i = 0; i < count && !r->failed; i++) {
            struct str key = read_bytes(r);
            struct str value = read_bytes(r);
            if (str_is(key, "avro.schema"))
                header->schema = value;
            else if (str_is(key, "avro.codec"))
                header->codec = value;
        }
    }
}

static int read_header(struct ocf *ocf, const char *path, struct error *err)
{
    struct header header = {{NULL, 0}, STR_LIT("null")};
    size_t n = ocf->size < HEADER_BYTES_MAX ? (size_t)ocf->size : HEADER_BYTES_MAX;
    if (n >= MAGIC_BYTES && !read_at(ocf, buf_reserve(&ocf->raw, n), n, 0))
        return error_set(err, ERROR_BAD_INPUT, "%s: cannot be read", path);
    if (n < MAGIC_BYTES || memcmp(ocf->raw.p, magic, MAGIC_BYTES) != 0)
        return error_set(err, ERROR_BAD_INPUT, "%s: not an Avro container file", path);
    struct reader r = reader_of(ocf->raw.p + MAGIC_BYTES, n - MAGIC_BYTES);
    read_metadata(&r, &header);
    if (r.failed || reader_left(&r) < SYNC_BYTES)
        return error_set(err, ERROR_BAD_INPUT, "%s: its header is broken, or longer than %d bytes", path,
                         HEADER_BYTES_MAX);
    if (header.schema.p == NULL)
        return error_set(err, ERROR_BAD_INPUT, "%s: its header holds no avro.schema", path);
    ocf->deflate = str_is(header.codec, "deflate");
    if (!ocf->deflate && !str_is(header.codec, "null"))
        return error_set(err, ERROR_BAD_INPUT, "%s: compressed with '%.*s'; null and deflate can be read", path,
                         (int)(header.codec.n < 32 ? header.codec.n : 32), header.codec.p);
    memcpy(ocf->sync, r.p, SYNC_BYTES);
    buf_str_put(&ocf->schema, header.schema);
    ocf->at = (int64_t)((const char *)r.p - ocf->raw.p) + SYNC_BYTES;
    return 0;
}

int ocf_open(struct ocf **out, const char *path, struct error *err)
{
    struct ocf *ocf = mem_zalloc(sizeof *ocf);
    struct stat status;
    ocf->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ocf->fd < 0 || fstat(ocf->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)error_set(err, ERROR_BAD_INPUT, "%s: %s", path, ocf->fd < 0 ? strerror(errno) : "not a file");
        ocf_close(ocf);
        return -1;
    }
    ocf->size = status.st_size;
    if (read_header(ocf, path, err) != 0) {
        ocf_close(ocf);
        return -1;
    }
    *out = ocf;
    return 0;
}

void ocf_close(struct ocf *ocf)
{
    if (ocf == NULL)
        return;
    if (ocf->fd >= 0)
        (void)close(ocf->fd);
    buf_fini(&ocf->schema);
    buf_fini(&ocf->raw);
    buf_fini(&ocf->plain);
    free(ocf);
}

struct str ocf_schema(const struct ocf *ocf)
{
    return buf_str(&ocf->schema);
}

void ocf_progress(const struct ocf *ocf, int64_t *read, int64_t *size)
{
    *read = ocf->at;
    *size = ocf->size;
}

/* One block's bytes, raw deflate as the specification has it, into `plain`; false where they are broken. */
static bool inflate_block(struct ocf *ocf, struct str raw)
{
    z_stream z = {0};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return false;
    z.next_in = (const Bytef *)raw.p;
    z.avail_in = (uInt)raw.n;
    buf_reset(&ocf->plain);
    int status = Z_OK;
    while (status == Z_OK && ocf->plain.len < OCF_BLOCK_BYTES_MAX) {
        char *room = buf_reserve(&ocf->plain, SCAN_BYTES);
        z.next_out = (Bytef *)room;
        z.avail_out = SCAN_BYTES;
        status = inflate(&z, Z_NO_FLUSH);
        ocf->plain.len += SCAN_BYTES - z.avail_out;
    }
    (void)inflateEnd(&z);
    /* Some writers (fastavro) leave bytes of a zlib checksum behind the deflate stream. */
    return status == Z_STREAM_END && z.avail_in <= DEFLATE_TRAILER_MAX;
}

/* Reads the block at `at` and moves on; false where it is broken. */
static bool read_block(struct ocf *ocf, struct str *bytes, int64_t *count)
{
    char head[HEAD_BYTES_MAX];
    int64_t left = ocf->size - ocf->at;
    size_t n = left < HEAD_BYTES_MAX ? (size_t)left : HEAD_BYTES_MAX;
    if (!read_at(ocf, head, n, ocf->at))
        return false;
    struct reader r = reader_of(head, n);
    *count = read_zigzag(&r);
    int64_t size = read_zigzag(&r);
    int64_t start = ocf->at + (int64_t)((const char *)r.p - head);
    if (r.failed || *count < 0 || size < 0 || size > OCF_BLOCK_BYTES_MAX || size + SYNC_BYTES > ocf->size - start)
        return false;
    buf_reset(&ocf->raw);
    if (!read_at(ocf, buf_reserve(&ocf->raw, (size_t)size + SYNC_BYTES), (size_t)size + SYNC_BYTES, start) ||
        memcmp(ocf->raw.p + size, ocf->sync, SYNC_BYTES) != 0)
        return false;
    *bytes = (struct str){ocf->raw.p, (size_t)size};
    if (ocf->deflate) {
        if (!inflate_block(ocf, *bytes))
            return false;
        *bytes = buf_str(&ocf->plain);
    }
    ocf->at = start + size + SYNC_BYTES;
    return true;
}

/* Where the first sync marker at or after `from` ends; -1: there is none. */
static int64_t find_sync(struct ocf *ocf, int64_t from)
{
    char *window = buf_reserve(&ocf->plain, SCAN_BYTES);
    while (ocf->size - from >= SYNC_BYTES) {
        size_t n = ocf->size - from < SCAN_BYTES ? (size_t)(ocf->size - from) : SCAN_BYTES;
        if (!read_at(ocf, window, n, from))
            return -1;
        for (size_t i = 0; i + SYNC_BYTES <= n; i++) {
            const char *first = memchr(window + i, ocf->sync[0], n - SYNC_BYTES + 1 - i);
            if (first == NULL)
                break;
            i = (size_t)(first - window);
            if (memcmp(first, ocf->sync, SYNC_BYTES) == 0)
                return from + (int64_t)i + SYNC_BYTES;
        }
        from += (int64_t)n - SYNC_BYTES + 1;
    }
    return -1;
}

int ocf_next_block(struct ocf *ocf, struct str *bytes, int64_t *count, int64_t *skipped, struct error *err)
{
    *count = 0;
    while (ocf->at < ocf->size) {
        int64_t start = ocf->at;
        if (read_block(ocf, bytes, count)) {
            if (*count > 0)
                return 0;
            continue;
        }
        *count = 0;
        buf_reset(&ocf->plain);
        int64_t next = find_sync(ocf, start);
        ocf->at = next < 0 ? ocf->size : next;
        if (next < 0)
            return error_set(err, ERROR_BAD_INPUT, "the block at byte %lld is broken and no other follows",
                             (long long)start);
        (*skipped)++;
    }
    return 0;
}
