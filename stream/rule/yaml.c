/* YAML text to a tree, over libyaml's event interface, which itself limits nothing: what this refuses is listed in
 * yaml.h. The tree is built with a stack of its own, so depth costs no C stack. Any thread; nothing is shared. */
#include "rule/yaml.h"

#include "base/map.h"
#include "rule/yaml_slip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

enum { YAML_DEPTH_MAX = 64, YAML_BYTES_MAX = 10 * 1024 * 1024, YAML_NODES_MAX = 1000000, LINEAR_KEYS_MAX = 16 };

/* A collection that is open: its children are builder.nodes[start, …), of a mapping keys and values in turn. */
struct open_node {
    struct yaml_node *node;
    size_t start;
    bool flow; /* within [ ] or { } */
};

struct builder {
    struct arena *arena;
    const char *file;
    struct str text;
    struct diagnostics *diagnostics;
    struct open_node open[YAML_DEPTH_MAX];
    size_t depth;
    struct yaml_node **nodes;
    size_t node_count;
    size_t node_cap;
    size_t total;
    struct yaml_node *root;
    /* libyaml counts characters: character `at_char` is byte `at_byte`. Only moves forward. */
    size_t at_char;
    size_t at_byte;
    /* The scalar before, for what is said of text that is no YAML. */
    bool quoted;
    yaml_mark_t scalar;
    yaml_mark_t scalar_end;
};

static int refuse(const struct builder *builder, yaml_mark_t mark, const char *message)
{
    diagnostic_file(builder->diagnostics, builder->file, (int)mark.line + 1, (int)mark.column + 1, "%s", message);
    return -1;
}

static size_t byte_of(struct builder *builder, size_t character)
{
    while (builder->at_char < character && builder->at_byte < builder->text.n) {
        builder->at_byte++;
        while (builder->at_byte < builder->text.n && ((unsigned char)builder->text.p[builder->at_byte] & 0xc0) == 0x80)
            builder->at_byte++;
        builder->at_char++;
    }
    return builder->at_byte;
}

static bool at_key(const struct builder *builder)
{
    if (builder->depth == 0)
        return false;
    const struct open_node *top = &builder->open[builder->depth - 1];
    return top->node->kind == YAML_MAPPING && (builder->node_count - top->start) % 2 == 0;
}

static int push(struct builder *builder, struct yaml_node *node, yaml_mark_t mark)
{
    if (++builder->total > YAML_NODES_MAX)
        return refuse(builder, mark, "over a million values; split the file");
    if (builder->depth == 0) {
        builder->root = node;
        return 0;
    }
    builder->nodes = mem_grow(builder->nodes, builder->node_count, &builder->node_cap, sizeof(void *));
    builder->nodes[builder->node_count++] = node;
    return 0;
}

static struct yaml_node *node_new(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = arena_zalloc(builder->arena, sizeof *node);
    node->kind = kind;
    node->file = builder->file;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1;
    node->text = STR_LIT("");
    return node;
}

/* What begins with an anchor's, alias' or tag's sign is as often an expression. */
static const char no_anchors[] =
    "anchors and aliases are not taken: write the value where it is used; text that begins with & or * needs quotes";
static const char no_tags[] = "tags are not taken; text that begins with ! needs quotes";

static int refuse_decorated(const struct builder *builder, const yaml_event_t *event, const yaml_char_t *anchor,
                            const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(builder, event->start_mark, no_anchors);
    if (tag != NULL)
        return refuse(builder, event->start_mark, no_tags);
    return 0;
}

static int on_scalar(struct builder *builder, const yaml_event_t *event)
{
    TRY(refuse_decorated(builder, event, event->data.scalar.anchor, event->data.scalar.tag));
    struct yaml_node *node = node_new(builder, YAML_SCALAR, event->start_mark);
    yaml_scalar_style_t style = event->data.scalar.style;
    node->quoted = style != YAML_PLAIN_SCALAR_STYLE;
    node->block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    node->text =
        arena_str(builder->arena, (struct str){(const char *)event->data.scalar.value, event->data.scalar.length});
    if (at_key(builder) && !node->quoted && str_is(node->text, "<<"))
        return refuse(builder, event->start_mark, "merge keys are not taken: write the keys where they are used");
    if (memchr(node->text.p, '\0', node->text.n) != NULL)
        return refuse(builder, event->start_mark, "a NUL character is not taken");
    size_t from = byte_of(builder, event->start_mark.index);
    size_t to = byte_of(builder, event->end_mark.index);
    node->raw = (struct str){builder->text.p + from, to - from};
    builder->quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    builder->scalar = event->start_mark;
    builder->scalar_end = event->end_mark;
    return push(builder, node, event->start_mark);
}

/* A collection as a key: `{{ … }}` without quotes, as a rule. */
static int refuse_key(struct builder *builder, const yaml_event_t *event)
{
    yaml_mark_t mark = event->start_mark;
    size_t byte = byte_of(builder, mark.index);
    if (byte == 0 || mark.column == 0 || strncmp(builder->text.p + byte - 1, "{{", 2) != 0)
        return refuse(builder, mark, "a key must be a scalar");
    mark.column--;
    return refuse(builder, mark, "text that begins with '{{' needs quotes");
}

