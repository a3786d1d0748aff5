/* Regular expressions: RE2's syntax, run by Vectorscan in linear time. The one file that includes its header.
 *
 * A database is kept in the expression's arena (through Vectorscan's serialised form), so there is nothing to release.
 * The scratch is a thread's own, grown to the largest pattern that the thread has met, and freed when the thread ends.
 */
#include "rule/cel_code.h"

#include <hs/hs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A compiled pattern; `number`, from 1, tells it from every other of the process. */
struct pattern {
    const hs_database_t *db;
    uint64_t number;
};

static atomic_uint_fast64_t patterns_made;

/* RE2's $ is the end of the text, Vectorscan's also stands before a final line feed: outside classes and without the
 * flag m it becomes \z. */
static struct str translate(struct arena *arena, struct str pattern)
{
    char *out = arena_alloc(arena, pattern.n * 2 + 1);
    size_t n = 0;
    bool class = false;
    bool multiline = false;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if (c == '\\' && i + 1 < pattern.n) {
            out[n++] = c;
            out[n++] = pattern.p[++i];
            continue;
        }
        if (c == '(' && !class && i + 1 < pattern.n && pattern.p[i + 1] == '?')
            for (size_t k = i + 2; k < pattern.n && pattern.p[k] >= 'a' && pattern.p[k] <= 'z'; k++)
                multiline = multiline || pattern.p[k] == 'm';
        if (c == '[' && !class) {
            class = true;
            out[n++] = c;
            /* A bracket that comes first in a class stands for itself. */
            if (i + 1 < pattern.n && pattern.p[i + 1] == '^')
                out[n++] = pattern.p[++i];
            if (i + 1 < pattern.n && pattern.p[i + 1] == ']')
                out[n++] = pattern.p[++i];
            continue;
        }
        if (c == '[' && class && i + 1 < pattern.n && pattern.p[i + 1] == ':') {
            /* [:name:] ends at its own bracket. */
            while (i < pattern.n && pattern.p[i] != ']')
                out[n++] = pattern.p[i++];
            if (i < pattern.n)
                out[n++] = ']';
            continue;
        }
        if (c == ']')
            class = false;
        if (c == '$' && !class && !multiline) {
            out[n++] = '\\';
            c = 'z';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return (struct str){out, n};
}

static int compile(struct arena *arena, struct str pattern, const void **out, struct cel_error *err)
{
    hs_database_t *db = NULL;
    hs_compile_error_t *why = NULL;
    char *bytes = NULL;
    size_t n = 0;
    size_t size = 0;
    struct str translated = translate(arena, pattern);
    /* RE2's \d \w \s \b are ASCII, so HS_FLAG_UCP is not set. */
    unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_UTF8 | HS_FLAG_ALLOWEMPTY;
    if (hs_compile(translated.p, flags, HS_MODE_BLOCK, NULL, &db, &why) != HS_SUCCESS) {
        (void)cel_fail(err, err->offset, "the pattern cannot be used: %s",
                       why != NULL ? why->message : "no reason given");
        (void)hs_free_compile_error(why);
        return -1;
    }
    bool ok = hs_serialize_database(db, &bytes, &n) == HS_SUCCESS &&
              hs_serialized_database_size(bytes, n, &size) == HS_SUCCESS;
    hs_database_t *kept = ok ? arena_alloc(arena, size) : NULL;
    ok = ok && hs_deserialize_database_at(bytes, n, kept) == HS_SUCCESS;
    free(bytes);
    (void)hs_free_database(db);
    struct pattern *compiled = arena_alloc(arena, sizeof *compiled);
    *compiled = (struct pattern){kept, atomic_fetch_add(&patterns_made, 1) + 1};
    *out = compiled;
    return ok ? 0 : cel_fail(err, err->offset, "the pattern cannot be used: Vectorscan did not keep it");
}

int cel_pattern_compile(struct arena *arena, struct str pattern, struct cel_budget *budget, const void **out,
                        struct cel_error *err)
{
    uint64_t size;
    if (memchr(pattern.p, '\0', pattern.n) != NULL)
        return cel_fail(err, err->offset, "a pattern has no NUL; write \\x00");
    TRY(cel_pattern_measure(pattern, &size, err));
    if (budget == NULL)
        return compile(arena, pattern, out, err);
    void **known = map_slot(&budget->prepared, pattern);
    if (*known == NULL) {
        /* The time that Vectorscan takes grows faster than the pattern. */
        const void *compiled;
        budget->patterns -= (int64_t)(size * size);
        TRY(cel_budget_check(budget, err));
        TRY(compile(budget->arena, pattern, &compiled, err));
        *known = (void *)(uintptr_t)compiled;
    }
    *out = *known;
    return 0;
}

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local hs_scratch_t *scratch;
/* Patterns that the thread's scratch is known to be large enough for, by number: scratch only grows. */
static _Thread_local uint64_t prepared[64];

static void free_scratch(void *p)
{
    (void)hs_free_scratch(p);
}

static void make_key(void)
{
    ASSERT(pthread_key_create(&scratch_key, free_scratch) == 0);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    *(bool *)context = true;
    return 1; /* one is enough */
}

/* Makes the thread's scratch large enough for the pattern. */
static bool prepare(const struct pattern *pattern)
{
    uint64_t *known = &prepared[pattern->number % (sizeof prepared / sizeof *prepared)];
    if (*known == pattern->number)
        return true;
    hs_scratch_t *before = scratch;
    if (hs_alloc_scratch(pattern->db, &scratch) != HS_SUCCESS)
        return false;
    if (scratch != before) {
        (void)pthread_once(&scratch_once, make_key);
        (void)pthread_setspecific(scratch_key, scratch);
    }
    *known = pattern->number;
    return true;
}

struct value cel_pattern_match(const void *compiled, struct str text)
{
    const struct pattern *pattern = compiled;
    bool found = false;
    if (!prepare(pattern))
        return cel_error_text("matches(): out of memory");
    hs_error_t status = hs_scan(pattern->db, text.n > 0 ? text.p : "", (unsigned)text.n, 0, scratch, on_match, &found);
    if (status != HS_SUCCESS && status != HS_SCAN_TERMINATED)
        return cel_error_text("matches(): the scan failed");
    return value_bool(found);
}
