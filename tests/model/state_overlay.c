/* The state against a plain array: random puts, deletions, reads, scans, commits and aborts, over both stores.
 *
 *     test_state_overlay [SEED [STEPS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../remove_folder.h"
#include "state/state.h"

enum { KEYS = 300, HEAD_BYTES = 3, KEY_BYTES_MAX = 6, VALUE_BYTES_MAX = 12, STEPS = 60000 };

/* What one key holds: as committed, and as seen now. */
struct model_value {
    bool present;
    char bytes[VALUE_BYTES_MAX];
    size_t n;
};

struct model {
    struct str keys[KEYS]; /* in order */
    struct model_value committed[KEYS];
    struct model_value now[KEYS];
    bool dirty[KEYS];
};

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static int key_order(const void *left, const void *right)
{
    return str_cmp(*(const struct str *)left, *(const struct str *)right);
}

/* Keys of one task and kind, of few different bytes, so that prefixes are shared, with the greatest byte among them. */
static void keys_make(struct model *model, enum state_kind kind, struct arena *arena)
{
    struct buf head = {0};
    state_key(&head, 0xFFFF, kind);
    static const unsigned char alphabet[] = {0x00, 0x01, 'a', 'b', 0xFE, 0xFF};
    for (size_t i = 0; i < KEYS; i++) {
        unsigned char key[HEAD_BYTES + KEY_BYTES_MAX];
        size_t n = HEAD_BYTES + 1 + draw(KEY_BYTES_MAX);
        memcpy(key, head.p, HEAD_BYTES);
        for (size_t b = HEAD_BYTES; b < n; b++)
            key[b] = alphabet[draw(sizeof alphabet)];
        model->keys[i] = arena_str(arena, (struct str){(const char *)key, n});
        for (size_t before = 0; before < i; before++)
            if (str_eq(model->keys[before], model->keys[i])) {
                i--;
                break;
            }
    }
    buf_fini(&head);
    qsort(model->keys, KEYS, sizeof *model->keys, key_order);
}

static struct str model_text(const struct model_value *value)
{
    return (struct str){value->bytes, value->n};
}

static void step_put(struct model *model, struct state *state, size_t i)
{
    struct model_value *value = &model->now[i];
    value->present = true;
    value->n = draw(VALUE_BYTES_MAX + 1);
    for (size_t b = 0; b < value->n; b++)
        value->bytes[b] = (char)draw(256);
    state_put(state, model->keys[i], model_text(value));
    model->dirty[i] = true;
}

static void step_get(struct model *model, struct state *state, size_t i)
{
    struct error err;
    struct buf found = {0};
    bool present;
    ASSERT(state_get(state, model->keys[i], &found, &present, &err) == 0);
    ASSERT(present == model->now[i].present);
    ASSERT(!present || str_eq(buf_str(&found), model_text(&model->now[i])));
    buf_fini(&found);
}

struct scan {
    const struct model *model;
    struct str prefix;
    size_t next;
    int visits_left;
};

static void scan_skip(struct scan *scan)
{
    while (scan->next < KEYS &&
           !(scan->model->now[scan->next].present && str_starts(scan->model->keys[scan->next], scan->prefix)))
        scan->next++;
}

static int scan_visit(void *context, struct str key, struct str value)
{
    struct scan *scan = context;
    scan_skip(scan);
    ASSERT(scan->next < KEYS);
    ASSERT(str_eq(scan->model->keys[scan->next], key));
    ASSERT(value.p != NULL && str_eq(model_text(&scan->model->now[scan->next]), value));
    scan->next++;
    return --scan->visits_left == 0 ? 42 : 0;
}

static void step_scan(struct model *model, struct state *state)
{
    struct error err;
    struct str key = model->keys[draw(KEYS)];
    struct scan scan = {.model = model, .prefix = {key.p, HEAD_BYTES + draw((uint32_t)key.n - HEAD_BYTES + 1)}};
    scan.visits_left = draw(3) == 0 ? 1 + (int)draw(5) : -1;
    int result = state_scan(state, scan.prefix, scan_visit, &scan, &err);
    ASSERT(result == 0 || (result == 42 && scan.visits_left == 0));
    scan_skip(&scan);
    ASSERT(result == 42 || scan.next == KEYS);
}

