/* The time of a task, and what of its log is applied. */
#include "engine/task.h"

#include <stdlib.h>

#include "engine/exchange_wire.h"
#include "engine/watermark.h"

enum { TASK_ENTRY_VERSION = 2 };

/* Records that hold items not applied: their offsets, and for each of them and each stage the time below which the
 * stage must have been applied. */
struct unapplied {
    int64_t *offsets;
    int64_t *times_ms; /* stage_count of each */
    size_t first;
    size_t count; /* `first` included */
    size_t cap;
    size_t times_cap;
};

struct task {
    struct task_options options;
    struct reduce *reduce;
    struct wire_rules rules;
    int number;
    int tasks;
    size_t stage_count;
    struct exchange_source *sources;    /* by input; topic and partition are the input's */
    int64_t *peers_ms;                  /* by task and stage */
    bool sends[REDUCE_STAGES_MAX];      /* by stage: others wait for it */
    int64_t told_ms[REDUCE_STAGES_MAX]; /* of its own stages, in the log */
    int64_t next_offset;                /* to be read */
    int64_t known_offset;               /* restored: records below it were read before, time is theirs too */
    struct unapplied unapplied;
    bool sources_moved; /* since the last look at switches and firsts */
    struct buf entry;   /* as it was written last */
    struct arena arena;
    uint64_t unknown;
};

struct task *task_new(const struct task_options *options)
{
    struct task *task = mem_zalloc(sizeof *task);
    task->options = *options;
    task->reduce = reduce_new(&options->reduce);
    task->number = options->reduce.tasks.first;
    task->tasks = options->reduce.tasks.count;
    task->stage_count = reduce_stages(task->reduce);
    for (size_t stage = 0; stage < task->stage_count; stage++)
        task->sends[stage] = reduce_sends(task->reduce, stage);
    task->sources = mem_zalloc((options->input_count + 1) * sizeof *task->sources);
    task->peers_ms = mem_alloc((size_t)task->tasks * task->stage_count * sizeof *task->peers_ms);
    wire_rules_init(&task->rules, options->reduce.rules);
    return task;
}

void task_free(struct task *task)
{
    if (task == NULL)
        return;
    reduce_free(task->reduce);
    wire_rules_fini(&task->rules);
    free(task->sources);
    free(task->peers_ms);
    free(task->unapplied.offsets);
    free(task->unapplied.times_ms);
    buf_fini(&task->entry);
    arena_fini(&task->arena);
    free(task);
}

struct reduce *task_reduce(struct task *task)
{
    return task->reduce;
}

uint64_t task_unknown(const struct task *task)
{
    return task->unknown;
}

const struct exchange_source *task_source(const struct task *task, size_t input)
{
    return &task->sources[input];
}

