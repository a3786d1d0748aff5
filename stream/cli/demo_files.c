/* The demo's folder. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "cli/demo_files.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/rules_embedded.h"
#include "codec/schemas_embedded.h"

static const char configuration[] =
    "# The demo's configuration. `forestall replay -c forestall.yaml --file history.jsonl` reads the history beside "
    "it\n"
    "# without a Kafka; with one, `forestall topics create` makes the topics and `forestall run` reads them.\n"
    "application_id: forestall-demo\n"
    "kafka: {bootstrap.servers: \"%s\"}\n"
    "sources:\n"
    "  - {topic: incidents,   stream: incident,   format: json}\n"
    "  - {topic: deployments, stream: deployment, format: json}\n"
    "  - {topic: telemetry,   stream: telemetry,  format: avro, schema: schemas/telemetry.avsc}\n"
    "  - {topic: forestall.feedback, stream: feedback, format: json}\n"
    "rules: [rules]\n"
    "time: {idle_lag: 300ms, out_of_orderness: 10s}\n"
    "state: {dir: state, tasks: 4}\n";

int demo_folder_make(char **path, struct error *err)
{
    const char *above = getenv("TMPDIR");
    struct buf name = {0};
    buf_printf(&name, "%s/forestall-demo-XXXXXX", above != NULL && above[0] != '\0' ? above : "/tmp");
    *path = mem_strdup(buf_str(&name));
    buf_fini(&name);
    if (mkdtemp(*path) != NULL)
        return 0;
    int result = error_set(err, ERROR_FATAL, "no folder can be made at %s: %s", *path, strerror(errno));
    free(*path);
    *path = NULL;
    return result;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void demo_folder_remove(const char *path)
{
    enum { OPEN_MAX = 16 };
    if (nftw(path, remove_one, OPEN_MAX, FTW_DEPTH | FTW_PHYS) != 0)
        (void)fprintf(stderr, "%s could not be removed: %s\n", path, strerror(errno));
}

/* Makes every folder above the file. */
static int folders_make(char *path, struct error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return error_set(err, ERROR_FATAL, "%.*s cannot be made: %s", (int)(slash - path), path, strerror(errno));
    }
    return 0;
}

static int file_write(const char *folder, const char *name, struct str content, bool replace, struct error *err)
{
    struct buf text = {0};
    buf_printf(&text, "%s/%s", folder, name);
    char *path = mem_strdup(buf_str(&text));
    buf_fini(&text);
    int result = folders_make(path, err);
    FILE *file = result == 0 ? fopen(path, replace ? "w" : "wx") : NULL;
    if (result == 0 && file == NULL)
        result = error_set(err, ERROR_FATAL, "%s cannot be written: %s", path, strerror(errno));
    if (file != NULL) {
        bool good = fwrite(content.p, 1, content.n, file) == content.n;
        good = fclose(file) == 0 && good;
        if (!good)
            result = error_set(err, ERROR_FATAL, "%s cannot be written: %s", path, strerror(errno));
    }
    free(path);
    return result;
}

int demo_files_write(const char *folder, const char *bootstrap, bool replace, struct error *err)
{
    struct buf text = {0};
    int result = 0;
    for (const struct rule_file_embedded *rule = rules_embedded; rule->path != NULL && result == 0; rule++) {
        buf_reset(&text);
        buf_printf(&text, "rules/%s", rule->path);
        buf_byte(&text, '\0');
        result = file_write(folder, text.p, (struct str){(const char *)rule->bytes, rule->length}, replace, err);
    }
    if (result == 0)
        result = file_write(folder, "schemas/telemetry.avsc", str_of(schema_embedded_find("telemetry")), replace, err);
    buf_reset(&text);
    buf_printf(&text, configuration, bootstrap);
    if (result == 0)
        result = file_write(folder, "forestall.yaml", buf_str(&text), replace, err);
    buf_fini(&text);
    return result;
}

int demo_history_write(const char *folder, const struct history_options *options, struct error *err)
{
    struct buf line = {0};
    struct buf path = {0};
    buf_printf(&path, "%s/history.jsonl", folder);
    buf_byte(&path, '\0');
    FILE *file = fopen(path.p, "w");
    bool good = file != NULL;
    struct history *history = history_new(options);
    struct history_event event;
    while (good && history_next(history, &event)) {
        buf_reset(&line);
        history_line(&line, &event);
        good = fwrite(line.p, 1, line.len, file) == line.len;
    }
    history_free(history);
    if (file != NULL)
        good = fclose(file) == 0 && good;
    if (!good)
        (void)error_set(err, ERROR_FATAL, "%s cannot be written: %s", path.p, strerror(errno));
    buf_fini(&line);
    buf_fini(&path);
    return good ? 0 : -1;
}
