/* Execution of a decode plan over one record's bytes.
 *
 * `p` is the next byte and `end` the first beyond: every helper returns the new `p`, or NULL with *why set. Common
 * operations lie in plan_run; what few records need is in run_rare, which gets and gives back `p` through the machine.
 */
#include "codec/avro_plan.h"

#include <endian.h>

#include "codec/field.h"

struct frame {
    int64_t left;  /* items of the block still to come, this one included; of a call unused */
    uint32_t back; /* of a call: where to go on */
};

struct machine {
    const struct plan *plan;
    const struct op *op;
    const uint8_t *p;
    const uint8_t *end;
    struct arena *arena;
    struct event *event;
    const char *why;
    const struct plan_symbol *refused; /* an enum's symbol that the stream does not have */
    struct value *list;                /* being built */
    size_t list_count;
    size_t list_cap;
    size_t list_per;     /* values an item */
    uint64_t empty_left; /* values without bytes still allowed */
    size_t depth;
    struct frame frames[PLAN_FRAMES_MAX];
};

static const char too_many_items[] = "more items than the record has bytes";
static const char block_count[] = "a block's count is out of range";
static const char cut_short[] = "the record ends inside it";
static const char bad_number[] = "a number is longer than 64 bits";

__attribute__((cold, noinline)) static const uint8_t *bad(const char **why, const char *reason)
{
    *why = reason;
    return NULL;
}

/* A varint byte by byte, for the end of a record and for numbers over 56 bits. */
__attribute__((noinline)) static const uint8_t *take_bytewise(const uint8_t *p, const uint8_t *end, uint64_t *n,
                                                              const char **why)
{
    uint64_t sum = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (p == end)
            return bad(why, cut_short);
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return bad(why, bad_number);
        sum |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *n = sum;
            return p;
        }
    }
    return bad(why, bad_number);
}

/* Up to eight bytes at once: the length is where the first high bit is clear, then three steps squeeze the high bits
 * out, in pairs of bytes, of two, of four. */
static inline const uint8_t *take_wide(const uint8_t *p, const uint8_t *end, uint64_t *n, const char **why)
{
    uint64_t word;
    if (end - p < (ptrdiff_t)sizeof word)
        return take_bytewise(p, end, n, why);
    memcpy(&word, p, sizeof word);
    word = le64toh(word);
    uint64_t stops = ~word & UINT64_C(0x8080808080808080);
    if (stops == 0)
        return take_bytewise(p, end, n, why);
    word &= stops ^ (stops - 1); /* up to the first stop */
    word = (word & UINT64_C(0x007F007F007F007F)) | (word & UINT64_C(0x7F007F007F007F00)) >> 1;
    word = (word & UINT64_C(0x00003FFF00003FFF)) | (word & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    word = (word & UINT64_C(0x000000000FFFFFFF)) | (word & UINT64_C(0x0FFFFFFF00000000)) >> 4;
    *n = word;
    return p + (__builtin_ctzll(stops) >> 3) + 1;
}

static inline const uint8_t *take_long(const uint8_t *p, const uint8_t *end, int64_t *v, const char **why)
{
    uint64_t n;
    if (p < end && *p < 0x80)
        n = *p++;
    else if ((p = take_wide(p, end, &n, why)) == NULL)
        return NULL;
    *v = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
    return p;
}

static inline const uint8_t *skip_bytes(const uint8_t *p, const uint8_t *end, int64_t n, const char **why)
{
    if (n > end - p)
        return bad(why, cut_short);
    return p + n;
}

static inline const uint8_t *skip_varints(const uint8_t *p, const uint8_t *end, uint32_t count, const char **why)
{
    int64_t unused;
    for (uint32_t i = 0; i < count && p != NULL; i++)
        p = take_long(p, end, &unused, why);
    return p;
}

/* The length of a string or bytes, checked against what is left. */
static inline const uint8_t *take_length(const uint8_t *p, const uint8_t *end, int64_t *n, const char **why)
{
    if ((p = take_long(p, end, n, why)) == NULL)
        return NULL;
    if (*n < 0)
        return bad(why, "a length is negative");
    if (*n > end - p)
        return bad(why, cut_short);
    return p;
}

static inline const uint8_t *skip_strings(const uint8_t *p, const uint8_t *end, uint32_t count, const char **why)
{
    for (uint32_t i = 0; i < count && p != NULL; i++) {
        int64_t n;
        if ((p = take_length(p, end, &n, why)) != NULL)
            p += n;
    }
    return p;
}

/* A branch of two: *null is whether it is the null one. */
static inline const uint8_t *take_branch(const uint8_t *p, const uint8_t *end, uint8_t null_index, bool *null,
                                         const char **why)
{
    int64_t index;
    if ((p = take_long(p, end, &index, why)) == NULL)
        return NULL;
    if ((uint64_t)index > 1)
        return bad(why, "a union's branch is out of range");
    *null = index == null_index;
    return p;
}

static inline const uint8_t *skip_optional_strings(const uint8_t *p, const uint8_t *end, const struct op *op,
                                                   const char **why)
{
    for (uint32_t i = 0; i < op->a && p != NULL; i++) {
        bool null = false;
        if ((p = take_branch(p, end, op->flag, &null, why)) != NULL && !null)
            p = skip_strings(p, end, 1, why);
    }
    return p;
}

/* Block by block, as next_block says for items of every kind. */
static const uint8_t *skip_string_blocks(const uint8_t *p, const uint8_t *end, const struct op *op, const char **why)
{
    for (;;) {
        int64_t count;
        int64_t size = 0;
        if ((p = take_long(p, end, &count, why)) == NULL || count == 0)
            return p;
        if (count == INT64_MIN)
            return bad(why, block_count);
        if (count < 0 && (p = take_length(p, end, &size, why)) == NULL)
            return NULL;
        if (count < 0 && op->flag == 0) {
            p += size;
            continue;
        }
        count = count < 0 ? -count : count;
        if (count > (end - p) / (int64_t)op->a)
            return bad(why, too_many_items);
        if ((p = skip_strings(p, end, (uint32_t)count * op->a, why)) == NULL)
            return NULL;
    }
}

/* Most strings are short and ASCII: whole words first, the last one overlapping. */
static inline bool text_valid(const uint8_t *p, size_t n)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t seen = 0;
    uint64_t word;
    if (n >= sizeof word) {
        for (size_t i = 0; i + sizeof word <= n; i += sizeof word) {
            memcpy(&word, p + i, sizeof word);
            seen |= word;
        }
        memcpy(&word, p + n - sizeof word, sizeof word);
        seen |= word;
    } else {
        for (size_t i = 0; i < n; i++)
            seen |= p[i];
    }
    return (seen & high) == 0 || utf8_valid((const char *)p, n);
}

