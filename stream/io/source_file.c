/* Files of JSON lines as a source: each partition reads its file by itself, through a buffer of one read.
 *
 * Lines are numbered from 1, empty ones too. The records of a poll lie in an arena until they are released.
 */
#include "io/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/line_member.h"

enum { CHUNK_BYTES = 128 << 10, SCAN_LINE_BYTES_MAX = 4 << 20, STREAMS_MAX = 8 };

/* Reads lines; a line over `line_bytes_max` is cut to that many + 1 bytes. */
struct line_reader {
    const char *path;
    int fd;
    char *chunk;
    size_t begin; /* unread bytes of the chunk: [begin, end) */
    size_t end;
    bool at_end;
    int64_t number;     /* of the last line read */
    int64_t bytes_read; /* lines taken so far, their ends included */
    size_t line_bytes_max;
    struct buf line;
};

static int line_reader_open(struct line_reader *reader, const char *path, size_t line_bytes_max, struct error *err)
{
    *reader = (struct line_reader){.path = path, .line_bytes_max = line_bytes_max};
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    reader->chunk = mem_alloc(CHUNK_BYTES);
    return 0;
}

static void line_reader_close(struct line_reader *reader)
{
    if (reader->fd >= 0)
        (void)close(reader->fd);
    free(reader->chunk);
    buf_fini(&reader->line);
}

