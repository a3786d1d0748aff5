/* The store in RocksDB, by its C interface as of 7.8.
 *
 * A column family for each kind of entry that there are many of, since each is written in order of key, and rewritten
 * in that order later: in a table file of two kinds lies all between them too, and each compaction would merge that.
 * They are flushed together. The write-ahead log is on and unsynced: after a crash of the process nothing is lost,
 * after one of the machine the store is some consistent earlier state, and the changelog brings the rest. Writing fails
 * only when the disk does, and then the process ends: what was committed is in the changelog.
 */
#include <rocksdb/c.h>
#include <stdlib.h>

#include "base/log.h"
#include "state/state.h"

enum { FAMILIES = 4 };

/* The first has all the rest. */
static const char *const family_names[FAMILIES] = {"default", "groups", "parts", "timers"};

struct store_rocksdb {
    struct store base;
    char *dir;
    int64_t memory_bytes;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[FAMILIES];
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
};

struct store_iterator {
    rocksdb_column_family_handle_t *family;
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *read;
    bool started;
    const char *dir; /* the store's */
    char *to;        /* the upper bound, which RocksDB borrows */
};

static rocksdb_column_family_handle_t *family_of(const struct store_rocksdb *store, struct str key)
{
    switch (key.n > 2 ? key.p[2] : STATE_META) {
    case STATE_GROUP:
        return store->families[1];
    case STATE_PART:
        return store->families[2];
    case STATE_TIMER:
        return store->families[3];
    default:
        return store->families[0];
    }
}

/* What RocksDB says, by a part of its words, and what to do. The state is given up only where it is damaged, which it
 * calls corruption: restoring a large one takes long, and mends no disk. */
static const char *advice_for(const char *message)
{
    static const char no_space[] = "no space: free some and start again; nothing is lost";
    static const char disk[] = "see to the disk and start again; nothing is lost";
    static const struct {
        const char *said;
        const char *advice;
    } known[] = {
        {"Corruption", "it is damaged; restore it from the changelog: remove the folder and start again"},
        {"No space left", no_space},
        {"quota exceeded", no_space},
        {"File too large", no_space},
        {"Too many open files", "raise the limit on open files (ulimit -n, LimitNOFILE) and start again"},
        {"Read-only file system", disk},
        {"Input/output error", disk},
        {"Permission denied", "let this user write there"},
        {"lock", "another process has it open"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(message, known[i].said) != NULL)
            return known[i].advice;
    return "start again; if that does not help, restore it from the changelog: remove the folder first";
}

/* Takes RocksDB's message. */
static int rocksdb_failed(const char *dir, char *message, struct error *err)
{
    error_set(err, ERROR_FATAL, "state in %s: %.200s (%s)", dir, message, advice_for(message));
    rocksdb_free(message);
    return -1;
}

static int rocksdb_store_get(struct store *base, struct str key, struct buf *value, struct error *err)
{
    struct store_rocksdb *store = (struct store_rocksdb *)base;
    char *message = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(store->db, store->read, family_of(store, key), key.p, key.n, &message);
    if (message != NULL)
        return rocksdb_failed(store->dir, message, err);
    if (slice == NULL)
        return 1;
    size_t n;
    const char *bytes = rocksdb_pinnableslice_value(slice, &n);
    if (bytes != NULL)
        buf_put(value, bytes, n);
    rocksdb_pinnableslice_destroy(slice);
    return 0;
}

static int rocksdb_store_write(struct store *base, const struct str_pair *entries, size_t n, struct error *err)
{
    struct store_rocksdb *store = (struct store_rocksdb *)base;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (size_t i = 0; i < n; i++) {
        const struct str_pair *entry = &entries[i];
        rocksdb_column_family_handle_t *family = family_of(store, entry->key);
        if (entry->value.p == NULL)
            rocksdb_writebatch_delete_cf(batch, family, entry->key.p, entry->key.n);
        else
            rocksdb_writebatch_put_cf(batch, family, entry->key.p, entry->key.n, entry->value.p, entry->value.n);
    }
    char *message = NULL;
    rocksdb_write(store->db, store->write, batch, &message);
    rocksdb_writebatch_destroy(batch);
    return message == NULL ? 0 : rocksdb_failed(store->dir, message, err);
}

static void rocksdb_store_seek(struct store_iterator *iterator, struct str from)
{
    rocksdb_iter_seek(iterator->iterator, from.p != NULL ? from.p : "", from.n);
    iterator->started = false;
}

static struct store_iterator *rocksdb_store_scan(struct store *base, struct str from, struct str to)
{
    struct store_rocksdb *store = (struct store_rocksdb *)base;
    struct store_iterator *iterator = mem_zalloc(sizeof *iterator);
    iterator->dir = store->dir;
    iterator->family = family_of(store, from);
    iterator->read = rocksdb_readoptions_create();
    if (to.n > 0) {
        iterator->to = mem_strdup(to);
        rocksdb_readoptions_set_iterate_upper_bound(iterator->read, iterator->to, to.n);
    }
    iterator->iterator = rocksdb_create_iterator_cf(store->db, iterator->read, iterator->family);
    rocksdb_store_seek(iterator, from);
    return iterator;
}

static int rocksdb_store_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err)
{
    if (iterator->started)
        rocksdb_iter_next(iterator->iterator);
    iterator->started = true;
    if (rocksdb_iter_valid(iterator->iterator)) {
        key->p = rocksdb_iter_key(iterator->iterator, &key->n);
        value->p = rocksdb_iter_value(iterator->iterator, &value->n);
        if (value->p == NULL)
            value->p = "";
        return 0;
    }
    iterator->started = false;
    char *message = NULL;
    rocksdb_iter_get_error(iterator->iterator, &message);
    return message == NULL ? 1 : rocksdb_failed(iterator->dir, message, err);
}

