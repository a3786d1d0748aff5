/* Growable buffers and the bounds-checked reader. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_fini(struct buf *buf)
{
    free(buf->p);
    *buf = (struct buf){0};
}

char *buf_reserve(struct buf *buf, size_t n)
{
    if (buf->cap - buf->len < n) {
        size_t cap = buf->cap == 0 ? 64 : buf->cap;
        while (cap - buf->len < n)
            cap *= 2;
        buf->p = mem_realloc(buf->p, cap);
        buf->cap = cap;
    }
    return buf->p + buf->len;
}

void buf_put(struct buf *buf, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(buf, n), bytes, n);
    buf->len += n;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_digits(struct buf *buf, uint64_t n, size_t width)
{
    char digits[20];
    size_t count = 0;
    for (; n > 0 || count == 0; n /= 10)
        digits[count++] = (char)('0' + n % 10);
    for (size_t i = count; i < width; i++)
        buf_byte(buf, '0');
    char *p = buf_reserve(buf, count);
    for (size_t i = 0; i < count; i++)
        p[i] = digits[count - 1 - i];
    buf->len += count;
}

void buf_decimal(struct buf *buf, int64_t n)
{
    if (n < 0)
        buf_byte(buf, '-');
    buf_digits(buf, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    (void)vsnprintf(buf_reserve(buf, (size_t)n + 1), (size_t)n + 1, format, again);
    va_end(again);
    buf->len += (size_t)n;
}

static void put_big_endian(struct buf *buf, uint64_t n, int bytes)
{
    char *p = buf_reserve(buf, (size_t)bytes);
    for (int i = 0; i < bytes; i++)
        p[i] = (char)(n >> (8 * (bytes - 1 - i)) & 0xFF);
    buf->len += (size_t)bytes;
}

void buf_u16(struct buf *buf, uint16_t n)
{
    put_big_endian(buf, n, 2);
}

void buf_u32(struct buf *buf, uint32_t n)
{
    put_big_endian(buf, n, 4);
}

void buf_u64(struct buf *buf, uint64_t n)
{
    put_big_endian(buf, n, 8);
}

void buf_i64_sorted(struct buf *buf, int64_t n)
{
    put_big_endian(buf, (uint64_t)n ^ (UINT64_C(1) << 63), 8);
}

void buf_varint(struct buf *buf, uint64_t n)
{
    char *p = buf_reserve(buf, 10);
    size_t i = 0;
    for (; n >= 0x80; n >>= 7)
        p[i++] = (char)((n & 0x7F) | 0x80);
    p[i++] = (char)n;
    buf->len += i;
}

void buf_zigzag(struct buf *buf, int64_t n)
{
    buf_varint(buf, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

void buf_double(struct buf *buf, double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    buf_u64(buf, bits);
}

void buf_text(struct buf *buf, struct str text)
{
    buf_varint(buf, text.n);
    buf_put(buf, text.p, text.n);
}

static uint64_t read_big_endian(struct reader *r, size_t bytes)
{
    if (r->failed || reader_left(r) < bytes) {
        r->failed = true;
        return 0;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | r->p[i];
    r->p += bytes;
    return n;
}

uint8_t read_byte(struct reader *r)
{
    return (uint8_t)read_big_endian(r, 1);
}

uint16_t read_u16(struct reader *r)
{
    return (uint16_t)read_big_endian(r, 2);
}

uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_big_endian(r, 4);
}

uint64_t read_u64(struct reader *r)
{
    return read_big_endian(r, 8);
}

int64_t read_i64_sorted(struct reader *r)
{
    uint64_t n = read_big_endian(r, 8);
    return r->failed ? 0 : (int64_t)(n ^ (UINT64_C(1) << 63));
}

uint64_t read_varint(struct reader *r)
{
    uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (r->failed || r->p == r->end)
            break;
        uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1)
            break;
        n |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return n;
    }
    r->failed = true;
    return 0;
}

int64_t read_zigzag(struct reader *r)
{
    uint64_t n = read_varint(r);
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

double read_double(struct reader *r)
{
    uint64_t bits = read_u64(r);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

struct str read_text(struct reader *r)
{
    uint64_t n = read_varint(r);
    if (r->failed || n > reader_left(r)) {
        r->failed = true;
        return (struct str){"", 0};
    }
    struct str text = {(const char *)r->p, (size_t)n};
    r->p += n;
    return text;
}