static int chunk_fill(struct line_reader *reader, struct error *err)
{
    ssize_t n;
    do
        n = read(reader->fd, reader->chunk, CHUNK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set(err, ERROR_FATAL, "%s: %s", reader->path, strerror(errno));
    reader->begin = 0;
    reader->end = (size_t)n;
    reader->at_end = n == 0;
    return 0;
}

static void line_append(struct line_reader *reader, const char *bytes, size_t n)
{
    size_t room = reader->line_bytes_max + 1 - reader->line.len;
    buf_put(&reader->line, bytes, n < room ? n : room);
}

/* 0 and the line, without its end; 1 at the file's end; -1. The line holds until the next call. */
static int line_next(struct line_reader *reader, struct str *line, struct error *err)
{
    buf_reset(&reader->line);
    bool any = false;
    for (bool ended = false; !ended;) {
        if (reader->begin == reader->end)
            TRY(chunk_fill(reader, err));
        if (reader->at_end)
            break;
        const char *from = reader->chunk + reader->begin;
        size_t left = reader->end - reader->begin;
        const char *end = memchr(from, '\n', left);
        size_t n = end != NULL ? (size_t)(end - from) : left;
        ended = end != NULL;
        any = true;
        line_append(reader, from, n);
        reader->begin += n + (ended ? 1 : 0);
        reader->bytes_read += (int64_t)n + (ended ? 1 : 0);
    }
    if (!any)
        return 1;
    reader->number++;
    *line = buf_str(&reader->line);
    if (line->n > 0 && line->n <= reader->line_bytes_max && line->p[line->n - 1] == '\r')
        line->n--;
    return 0;
}

static bool line_blank(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
            return false;
    return true;
}

static const char *known_find(const char *const *known, struct str name)
{
    for (; *known != NULL; known++)
        if (str_is(name, *known))
            return *known;
    return NULL;
}

/* Keeps `names` in order and without repetition. */
static void names_add(const char **names, size_t *count, const char *name)
{
    size_t at = 0;
    while (at < *count && strcmp(names[at], name) < 0)
        at++;
    if (at < *count && strcmp(names[at], name) == 0)
        return;
    ASSERT(*count < STREAMS_MAX);
    memmove(&names[at + 1], &names[at], (*count - at) * sizeof *names);
    names[at] = name;
    ++*count;
}

int source_file_streams(const char *path, const char *const *known, const char **names, size_t *count, int64_t *unnamed,
                        struct error *err)
{
    struct line_reader reader;
    TRY(line_reader_open(&reader, path, SCAN_LINE_BYTES_MAX, err));
    *count = 0;
    *unnamed = 0;
    struct str line;
    int result;
    while ((result = line_next(&reader, &line, err)) == 0) {
        struct str name;
        if (line_blank(line))
            continue;
        if (!line_member(line, STR_LIT("stream"), &name)) {
            ++*unnamed;
            continue;
        }
        const char *stream = known_find(known, name);
        if (stream == NULL) {
            result = error_set(err, ERROR_BAD_INPUT, "%s:%lld: no stream is called '%.*s'", path,
                               (long long)reader.number, (int)(name.n < 64 ? name.n : 64), name.p);
            break;
        }
        names_add(names, count, stream);
    }
    line_reader_close(&reader);
    return result < 0 ? -1 : 0;
}

struct file_partition {
    struct line_reader reader;
    const char *stream; /* NULL: every line is taken */
    int64_t size;       /* of the file when it was opened */
    size_t file;        /* the first partition of the same file */
    int64_t least_read; /* of that one: the fewest bytes that a partition of the file has read */
    bool finished;
};

struct source_file {
    struct source base;
    struct source_partition *described;
    struct file_partition *partitions;
    size_t opened;
    struct arena names;
    struct arena records;
    int64_t now_ms;
};

static struct file_partition *partition_of(struct source *source, size_t partition)
{
    ASSERT(partition < source->partition_count);
    return &((struct source_file *)source)->partitions[partition];
}

static bool line_taken(const struct file_partition *partition, struct str line)
{
    if (line_blank(line))
        return false;
    struct str name;
    return partition->stream == NULL ||
           (line_member(line, STR_LIT("stream"), &name) && str_is(name, partition->stream));
}

static int file_poll(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                     struct error *err)
{
    struct source_file *file = (struct source_file *)source;
    struct file_partition *from = partition_of(source, partition);
    *count = 0;
    while (*count < max && !from->finished) {
        struct str line = {0};
        int result = line_next(&from->reader, &line, err);
        if (result < 0)
            return -1;
        from->finished = result == 1;
        if (from->finished || !line_taken(from, line))
            continue;
        struct str kept = arena_str(&file->records, line);
        records[(*count)++] = (struct source_record){
            .value = kept.p, .value_n = kept.n, .offset = from->reader.number, .timestamp_ms = file->now_ms};
    }
    return 0;
}

static void file_release(struct source *source)
{
    arena_reset(&((struct source_file *)source)->records);
}

static int file_wait(struct source *source, int timeout_ms, struct error *err)
{
    (void)source;
    (void)timeout_ms;
    (void)err;
    return 0;
}

static int file_seek(struct source *source, size_t partition, int64_t offset, struct error *err)
{
    struct file_partition *in = partition_of(source, partition);
    struct line_reader *reader = &in->reader;
    if (lseek(reader->fd, 0, SEEK_SET) < 0)
        return error_set(err, ERROR_FATAL, "%s: %s", reader->path, strerror(errno));
    reader->begin = reader->end = 0;
    reader->at_end = false;
    reader->number = reader->bytes_read = 0;
    in->finished = false;
    struct str line;
    while (reader->number + 1 < offset && !in->finished) {
        int result = line_next(reader, &line, err);
        if (result < 0)
            return -1;
        in->finished = result == 1;
    }
    return 0;
}

static bool file_finished(struct source *source, size_t partition)
{
    return partition_of(source, partition)->finished;
}

/* A file is as far as the slowest of its partitions: one whose stream is rare reads ahead through all of it. */
static void file_progress(struct source *source, int64_t *done, int64_t *total)
{
    *done = *total = 0;
    for (size_t i = 0; i < source->partition_count; i++) {
        const struct file_partition *partition = partition_of(source, i);
        struct file_partition *first = partition_of(source, partition->file);
        int64_t bytes = partition->reader.bytes_read;
        first->least_read = i == partition->file || bytes < first->least_read ? bytes : first->least_read;
    }
    for (size_t i = 0; i < source->partition_count; i++) {
        const struct file_partition *partition = partition_of(source, i);
        *done += partition->file == i ? partition->least_read : 0;
        *total += partition->file == i ? partition->size : 0;
    }
}

static void file_close(struct source *source)
{
    struct source_file *file = (struct source_file *)source;
    for (size_t i = 0; i < file->opened; i++)
        line_reader_close(&file->partitions[i].reader);
    free(file->partitions);
    free(file->described);
    arena_fini(&file->names);
    arena_fini(&file->records);
    free(file);
}

static int partition_open(struct source_file *file, const struct source_file_input *input, bool filtered,
                          size_t line_bytes_max, struct error *err)
{
    struct file_partition *partition = &file->partitions[file->opened];
    while (partition->file < file->opened && strcmp(file->partitions[partition->file].reader.path, input->path) != 0)
        partition->file++;
    TRY(line_reader_open(&partition->reader, arena_str(&file->names, str_of(input->path)).p, line_bytes_max, err));
    file->opened++;
    if (filtered)
        partition->stream = arena_str(&file->names, str_of(input->stream)).p;
    struct stat about;
    if (fstat(partition->reader.fd, &about) != 0)
        return error_set(err, ERROR_FATAL, "%s: %s", input->path, strerror(errno));
    partition->size = about.st_size;
    return 0;
}

int source_file_open(struct source **source, const struct source_file_input *inputs, const bool *filter,
                     const struct source_partition *partitions, size_t count, int64_t now_ms, size_t line_bytes_max,
                     struct error *err)
{
    static const struct source_ops ops = {
        file_poll, file_release, file_wait, file_seek, NULL, NULL, file_finished, file_progress, NULL, NULL, file_close,
    };
    struct source_file *file = mem_zalloc(sizeof *file);
    file->now_ms = now_ms;
    file->described = mem_alloc((count + 1) * sizeof *file->described);
    file->partitions = mem_zalloc((count + 1) * sizeof *file->partitions);
    file->base = (struct source){&ops, file->described, count};
    for (size_t i = 0; i < count; i++) {
        file->described[i] = partitions[i];
        file->described[i].topic_name = arena_str(&file->names, partitions[i].topic_name);
        if (partition_open(file, &inputs[i], filter[i], line_bytes_max, err) != 0) {
            file_close(&file->base);
            return -1;
        }
    }
    *source = &file->base;
    return 0;
}