static void rocksdb_store_scan_end(struct store_iterator *iterator)
{
    rocksdb_iter_destroy(iterator->iterator);
    rocksdb_readoptions_destroy(iterator->read);
    free(iterator->to);
    free(iterator);
}

/* A database of one column family is another version's: its entries lie where nobody would look for them. */
static int old_one_remove(struct store_rocksdb *store, struct error *err)
{
    char *message = NULL;
    size_t count = 0;
    char **names = rocksdb_list_column_families(store->options, store->dir, &count, &message);
    if (message != NULL) { /* there is none yet; or opening it says what is wrong */
        rocksdb_free(message);
        return 0;
    }
    rocksdb_list_column_families_destroy(names, count);
    if (count == FAMILIES)
        return 0;
    log_info("another version has written the local state, in another form; restoring all of it",
             LOG_S("dir", store->dir));
    rocksdb_destroy_db(store->options, store->dir, &message);
    return message == NULL ? 0 : rocksdb_failed(store->dir, message, err);
}

static rocksdb_t *families_open(struct store_rocksdb *store, int compression, char **message)
{
    const rocksdb_options_t *options[FAMILIES];
    rocksdb_options_set_compression(store->options, compression);
    for (int i = 0; i < FAMILIES; i++)
        options[i] = store->options;
    return rocksdb_open_column_families(store->options, store->dir, FAMILIES, family_names, options, store->families,
                                        message);
}

static int database_open(struct store_rocksdb *store, struct error *err)
{
    char *message = NULL;
    TRY(old_one_remove(store, err));
    store->db = families_open(store, rocksdb_lz4_compression, &message);
    if (message != NULL && strstr(message, "not linked") != NULL) {
        rocksdb_free(message);
        message = NULL;
        store->db = families_open(store, rocksdb_no_compression, &message);
    }
    return message == NULL ? 0 : rocksdb_failed(store->dir, message, err);
}