static inline const uint8_t *take_string(const uint8_t *p, const uint8_t *end, struct value *value, const char **why)
{
    int64_t n;
    if ((p = take_length(p, end, &n, why)) == NULL)
        return NULL;
    if (!text_valid(p, (size_t)n))
        return bad(why, "not UTF-8");
    *value = value_str((struct str){(const char *)p, (size_t)n});
    return p + n;
}

static inline const uint8_t *take_time(const uint8_t *p, const uint8_t *end, const struct op *op, struct event *event,
                                       const char **why)
{
    int64_t n;
    if ((p = take_long(p, end, &n, why)) == NULL)
        return NULL;
    int64_t ms = op->a == 1 ? n : floor_div(n, op->a);
    if (!field_time_fits(ms))
        return bad(why, "a time outside the years 1 to 9999");
    if ((op->flag & TIME_OF_EVENT) != 0)
        event->time_ms = ms;
    if (op->field != PLAN_NO_FIELD)
        event->values[op->field] = value_time_ms(ms);
    return p;
}

__attribute__((cold, noinline)) static const uint8_t *bad_symbol(struct machine *m, const struct plan_symbol *symbol)
{
    m->refused = symbol;
    return NULL;
}

static inline const uint8_t *take_enum(const uint8_t *p, const uint8_t *end, struct machine *m, const struct op *op)
{
    int64_t index;
    if ((p = take_long(p, end, &index, &m->why)) == NULL)
        return NULL;
    if ((uint64_t)index >= op->b)
        return bad(&m->why, "an enum's index is out of range");
    const struct plan_symbol *symbol = &m->plan->symbols[op->a + (uint64_t)index];
    if (symbol->text == NULL)
        return bad_symbol(m, symbol);
    if (op->field != PLAN_NO_FIELD)
        m->event->values[op->field] = value_str((struct str){symbol->text, symbol->n});
    return p;
}

