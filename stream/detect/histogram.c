/* Buckets, their keys, and the way from one scale to the next. */
#include "detect/histogram.h"

#include "base/time_text.h"

#include <math.h>
#include <stdlib.h>

enum {
    SCALE_MAX = 6,
    SCALE_MIN = -1, /* at it, all doubles fit into 2,103 buckets */
    /* Bucket numbers of positive values run from -1074 * 64 on; as keys they are positive, and 0 is zero's. */
    KEY_BIAS = 1074 * 64 + 1,
    KEY_INFINITE = INT32_MAX,
};

/* 2^(i/128), rounded to nearest: even ones are bounds of buckets, odd ones their middles. Written out, since a
 * library's exp2 may differ from another's in the last place, and results must not. */
/* clang-format off */
static const double powers[128] = {
    0x1p0, 0x1.0163da9fb3335p0, 0x1.02c9a3e778061p0, 0x1.04315e86e7f85p0, 0x1.059b0d3158574p0,
    0x1.0706b29ddf6dep0, 0x1.0874518759bc8p0, 0x1.09e3ecac6f383p0, 0x1.0b5586cf9890fp0, 0x1.0cc922b7247f7p0,
    0x1.0e3ec32d3d1a2p0, 0x1.0fb66affed31bp0, 0x1.11301d0125b51p0, 0x1.12abdc06c31ccp0, 0x1.1429aaea92dep0,
    0x1.15a98c8a58e51p0, 0x1.172b83c7d517bp0, 0x1.18af9388c8deap0, 0x1.1a35beb6fcb75p0, 0x1.1bbe084045cd4p0,
    0x1.1d4873168b9aap0, 0x1.1ed5022fcd91dp0, 0x1.2063b88628cd6p0, 0x1.21f49917ddc96p0, 0x1.2387a6e756238p0,
    0x1.251ce4fb2a63fp0, 0x1.26b4565e27cddp0, 0x1.284dfe1f56381p0, 0x1.29e9df51fdee1p0, 0x1.2b87fd0dad99p0,
    0x1.2d285a6e4030bp0, 0x1.2ecafa93e2f56p0, 0x1.306fe0a31b715p0, 0x1.32170fc4cd831p0, 0x1.33c08b26416ffp0,
    0x1.356c55f929ff1p0, 0x1.371a7373aa9cbp0, 0x1.38cae6d05d866p0, 0x1.3a7db34e59ff7p0, 0x1.3c32dc313a8e5p0,
    0x1.3dea64c123422p0, 0x1.3fa4504ac801cp0, 0x1.4160a21f72e2ap0, 0x1.431f5d950a897p0, 0x1.44e086061892dp0,
    0x1.46a41ed1d0057p0, 0x1.486a2b5c13cdp0, 0x1.4a32af0d7d3dep0, 0x1.4bfdad5362a27p0, 0x1.4dcb299fddd0dp0,
    0x1.4f9b2769d2ca7p0, 0x1.516daa2cf6642p0, 0x1.5342b569d4f82p0, 0x1.551a4ca5d920fp0, 0x1.56f4736b527dap0,
    0x1.58d12d497c7fdp0, 0x1.5ab07dd485429p0, 0x1.5c9268a5946b7p0, 0x1.5e76f15ad2148p0, 0x1.605e1b976dc09p0,
    0x1.6247eb03a5585p0, 0x1.6434634ccc32p0, 0x1.6623882552225p0, 0x1.68155d44ca973p0, 0x1.6a09e667f3bcdp0,
    0x1.6c012750bdabfp0, 0x1.6dfb23c651a2fp0, 0x1.6ff7df9519484p0, 0x1.71f75e8ec5f74p0, 0x1.73f9a48a58174p0,
    0x1.75feb564267c9p0, 0x1.780694fde5d3fp0, 0x1.7a11473eb0187p0, 0x1.7c1ed0130c132p0, 0x1.7e2f336cf4e62p0,
    0x1.80427543e1a12p0, 0x1.82589994cce13p0, 0x1.8471a4623c7adp0, 0x1.868d99b4492edp0, 0x1.88ac7d98a6699p0,
    0x1.8ace5422aa0dbp0, 0x1.8cf3216b5448cp0, 0x1.8f1ae99157736p0, 0x1.9145b0b91ffc6p0, 0x1.93737b0cdc5e5p0,
    0x1.95a44cbc8520fp0, 0x1.97d829fde4e5p0, 0x1.9a0f170ca07bap0, 0x1.9c49182a3f09p0, 0x1.9e86319e32323p0,
    0x1.a0c667b5de565p0, 0x1.a309bec4a2d33p0, 0x1.a5503b23e255dp0, 0x1.a799e1330b358p0, 0x1.a9e6b5579fdbfp0,
    0x1.ac36bbfd3f37ap0, 0x1.ae89f995ad3adp0, 0x1.b0e07298db666p0, 0x1.b33a2b84f15fbp0, 0x1.b59728de5593ap0,
    0x1.b7f76f2fb5e47p0, 0x1.ba5b030a1064ap0, 0x1.bcc1e904bc1d2p0, 0x1.bf2c25bd71e09p0, 0x1.c199bdd85529cp0,
    0x1.c40ab5fffd07ap0, 0x1.c67f12e57d14bp0, 0x1.c8f6d9406e7b5p0, 0x1.cb720dcef9069p0, 0x1.cdf0b555dc3fap0,
    0x1.d072d4a07897cp0, 0x1.d2f87080d89f2p0, 0x1.d5818dcfba487p0, 0x1.d80e316c98398p0, 0x1.da9e603db3285p0,
    0x1.dd321f301b46p0, 0x1.dfc97337b9b5fp0, 0x1.e264614f5a129p0, 0x1.e502ee78b3ff6p0, 0x1.e7a51fbc74c83p0,
    0x1.ea4afa2a490dap0, 0x1.ecf482d8e67f1p0, 0x1.efa1bee615a27p0, 0x1.f252b376bba97p0, 0x1.f50765b6e454p0,
    0x1.f7bfdad9cbe14p0, 0x1.fa7c1819e90d8p0, 0x1.fd3c22b8f71f1p0,
};
/* clang-format on */