static int on_open(struct builder *builder, const yaml_event_t *event, enum yaml_kind kind)
{
    bool flow = kind == YAML_SEQUENCE ? event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                                      : event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    if (kind == YAML_SEQUENCE)
        TRY(refuse_decorated(builder, event, event->data.sequence_start.anchor, event->data.sequence_start.tag));
    else
        TRY(refuse_decorated(builder, event, event->data.mapping_start.anchor, event->data.mapping_start.tag));
    if (at_key(builder))
        return refuse_key(builder, event);
    if (builder->depth == YAML_DEPTH_MAX)
        return refuse(builder, event->start_mark, "nested more than 64 deep");
    struct yaml_node *node = node_new(builder, kind, event->start_mark);
    TRY(push(builder, node, event->start_mark));
    builder->open[builder->depth++] = (struct open_node){node, builder->node_count, flow};
    return 0;
}

static int refuse_duplicate(const struct builder *builder, const struct yaml_node *key, const struct yaml_node *first)
{
    diagnostic_at(builder->diagnostics, key, false, "duplicate key '%.*s', first in line %d", STR_ARG(key->text),
                  first->line);
    return -1;
}

static int check_duplicates(const struct builder *builder, const struct yaml_node *node)
{
    if (node->count <= LINEAR_KEYS_MAX) {
        for (size_t i = 1; i < node->count; i++)
            for (size_t j = 0; j < i; j++)
                if (str_eq(node->keys[i]->text, node->keys[j]->text))
                    return refuse_duplicate(builder, node->keys[i], node->keys[j]);
        return 0;
    }
    struct map seen = {0};
    int result = 0;
    for (size_t i = 0; i < node->count && result == 0; i++) {
        void **slot = map_slot(&seen, node->keys[i]->text);
        if (*slot != NULL)
            result = refuse_duplicate(builder, node->keys[i], *slot);
        *slot = node->keys[i];
    }
    map_fini(&seen);
    return result;
}

static int check_commas(const struct builder *builder, const struct yaml_node *node)
{
    const struct yaml_node *rest = yaml_cut_by_comma(node);
    if (rest == NULL)
        return 0;
    diagnostic_at(builder->diagnostics, rest, NULL,
                  "the ',' before this ends the text; text with ',' in it needs quotes");
    return -1;
}

static int on_close(struct builder *builder)
{
    ASSERT(builder->depth > 0);
    struct open_node top = builder->open[--builder->depth];
    struct yaml_node *node = top.node;
    size_t children = builder->node_count - top.start;
    builder->node_count = top.start;
    if (children == 0)
        return 0;
    struct yaml_node **from = builder->nodes + top.start;
    if (node->kind == YAML_SEQUENCE) {
        node->count = children;
        node->items = arena_alloc(builder->arena, children * sizeof(void *));
        memcpy(node->items, from, children * sizeof(void *));
        return top.flow ? check_commas(builder, node) : 0;
    }
    node->count = children / 2;
    node->items = arena_alloc(builder->arena, node->count * sizeof(void *));
    node->keys = arena_alloc(builder->arena, node->count * sizeof(void *));
    for (size_t i = 0; i < node->count; i++) {
        node->keys[i] = from[2 * i];
        node->items[i] = from[2 * i + 1];
    }
    if (top.flow)
        TRY(check_commas(builder, node));
    return check_duplicates(builder, node);
}

static int on_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->root != NULL)
            return refuse(builder, event->start_mark, "one file holds one document");
        if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
            return refuse(builder, event->start_mark, no_tags);
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(builder, event->start_mark, no_anchors);
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(builder, event, YAML_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return on_open(builder, event, YAML_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

/* Line and column of a byte: where libyaml's reader stumbles it knows no more. */
static yaml_mark_t mark_of_byte(struct str text, size_t byte)
{
    yaml_mark_t mark = {0};
    const char *end = text.p + text.n;
    for (const char *p = text.p; p < end && p < text.p + byte;) {
        size_t line_break = yaml_break(p, end);
        if (line_break > 0) {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)*p & 0xc0) != 0x80) {
            mark.column++;
        }
        p += line_break > 0 ? line_break : 1;
    }
    return mark;
}

static int refuse_character(const struct builder *builder, const yaml_parser_t *parser)
{
    yaml_mark_t mark = mark_of_byte(builder->text, parser->problem_offset);
    diagnostic_file(builder->diagnostics, builder->file, (int)mark.line + 1, (int)mark.column + 1,
                    "a control character (U+%04X) is not taken", (unsigned)parser->problem_value);
    return -1;
}

static struct yaml_spot spot_of(yaml_mark_t mark)
{
    return (struct yaml_spot){mark.line, mark.column};
}