static struct exchange_source *find_source(struct task *task, struct str topic, int32_t partition)
{
    for (size_t i = 0; i < task->options.input_count; i++)
        if (task->sources[i].partition == partition && str_eq(task->sources[i].topic, topic))
            return &task->sources[i];
    return NULL;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Time never goes back, not even where a partition is read again by a new owner. */
static void take_source(void *context, const struct exchange_source *said)
{
    struct task *task = context;
    struct exchange_source *known = find_source(task, said->topic, said->partition);
    if (known == NULL) /* of a topic that is no source any more */
        return;
    known->watermark_ms = later(known->watermark_ms, said->watermark_ms);
    known->first_ms = said->first_ms;
    known->switch_ms = said->switch_ms;
    known->rules_digest = said->rules_digest;
    known->idle = said->idle;
    task->sources_moved = true;
}

static int64_t least_of(const int64_t *times_ms, size_t n)
{
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (times_ms[i] < least_ms)
            least_ms = times_ms[i];
    return n == 0 ? TIME_NONE : least_ms;
}

/* A sender whose rules have other stages is believed the least of its times. */
static void take_stages(void *context, const struct exchange_stages *said)
{
    struct task *task = context;
    if (said->task < 0 || said->task >= task->tasks)
        return;
    int64_t *known = &task->peers_ms[(size_t)said->task * task->stage_count];
    int64_t least_ms = least_of(said->applied_ms, said->count);
    for (size_t stage = 0; stage < task->stage_count; stage++)
        known[stage] = later(known[stage], said->count == task->stage_count ? said->applied_ms[stage] : least_ms);
}

static void item_waits(void *context, int stage, int64_t time_ms)
{
    struct task *task = context;
    struct unapplied *unapplied = &task->unapplied;
    int64_t *times_ms = &unapplied->times_ms[(unapplied->count - 1) * task->stage_count];
    times_ms[stage] = later(times_ms[stage], time_ms);
}

static void count_unknown(void *context)
{
    ((struct task *)context)->unknown++;
}

static void unapplied_add(struct task *task, int64_t offset)
{
    struct unapplied *unapplied = &task->unapplied;
    if (unapplied->first > 0 && unapplied->first * 2 >= unapplied->count) {
        size_t left = unapplied->count - unapplied->first;
        memmove(unapplied->offsets, unapplied->offsets + unapplied->first, left * sizeof *unapplied->offsets);
        memmove(unapplied->times_ms, unapplied->times_ms + unapplied->first * task->stage_count,
                left * task->stage_count * sizeof *unapplied->times_ms);
        unapplied->count = left;
        unapplied->first = 0;
    }
    unapplied->offsets = mem_grow(unapplied->offsets, unapplied->count, &unapplied->cap, sizeof *unapplied->offsets);
    size_t from = unapplied->count * task->stage_count;
    if (from + task->stage_count > unapplied->times_cap) {
        unapplied->times_cap = (from + task->stage_count) * 2;
        unapplied->times_ms = mem_realloc(unapplied->times_ms, unapplied->times_cap * sizeof *unapplied->times_ms);
    }
    for (size_t stage = 0; stage < task->stage_count; stage++)
        unapplied->times_ms[from + stage] = TIME_NONE;
    unapplied->offsets[unapplied->count++] = offset;
}

int task_record(struct task *task, int64_t offset, struct str bytes, struct error *err)
{
    const struct wire_sink sink = {.exchange = reduce_exchange(task->reduce),
                                   .source = take_source,
                                   .stages = take_stages,
                                   .waits = item_waits,
                                   .unknown = count_unknown,
                                   .sources = task->options.reduce.config->sources,
                                   .source_count = task->options.reduce.config->source_count,
                                   .context = task};
    unapplied_add(task, offset);
    task->next_offset = offset + 1;
    TRY(wire_read(bytes, &task->rules, &sink, &task->arena, err));
    return reduce_bound(task->reduce, err);
}

static bool is_applied(const struct task *task, const int64_t *times_ms)
{
    for (size_t stage = 0; stage < task->stage_count; stage++)
        if (times_ms[stage] != TIME_NONE && times_ms[stage] >= reduce_applied(task->reduce, stage))
            return false;
    return true;
}

int64_t task_position(struct task *task)
{
    struct unapplied *unapplied = &task->unapplied;
    while (unapplied->first < unapplied->count &&
           is_applied(task, &unapplied->times_ms[unapplied->first * task->stage_count]))
        unapplied->first++;
    return unapplied->first < unapplied->count ? unapplied->offsets[unapplied->first] : task->next_offset;
}

/* When all sources are mapped with this rule set; since when each stream has a history. */
static void look_at_sources(struct task *task)
{
    const struct config *config = task->options.reduce.config;
    int64_t switch_ms = TIME_NONE;
    int64_t first_ms[STREAM_COUNT];
    bool agreed = true;
    for (int i = 0; i < STREAM_COUNT; i++)
        first_ms[i] = INT64_MAX;
    for (size_t i = 0; i < task->options.input_count; i++) {
        const struct exchange_source *source = &task->sources[i];
        enum stream_id stream = config->sources[task->options.inputs[i].topic].stream->id;
        agreed = agreed && source->rules_digest == task->options.reduce.rules->digest;
        switch_ms = later(switch_ms, source->switch_ms);
        if (source->first_ms == TIME_NONE || stream == STREAM_FEEDBACK)
            continue;
        if (source->first_ms < first_ms[stream])
            first_ms[stream] = source->first_ms;
        if (source->first_ms < first_ms[STREAM_DETECTION])
            first_ms[STREAM_DETECTION] = first_ms[STREAM_SCORECARD] = source->first_ms;
    }
    for (int i = 0; i < STREAM_COUNT; i++)
        reduce_first(task->reduce, (enum stream_id)i, first_ms[i]);
    if (agreed)
        reduce_switch(task->reduce, switch_ms);
}

static int64_t sources_ms(const struct task *task)
{
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < task->options.input_count; i++)
        if (task->sources[i].watermark_ms < least_ms)
            least_ms = task->sources[i].watermark_ms;
    return least_ms;
}