void histogram_init(struct histogram *histogram)
{
    *histogram = (struct histogram){.scale = SCALE_MAX};
}

void histogram_fini(struct histogram *histogram)
{
    free(histogram->buckets);
}

size_t histogram_bytes(const struct histogram *histogram)
{
    return histogram->cap * sizeof *histogram->buckets;
}

/* The number of a positive finite value's bucket at the finest scale: floor(64 log2(x)). */
static int32_t bucket_of(double x)
{
    int exponent;
    double mantissa = 2 * frexp(x, &exponent); /* in [1, 2) */
    int low = 0;
    int high = 64;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (mantissa >= powers[2 * middle])
            low = middle;
        else
            high = middle;
    }
    return 64 * (exponent - 1) + low;
}

static int32_t key_of(double x)
{
    if (x == 0)
        return 0;
    int32_t key = isinf(x) ? KEY_INFINITE : bucket_of(fabs(x)) + KEY_BIAS;
    return x < 0 ? -key : key;
}

/* The key at a scale that is coarser by `steps`. */
static int32_t coarser(int32_t key, int steps)
{
    int32_t size = key < 0 ? -key : key;
    if (size == 0 || size == KEY_INFINITE)
        return key;
    size = (int32_t)floor_div(size - KEY_BIAS, INT64_C(1) << steps) + KEY_BIAS;
    return key < 0 ? -size : size;
}

/* The geometric middle of a bucket. */
static double middle_of(int32_t key, int scale)
{
    int32_t size = key < 0 ? -key : key;
    if (size == 0)
        return 0;
    double middle = INFINITY;
    if (size != KEY_INFINITE) {
        /* In 128ths of the way from one power of two to the next. */
        int64_t at = (2 * (int64_t)(size - KEY_BIAS) + 1) * (INT64_C(1) << (SCALE_MAX - scale));
        middle = ldexp(powers[floor_mod(at, 128)], (int)floor_div(at, 128));
    }
    return key < 0 ? -middle : middle;
}

/* Makes the scale coarser by `steps`. */
static void coarsen(struct histogram *histogram, int steps)
{
    size_t kept = 0;
    for (size_t i = 0; i < histogram->n; i++) {
        struct histogram_bucket bucket = {coarser(histogram->buckets[i].key, steps), histogram->buckets[i].count};
        if (kept > 0 && histogram->buckets[kept - 1].key == bucket.key)
            histogram->buckets[kept - 1].count += bucket.count;
        else
            histogram->buckets[kept++] = bucket;
    }
    histogram->n = kept;
    histogram->scale -= steps;
}

/* The finest scale at which the buckets fit. */
static void fit(struct histogram *histogram)
{
    while (histogram->n > HISTOGRAM_BUCKETS_MAX) {
        ASSERT(histogram->scale > SCALE_MIN);
        coarsen(histogram, 1);
    }
}

static void see(struct histogram *histogram, double min, double max)
{
    if (histogram->count == 0 || min < histogram->min)
        histogram->min = min;
    if (histogram->count == 0 || max > histogram->max)
        histogram->max = max;
}