static int refuse_syntax(const struct builder *builder, const yaml_parser_t *parser)
{
    if (parser->error == YAML_READER_ERROR)
        return refuse_character(builder, parser);
    struct yaml_fault fault = {.text = builder->text,
                               .problem = parser->problem != NULL ? parser->problem : "out of memory",
                               .at = spot_of(parser->problem_mark),
                               .context = parser->context != NULL ? parser->context : "",
                               .since = spot_of(parser->context_mark),
                               .quoted = builder->quoted,
                               .scalar = spot_of(builder->scalar),
                               .scalar_end = spot_of(builder->scalar_end)};
    struct yaml_slip slip = yaml_slip_of(builder->arena, &fault);
    diagnostic_file(builder->diagnostics, builder->file, (int)slip.at.line + 1, (int)slip.at.column + 1, "%s",
                    slip.words);
    return -1;
}

static int run(struct builder *builder, yaml_parser_t *parser)
{
    for (bool done = false; !done;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return refuse_syntax(builder, parser);
        done = event.type == YAML_STREAM_END_EVENT;
        int result = on_event(builder, &event);
        yaml_event_delete(&event);
        TRY(result);
    }
    return 0;
}

/* The first byte that is no part of a character. */
static size_t first_bad_byte(struct str text)
{
    size_t i = 0;
    while (i < text.n) {
        size_t n = 1;
        while (n < 4 && i + n <= text.n && !utf8_valid(text.p + i, n))
            n++;
        if (i + n > text.n || !utf8_valid(text.p + i, n))
            return i;
        i += n;
    }
    return i;
}

static int refuse_encoding(const struct builder *builder)
{
    struct str text = builder->text;
    size_t bad = first_bad_byte(text);
    yaml_mark_t mark = mark_of_byte(text, bad);
    if (bad == 0 && text.n > 1 && (memcmp(text.p, "\xff\xfe", 2) == 0 || memcmp(text.p, "\xfe\xff", 2) == 0))
        return refuse(builder, mark, "this is UTF-16; save the file as UTF-8");
    diagnostic_file(builder->diagnostics, builder->file, (int)mark.line + 1, (int)mark.column + 1,
                    "this is not UTF-8 (byte 0x%02x)", (unsigned)(unsigned char)text.p[bad]);
    return -1;
}

struct str yaml_without_mark(struct str text)
{
    return str_starts(text, STR_LIT("\xef\xbb\xbf")) ? (struct str){text.p + 3, text.n - 3} : text;
}

struct yaml_node *yaml_parse(struct arena *arena, const char *file, struct str text, struct diagnostics *diagnostics)
{
    file = arena_str(arena, str_of(file)).p;
    text = yaml_without_mark(text);
    diagnostics_add_file(diagnostics, file);
    struct builder builder = {.arena = arena, .file = file, .text = text, .diagnostics = diagnostics};
    if (text.n > YAML_BYTES_MAX) {
        (void)refuse(&builder, (yaml_mark_t){0}, "over 10 MiB; split the file");
        return NULL;
    }
    if (!utf8_valid(text.p, text.n)) {
        (void)refuse_encoding(&builder);
        return NULL;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        (void)refuse(&builder, (yaml_mark_t){0}, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    builder.text = arena_str(arena, text);
    yaml_parser_set_input_string(&parser, (const unsigned char *)builder.text.p, text.n);
    int result = run(&builder, &parser);
    yaml_parser_delete(&parser);
    free(builder.nodes);
    if (result != 0)
        return NULL;
    if (builder.root == NULL || yaml_is_null(builder.root))
        return node_new(&builder, YAML_MAPPING, (yaml_mark_t){0});
    return builder.root;
}

char *yaml_read_file(struct arena *arena, const char *path, size_t max, size_t *n, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        (void)error_set(err, ERROR_BAD_INPUT, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)error_set(err, ERROR_BAD_INPUT, "%s is not a regular file", path);
        goto out;
    }
    if (info.st_size < 0 || (size_t)info.st_size > max) {
        (void)error_set(err, ERROR_BAD_INPUT, "%s is over %zu bytes", path, max);
        goto out;
    }
    size_t size = (size_t)info.st_size;
    text = arena_alloc(arena, size + 1);
    *n = 0;
    while (*n < size) {
        ssize_t got = read(fd, text + *n, size - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            (void)error_set(err, ERROR_BAD_INPUT, "cannot read %s: %s", path, strerror(errno));
            text = NULL;
            goto out;
        }
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    text[*n] = '\0';
out:
    (void)close(fd);
    return text;
}

struct yaml_node *yaml_load(struct arena *arena, const char *path, struct diagnostics *diagnostics)
{
    struct error err;
    size_t n = 0;
    char *text = yaml_read_file(arena, path, YAML_BYTES_MAX, &n, &err);
    if (text == NULL) {
        const char *file = arena_str(diagnostics->arena, str_of(path)).p;
        diagnostics_add_file(diagnostics, file);
        diagnostic_file(diagnostics, file, 1, 1, "%s", err.message);
        return NULL;
    }
    return yaml_parse(arena, path, (struct str){text, n}, diagnostics);
}

struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->count; i++)
        if (str_is(mapping->keys[i]->text, key))
            return mapping->items[i];
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || node->quoted)
        return false;
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (str_is(node->text, nulls[i]))
            return true;
    return false;
}
