/* What the demo is made of, as files in a folder: rules, schemas, a configuration, the history. */
#ifndef FORESTALL_CLI_DEMO_FILES_H
#define FORESTALL_CLI_DEMO_FILES_H

#include "base/error.h"
#include "cli/history.h"

/* Makes an empty folder of its own in TMPDIR; *path is the caller's to free. */
int demo_folder_make(char **path, struct error *err) MUST_CHECK;
/* Removes it with everything in it. */
void demo_folder_remove(const char *path);
/* Writes rules/, schemas/ and forestall.yaml, for a Kafka at `bootstrap`; makes the folder if there is none. Files of
 * these names are replaced only where `replace`: ERROR_FATAL otherwise. */
int demo_files_write(const char *folder, const char *bootstrap, bool replace, struct error *err) MUST_CHECK;
/* Writes history.jsonl, as `forestall replay --file` reads it. */
int demo_history_write(const char *folder, const struct history_options *options, struct error *err) MUST_CHECK;

#endif