void histogram_add(struct histogram *histogram, double x, uint64_t count)
{
    x = x == 0 ? 0 : x; /* one zero, so that the order of values cannot show */
    see(histogram, x, x);
    histogram->count += count;
    int32_t key = coarser(key_of(x), SCALE_MAX - histogram->scale);
    size_t low = 0;
    size_t high = histogram->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (histogram->buckets[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < histogram->n && histogram->buckets[low].key == key) {
        histogram->buckets[low].count += count;
        return;
    }
    histogram->buckets = mem_grow(histogram->buckets, histogram->n, &histogram->cap, sizeof *histogram->buckets);
    memmove(&histogram->buckets[low + 1], &histogram->buckets[low], (histogram->n - low) * sizeof *histogram->buckets);
    histogram->buckets[low] = (struct histogram_bucket){key, count};
    histogram->n++;
    fit(histogram);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    if (other->count == 0)
        return;
    if (histogram->scale > other->scale)
        coarsen(histogram, histogram->scale - other->scale);
    int steps = other->scale - histogram->scale;
    size_t cap = histogram->n + other->n;
    struct histogram_bucket *merged = mem_alloc(cap * sizeof *merged);
    size_t n = 0;
    for (size_t i = 0, k = 0; i < histogram->n || k < other->n;) {
        int32_t key = k < other->n ? coarser(other->buckets[k].key, steps) : KEY_INFINITE;
        bool own = i < histogram->n && (k == other->n || histogram->buckets[i].key <= key);
        struct histogram_bucket next =
            own ? histogram->buckets[i++] : (struct histogram_bucket){key, other->buckets[k++].count};
        if (n > 0 && merged[n - 1].key == next.key)
            merged[n - 1].count += next.count;
        else
            merged[n++] = next;
    }
    free(histogram->buckets);
    histogram->buckets = merged;
    histogram->n = n;
    histogram->cap = cap;
    see(histogram, other->min, other->max);
    histogram->count += other->count;
    fit(histogram);
}

double histogram_at(const struct histogram *histogram, uint64_t rank)
{
    size_t i = 0;
    uint64_t below = histogram->buckets[0].count;
    while (below <= rank && i + 1 < histogram->n)
        below += histogram->buckets[++i].count;
    double middle = middle_of(histogram->buckets[i].key, histogram->scale);
    return middle < histogram->min ? histogram->min : middle > histogram->max ? histogram->max : middle;
}

void histogram_encode(struct buf *out, const struct histogram *histogram)
{
    int64_t previous = 0;
    buf_zigzag(out, histogram->scale);
    buf_double(out, histogram->min);
    buf_double(out, histogram->max);
    buf_varint(out, histogram->n);
    for (size_t i = 0; i < histogram->n; i++) {
        buf_zigzag(out, histogram->buckets[i].key - previous);
        buf_varint(out, histogram->buckets[i].count);
        previous = histogram->buckets[i].key;
    }
}

static const int64_t STEP_MAX = 2 * (int64_t)KEY_INFINITE; /* from one key to another */

/* A key that some value has at this scale. */
static bool key_exists(int64_t key, int scale)
{
    int64_t size = key < 0 ? -key : key;
    int64_t least = floor_div(-1074 * 64, INT64_C(1) << (SCALE_MAX - scale)) + KEY_BIAS;
    int64_t most = floor_div(1024 * 64 - 1, INT64_C(1) << (SCALE_MAX - scale)) + KEY_BIAS;
    return size == 0 || size == KEY_INFINITE || (size >= least && size <= most);
}

bool histogram_decode(struct reader *r, struct histogram *histogram)
{
    int64_t scale = read_zigzag(r);
    histogram->min = read_double(r);
    histogram->max = read_double(r);
    uint64_t n = read_varint(r);
    if (r->failed || scale < SCALE_MIN || scale > SCALE_MAX || n == 0 || n > HISTOGRAM_BUCKETS_MAX ||
        !(histogram->min <= histogram->max))
        return false;
    histogram->scale = (int)scale;
    histogram->buckets = mem_alloc(n * sizeof *histogram->buckets);
    histogram->cap = n;
    int64_t key = 0;
    for (uint64_t i = 0; i < n; i++) {
        int64_t step = read_zigzag(r);
        uint64_t count = read_varint(r);
        if (r->failed || step < -STEP_MAX || step > STEP_MAX || (i > 0 && step <= 0) ||
            !key_exists(key + step, histogram->scale) || count == 0 || histogram->count + count < count)
            return false;
        key += step;
        histogram->buckets[histogram->n++] = (struct histogram_bucket){(int32_t)key, count};
        histogram->count += count;
    }
    return true;
}
