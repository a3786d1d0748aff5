/* A growable byte buffer, and a bounds-checked reader over bytes.
 *
 * Invariants: len <= cap; p is NULL only while cap is 0. Writing never fails (out of memory ends the process).
 * A reader latches its failure: after a read beyond the end every further read returns zero and `failed` stays true, so
 * a decoder checks once, at its end.
 */
#ifndef FORESTALL_BASE_BUF_H
#define FORESTALL_BASE_BUF_H

#include "base/arena.h"

struct buf {
    char *p;
    size_t len;
    size_t cap;
};

void buf_fini(struct buf *buf);
static inline void buf_reset(struct buf *buf)
{
    buf->len = 0;
}
static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->p, buf->len};
}
/* Room for `n` more bytes; returns where they go. The caller adds what it wrote to `len`. */
char *buf_reserve(struct buf *buf, size_t n);
void buf_put(struct buf *buf, const void *bytes, size_t n);
void buf_puts(struct buf *buf, const char *text);
/* In decimal, without a format; of `width` digits at least, with zeros before it. */
void buf_decimal(struct buf *buf, int64_t n);
void buf_digits(struct buf *buf, uint64_t n, size_t width);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void buf_str_put(struct buf *buf, struct str text)
{
    buf_put(buf, text.p, text.n);
}
static inline void buf_byte(struct buf *buf, uint8_t byte)
{
    *buf_reserve(buf, 1) = (char)byte;
    buf->len++;
}
/* Big endian, so that keys sort as numbers; signed numbers with the sign bit flipped. */
void buf_u16(struct buf *buf, uint16_t n);
void buf_u32(struct buf *buf, uint32_t n);
void buf_u64(struct buf *buf, uint64_t n);
void buf_i64_sorted(struct buf *buf, int64_t n);
/* LEB128; signed numbers zigzag first. */
void buf_varint(struct buf *buf, uint64_t n);
void buf_zigzag(struct buf *buf, int64_t n);
void buf_double(struct buf *buf, double d);      /* 8 bytes, big endian bits */
void buf_text(struct buf *buf, struct str text); /* varint length, bytes */

struct reader {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_of(const void *bytes, size_t n)
{
    return (struct reader){bytes, (const uint8_t *)bytes + n, false};
}
static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}
uint8_t read_byte(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
int64_t read_i64_sorted(struct reader *r);
uint64_t read_varint(struct reader *r);
int64_t read_zigzag(struct reader *r);
double read_double(struct reader *r);
struct str read_text(struct reader *r); /* a view into the reader's bytes */

#endif