int task_advance(struct task *task, bool *more, struct error *err)
{
    int64_t before_ms[REDUCE_STAGES_MAX];
    int64_t time_ms = sources_ms(task);
    bool moved = false;
    *more = false;
    if (time_ms == TIME_NONE || task->next_offset < task->known_offset)
        return 0;
    for (size_t stage = 0; stage < task->stage_count; stage++) {
        before_ms[stage] = time_ms;
        moved = moved || time_ms > reduce_applied(task->reduce, stage);
        for (int peer = 0; task->sends[stage] && peer < task->tasks; peer++) {
            int64_t peer_ms = task->peers_ms[(size_t)peer * task->stage_count + stage];
            time_ms = peer_ms < time_ms ? peer_ms : time_ms;
        }
    }
    if (task->sources_moved)
        look_at_sources(task);
    task->sources_moved = false;
    return moved ? reduce_advance(task->reduce, before_ms, more, err) : 0;
}

static void entry_key(const struct task *task, struct buf *key)
{
    state_key(key, task->number, STATE_META);
    buf_puts(key, "task");
}

static void put_times(struct buf *out, const int64_t *times_ms, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_i64_sorted(out, times_ms[i]);
}

static void read_times(struct reader *r, int64_t *times_ms, size_t n)
{
    for (size_t i = 0; i < n; i++)
        times_ms[i] = read_i64_sorted(r);
}

static void put_entry(struct task *task, const int64_t *applied_ms, struct buf *out)
{
    int64_t next = later(task->next_offset, task->known_offset);
    buf_byte(out, TASK_ENTRY_VERSION);
    buf_varint(out, task_position(task) < next ? (uint64_t)next : 0);
    buf_varint(out, (uint64_t)task->options.reduce.rules->level_max);
    put_times(out, applied_ms, task->stage_count);
    put_times(out, task->peers_ms, (size_t)task->tasks * task->stage_count);
    buf_varint(out, task->options.input_count);
    for (size_t i = 0; i < task->options.input_count; i++) {
        const struct exchange_source *source = &task->sources[i];
        buf_text(out, source->topic);
        buf_varint(out, (uint64_t)source->partition);
        buf_i64_sorted(out, source->watermark_ms);
        buf_i64_sorted(out, source->first_ms);
        buf_i64_sorted(out, source->switch_ms);
        buf_u64(out, source->rules_digest);
        buf_byte(out, source->idle);
    }
}

void task_before_commit(struct task *task)
{
    int64_t applied_ms[REDUCE_STAGES_MAX];
    struct buf entry = {0};
    bool moved = false;
    reduce_before_commit(task->reduce);
    for (size_t stage = 0; stage < task->stage_count; stage++) {
        applied_ms[stage] = reduce_applied(task->reduce, stage);
        moved = moved || (task->sends[stage] && applied_ms[stage] != task->told_ms[stage]);
    }
    if (moved && applied_ms[LEVEL_SOURCE] != TIME_NONE) {
        exchange_log_stages(task->options.log, &(struct exchange_stages){task->number, applied_ms, task->stage_count});
        memcpy(task->told_ms, applied_ms, sizeof task->told_ms);
    }
    put_entry(task, applied_ms, &entry);
    if (!str_eq(buf_str(&entry), buf_str(&task->entry))) {
        struct buf key = {0};
        entry_key(task, &key);
        state_put(task->options.reduce.state, buf_str(&key), buf_str(&entry));
        buf_fini(&key);
        buf_reset(&task->entry);
        buf_str_put(&task->entry, buf_str(&entry));
    }
    buf_fini(&entry);
}