/* The numbers: int, long, float and double, and what they are promoted to. */
static const uint8_t *take_number(const uint8_t *p, const uint8_t *end, const struct op *op, struct value *value,
                                  const char **why)
{
    int64_t n = 0;
    if (op->code == OP_DOUBLE || op->code == OP_FLOAT) {
        uint64_t bits64 = 0;
        uint32_t bits32 = 0;
        ptrdiff_t size = op->code == OP_DOUBLE ? 8 : 4;
        if (end - p < size)
            return bad(why, cut_short);
        double d;
        float f;
        memcpy(op->code == OP_DOUBLE ? (void *)&bits64 : (void *)&bits32, p, (size_t)size);
        bits64 = le64toh(bits64);
        bits32 = le32toh(bits32);
        memcpy(&d, &bits64, sizeof d);
        memcpy(&f, &bits32, sizeof f);
        *value = value_double(op->code == OP_DOUBLE ? d : (double)f);
        return p + size;
    }
    if ((p = take_long(p, end, &n, why)) == NULL)
        return NULL;
    if ((op->code == OP_INT || op->code == OP_INT_AS_DOUBLE) && (n < INT32_MIN || n > INT32_MAX))
        return bad(why, "an int is longer than 32 bits");
    *value = op->code == OP_INT || op->code == OP_LONG ? value_int(n) : value_double((double)n);
    return p;
}

static void list_reserve(struct machine *m, size_t more)
{
    if (m->list_cap - m->list_count >= more)
        return;
    size_t cap = m->list_count + more;
    if (cap < 2 * m->list_cap)
        cap = 2 * m->list_cap;
    struct value *items = arena_alloc(m->arena, cap * sizeof *items);
    if (m->list_count > 0)
        memcpy(items, m->list, m->list_count * sizeof *items);
    m->list = items;
    m->list_cap = cap;
}

static int enter(struct machine *m, struct frame frame)
{
    if (m->depth == PLAN_FRAMES_MAX) {
        m->why = "nested deeper than 128";
        return -1;
    }
    m->frames[m->depth++] = frame;
    return 0;
}

/* Spends from the allowance of values that take no bytes. */
static int spend(struct machine *m, uint64_t count)
{
    if (count > m->empty_left) {
        m->why = too_many_items;
        return -1;
    }
    m->empty_left -= count;
    return 0;
}

/* The head of a block: goes into its items, over them, or to the end of the array or map. */
static int next_block(struct machine *m, const struct op *op)
{
    for (;;) {
        int64_t count;
        int64_t size = 0;
        if ((m->p = take_long(m->p, m->end, &count, &m->why)) == NULL)
            return -1;
        if (count == 0) {
            m->op = m->plan->ops + op->a;
            return 0;
        }
        if (count < 0) {
            if (count == INT64_MIN || (m->p = take_length(m->p, m->end, &size, &m->why)) == NULL) {
                m->why = count == INT64_MIN ? block_count : m->why;
                return -1;
            }
            if (op->flag == 0) {
                m->p += size;
                continue;
            }
            count = -count;
        }
        if (op->b == 0)
            TRY(spend(m, (uint64_t)count));
        else if (count > (m->end - m->p) / op->b) {
            m->why = too_many_items;
            return -1;
        }
        if (op->code == OP_BLOCKS_KEEP)
            list_reserve(m, (size_t)count * m->list_per);
        m->op = op + 1;
        return enter(m, (struct frame){.left = count});
    }
}

static void next_item(struct machine *m, const struct op *op)
{
    struct frame *top = &m->frames[m->depth - 1];
    const struct op *blocks = m->plan->ops + op->a;
    if (--top->left > 0) {
        m->op = blocks + 1;
        return;
    }
    m->depth--;
    m->op = blocks;
}

static void list_keep(struct machine *m, const struct op *op)
{
    struct value *value = &m->event->values[op->field];
    if (m->plan->stream->fields[op->field].kind == FIELD_LABELS)
        *value = value_map(m->list, field_pairs_unique(m->list, m->list_count / 2, m->arena));
    else
        *value = value_list(m->list, m->list_count);
}

static int append(struct machine *m)
{
    list_reserve(m, 1);
    m->p = take_string(m->p, m->end, &m->list[m->list_count], &m->why);
    m->list_count++;
    return m->p != NULL ? 0 : -1;
}

static int take_union(struct machine *m, const struct op *op)
{
    int64_t index;
    if ((m->p = take_long(m->p, m->end, &index, &m->why)) == NULL)
        return -1;
    if ((uint64_t)index >= op->b) {
        m->why = "a union's branch is out of range";
        return -1;
    }
    m->op = m->plan->ops + m->plan->targets[op->a + (uint64_t)index];
    return 0;
}