/* Where the cursor stands: it gave `last`, or was sent to it and gave nothing. */
struct cursor_model {
    size_t last; /* SIZE_MAX: it stands nowhere */
    bool given;
};

static void step_cursor(struct model *model, struct state *state, struct cursor_model *at)
{
    struct state_cursor *cursor = state_cursor(state, STATE_PART);
    struct str_pair entry;
    struct error err;
    bool on = at->last != SIZE_MAX && draw(3) == 0;
    size_t wanted = at->last + at->given;
    int result;
    if (on) {
        result = state_cursor_next(cursor, &entry, &err);
    } else {
        bool ahead = at->last != SIZE_MAX && draw(4) > 0;
        wanted = ahead ? at->last + draw(draw(3) == 0 ? 40 : 4) : draw(KEYS);
        wanted = wanted < KEYS ? wanted : KEYS - 1;
        at->last = wanted;
        result = state_cursor_seek(cursor, model->keys[wanted], &entry, &err);
    }
    while (wanted < KEYS && !model->now[wanted].present)
        wanted++;
    ASSERT(result == (wanted < KEYS ? 0 : 1));
    at->given = result == 0 || (on && at->given);
    if (result != 0)
        return;
    ASSERT(str_eq(entry.key, model->keys[wanted]) && str_eq(entry.value, model_text(&model->now[wanted])));
    at->last = wanted;
}

/* What a commit does: the dirty entries, which must be exactly the changed keys, go to the store. */
static void step_commit(struct model *model, struct state *state)
{
    struct error err;
    const struct str_pair *entries;
    size_t count = state_dirty(state, &entries);
    size_t at = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (!model->dirty[i])
            continue;
        ASSERT(at < count && str_eq(entries[at].key, model->keys[i]));
        ASSERT((entries[at].value.p != NULL) == model->now[i].present);
        at++;
    }
    ASSERT(at == count);
    struct store *store = state_store(state);
    ASSERT(store->ops->write(store, entries, count, &err) == 0);
    state_settle(state);
    memcpy(model->committed, model->now, sizeof model->now);
    memset(model->dirty, 0, sizeof model->dirty);
}

static void step_abort(struct model *model, struct state *state)
{
    state_drop(state);
    ASSERT(state_dirty_bytes(state) == 0);
    memcpy(model->now, model->committed, sizeof model->now);
    memset(model->dirty, 0, sizeof model->dirty);
}

static void run(struct store *store, enum state_kind kind, int steps)
{
    static struct model model;
    struct arena arena = {0};
    struct cursor_model cursor = {.last = SIZE_MAX};
    memset(&model, 0, sizeof model);
    keys_make(&model, kind, &arena);
    struct state *state = state_new(store);
    for (int i = 0; i < steps; i++) {
        size_t key = draw(KEYS);
        uint32_t what = draw(1000);
        if (what < 350) {
            step_put(&model, state, key);
        } else if (what < 500) {
            state_del(state, model.keys[key]);
            model.now[key] = (struct model_value){0};
            model.dirty[key] = true;
        } else if (what < 700) {
            step_get(&model, state, key);
        } else if (what < 900) {
            step_cursor(&model, state, &cursor);
        } else if (what < 980) {
            step_scan(&model, state);
        } else if (what < 993) {
            step_commit(&model, state);
        } else {
            step_abort(&model, state);
        }
    }
    state_free(state);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    int steps = argc > 2 ? (int)strtol(argv[2], NULL, 10) : STEPS;
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    random_state = seed;
    run(store_memory_new(), STATE_PART, steps);
    static const enum state_kind kinds[] = {STATE_ROW, STATE_GROUP, STATE_PART, STATE_TIMER};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char dir[] = "/tmp/forestall-state-XXXXXX";
        ASSERT(mkdtemp(dir) != NULL);
        struct store *store;
        struct error err;
        ASSERT(store_rocksdb_open(&store, dir, 8 << 20, &err) == 0);
        run(store, kinds[i], steps / 2);
        remove_folder(dir);
    }
    return 0;
}