static void forget(struct task *task)
{
    for (size_t i = 0; i < task->options.input_count; i++)
        task->sources[i] = (struct exchange_source){.topic = task->options.inputs[i].topic_name,
                                                    .partition = task->options.inputs[i].partition,
                                                    .watermark_ms = TIME_NONE,
                                                    .first_ms = TIME_NONE,
                                                    .switch_ms = TIME_NONE};
    for (size_t i = 0; i < (size_t)task->tasks * task->stage_count; i++)
        task->peers_ms[i] = TIME_NONE;
    task->unapplied.first = task->unapplied.count = 0;
    for (size_t stage = 0; stage < task->stage_count; stage++)
        task->told_ms[stage] = TIME_NONE;
    task->sources_moved = true;
    buf_reset(&task->entry);
}

/* Times of another set's stages: what is new starts at the least of all. */
static void fit_stages(const struct task *task, const int64_t *of, size_t of_count, int64_t *times_ms)
{
    for (size_t stage = 0; stage < task->stage_count; stage++)
        times_ms[stage] = stage < of_count ? of[stage] : least_of(of, of_count);
}

static void read_source(struct task *task, struct reader *r)
{
    struct exchange_source said = {.topic = read_text(r)};
    said.partition = (int32_t)read_varint(r);
    said.watermark_ms = read_i64_sorted(r);
    said.first_ms = read_i64_sorted(r);
    said.switch_ms = read_i64_sorted(r);
    said.rules_digest = read_u64(r);
    said.idle = read_byte(r) != 0;
    if (!r->failed)
        take_source(task, &said);
}

static bool read_entry(struct task *task, struct str bytes, int64_t *applied_ms)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    int64_t times_ms[REDUCE_STAGES_MAX];
    if (read_byte(&r) != TASK_ENTRY_VERSION)
        return false;
    task->known_offset = (int64_t)read_varint(&r);
    size_t count = (size_t)read_varint(&r) + 1;
    if (count > REDUCE_STAGES_MAX)
        return false;
    read_times(&r, times_ms, count);
    fit_stages(task, times_ms, count, applied_ms);
    for (int peer = 0; peer < task->tasks; peer++) {
        read_times(&r, times_ms, count);
        fit_stages(task, times_ms, count, &task->peers_ms[(size_t)peer * task->stage_count]);
    }
    uint64_t sources = read_varint(&r);
    for (uint64_t i = 0; i < sources && !r.failed; i++)
        read_source(task, &r);
    return !r.failed;
}

int task_restore(struct task *task, const struct commit_position *position, struct error *err)
{
    int64_t applied_ms[REDUCE_STAGES_MAX];
    struct buf key = {0};
    struct buf value = {0};
    bool found = false;
    forget(task);
    task->next_offset = position->offset;
    task->known_offset = 0;
    for (size_t stage = 0; stage < REDUCE_STAGES_MAX; stage++)
        applied_ms[stage] = TIME_NONE;
    entry_key(task, &key);
    int result = state_get(task->options.reduce.state, buf_str(&key), &value, &found, err);
    if (result == 0 && found && !read_entry(task, buf_str(&value), applied_ms))
        result = error_set(err, ERROR_FATAL,
                           "the state is damaged: stop, delete the state directory and start: it is restored from the "
                           "changelog");
    if (position->anew)
        task->known_offset = 0;
    buf_fini(&key);
    buf_fini(&value);
    return result == 0 ? reduce_restore(task->reduce, applied_ms, err) : -1;
}