/* Everything that moves m->op other than forward, and lists. */
static int run_rare(struct machine *m, const struct op *op)
{
    m->op = op + 1;
    switch ((enum op_code)op->code) {
    case OP_UNION:
        return take_union(m, op);
    case OP_JUMP:
        m->op = m->plan->ops + op->a;
        return 0;
    case OP_REFUSE:
        m->why = m->plan->reasons[op->a];
        return -1;
    case OP_CALL:
        TRY(spend(m, 1));
        TRY(enter(m, (struct frame){.back = (uint32_t)(op + 1 - m->plan->ops)}));
        m->op = m->plan->ops + op->a;
        return 0;
    case OP_RETURN:
        m->op = m->plan->ops + m->frames[--m->depth].back;
        return 0;
    case OP_BLOCKS:
    case OP_BLOCKS_KEEP:
        return next_block(m, op);
    case OP_NEXT:
        next_item(m, op);
        return 0;
    case OP_LIST:
        m->list = NULL;
        m->list_per = op->a;
        m->list_count = 0;
        m->list_cap = 0;
        return 0;
    case OP_APPEND:
        return append(m);
    case OP_LIST_KEEP:
        list_keep(m, op);
        return 0;
    default:
        ASSERT(false); /* no plan holds another operation here */
        return -1;
    }
}

__attribute__((cold, noinline)) static int failed(const struct machine *m, const struct op *op, struct error *err)
{
    const char *path = m->plan->paths[op - m->plan->ops];
    if (m->refused != NULL)
        return field_symbol_error(err, &m->plan->stream->fields[m->refused->field], m->refused->written);
    return error_set(err, ERROR_BAD_INPUT, "field '%s': %s", path, m->why);
}

static void start(struct machine *m, const struct plan *plan, struct str bytes)
{
    m->plan = plan;
    m->why = NULL;
    m->refused = NULL;
    m->depth = 0;
    m->empty_left = PLAN_EMPTY_MAX + bytes.n;
    m->list = NULL;
}

int plan_run(const struct plan *plan, struct str bytes, struct arena *arena, struct event *event, size_t *consumed,
             struct error *err)
{
    struct machine m;
    start(&m, plan, bytes);
    m.arena = arena;
    m.event = event;
    m.end = (const uint8_t *)bytes.p + bytes.n;
    event->stream = plan->stream;
    memcpy(event->values, plan->initial, (size_t)plan->stream->field_count * sizeof *event->values);

    const uint8_t *p = (const uint8_t *)bytes.p;
    const uint8_t *const end = m.end;
    for (const struct op *op = plan->ops;;) {
        bool null = false;
        switch ((enum op_code)op->code) {
        case OP_SKIP_BYTES:
            p = skip_bytes(p, end, op->a, &m.why);
            break;
        case OP_SKIP_VARINTS:
            p = skip_varints(p, end, op->a, &m.why);
            break;
        case OP_SKIP_STRINGS:
            p = skip_strings(p, end, op->a, &m.why);
            break;
        case OP_SKIP_OPTIONAL_STRINGS:
            p = skip_optional_strings(p, end, op, &m.why);
            break;
        case OP_SKIP_STRING_BLOCKS:
            p = skip_string_blocks(p, end, op, &m.why);
            break;
        case OP_STRING:
            p = take_string(p, end, &event->values[op->field], &m.why);
            break;
        case OP_TIME:
            p = take_time(p, end, op, event, &m.why);
            break;
        case OP_ENUM:
            p = take_enum(p, end, &m, op);
            break;
        case OP_INT:
        case OP_LONG:
        case OP_INT_AS_DOUBLE:
        case OP_LONG_AS_DOUBLE:
        case OP_FLOAT:
        case OP_DOUBLE:
            p = take_number(p, end, op, &event->values[op->field], &m.why);
            break;
        case OP_OPTIONAL:
            p = take_branch(p, end, op->flag, &null, &m.why);
            break;
        case OP_END:
            *consumed = (size_t)(p - (const uint8_t *)bytes.p);
            return 0;
        default:
            m.p = p;
            p = run_rare(&m, op) == 0 ? m.p : NULL;
        }
        if (__builtin_expect(p == NULL, 0))
            return failed(&m, op, err);
        if (null)
            op = plan->ops + op->a;
        else
            op = op->code > OP_OPTIONAL ? m.op : op + 1;
    }
}