/* Whole files go first, so that little is left for a tombstone of the range. */
static int rocksdb_store_clear(struct store *base, struct str from, struct str to, struct error *err)
{
    struct store_rocksdb *store = (struct store_rocksdb *)base;
    static const char last[] = "\xff\xff\xff\xff"; /* no key is as large: keys begin with a task */
    const char *start = from.n > 0 ? from.p : "";
    const char *end = to.n > 0 ? to.p : last;
    size_t end_n = to.n > 0 ? to.n : sizeof last - 1;
    char *message = NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (int i = 0; i < FAMILIES && message == NULL; i++) {
        rocksdb_delete_file_in_range_cf(store->db, store->families[i], start, from.n, end, end_n, &message);
        rocksdb_writebatch_delete_range_cf(batch, store->families[i], start, from.n, end, end_n);
    }
    if (message == NULL)
        rocksdb_write(store->db, store->write, batch, &message);
    rocksdb_writebatch_destroy(batch);
    return message == NULL ? 0 : rocksdb_failed(store->dir, message, err);
}

static void rocksdb_store_close(struct store *base)
{
    struct store_rocksdb *store = (struct store_rocksdb *)base;
    for (int i = 0; store->db != NULL && i < FAMILIES; i++)
        rocksdb_column_family_handle_destroy(store->families[i]);
    if (store->db != NULL)
        rocksdb_close(store->db);
    rocksdb_writeoptions_destroy(store->write);
    rocksdb_readoptions_destroy(store->read);
    rocksdb_options_destroy(store->options);
    rocksdb_block_based_options_destroy(store->table_options);
    rocksdb_cache_destroy(store->cache);
    free(store->dir);
    free(store);
}

enum { BACKGROUND_JOBS = 2, OPEN_FILES_MAX = 512, BLOOM_BITS = 10, LOG_FILES_KEPT = 2, LOG_FILE_BYTES = 1 << 20 };

/* Half of the memory is block cache, which holds index and filter blocks too; a quarter write buffers, which may stand
 * at that size once more while they are flushed. The first family whose buffer is full has all of them flushed, so each
 * has a part of that. */
static void options_set(struct store_rocksdb *store)
{
    size_t memory = (size_t)store->memory_bytes;
    rocksdb_options_t *options = store->options;
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    /* Else a crash of the machine, which takes the end of the log, could leave them as of different times. */
    rocksdb_options_set_atomic_flush(options, 1);
    rocksdb_options_set_db_write_buffer_size(options, memory / 4);
    rocksdb_options_set_write_buffer_size(options, memory / 16);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    rocksdb_options_set_info_log_level(options, 3); /* errors */
    rocksdb_options_set_keep_log_file_num(options, LOG_FILES_KEPT);
    rocksdb_options_set_max_log_file_size(options, LOG_FILE_BYTES);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_bytes_per_sync(options, 1 << 20);

    store->cache = rocksdb_cache_create_lru(memory / 2);
    rocksdb_block_based_table_options_t *table = store->table_options;
    rocksdb_block_based_options_set_block_cache(table, store->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_block_size(table, 8 << 10);
    /* Index and filters in pieces: whole ones of a large state would not fit the cache, and each read would fetch one.
     */
    rocksdb_block_based_options_set_index_type(table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, 4096);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_options_set_block_based_table_factory(options, table);
}

int store_rocksdb_open(struct store **store, const char *dir, int64_t memory_bytes, struct error *err)
{
    static const struct store_ops ops = {
        rocksdb_store_get,  rocksdb_store_write,    rocksdb_store_scan,  rocksdb_store_next,
        rocksdb_store_seek, rocksdb_store_scan_end, rocksdb_store_clear, rocksdb_store_close,
    };
    const int64_t memory_min = 8 << 20;
    struct store_rocksdb *self = mem_zalloc(sizeof *self);
    self->base.ops = &ops;
    self->dir = mem_strdup(str_of(dir));
    self->memory_bytes = memory_bytes > memory_min ? memory_bytes : memory_min;
    self->options = rocksdb_options_create();
    self->table_options = rocksdb_block_based_options_create();
    self->read = rocksdb_readoptions_create();
    self->write = rocksdb_writeoptions_create();
    options_set(self);
    if (database_open(self, err) != 0) {
        rocksdb_store_close(&self->base);
        return -1;
    }
    *store = &self->base;
    return 0;
}
