/* The files of `replay --file` as one source, and the configuration's sources made to fit: a (file, stream) is one
 * partition, its topic the stream, its partition the file's place on the command line. */
#ifndef FORESTALL_CLI_FILES_H
#define FORESTALL_CLI_FILES_H

#include "engine/config.h"
#include "io/source.h"

/* `names` are `FILE` or `STREAM=FILE`. Replaces config->sources (times and keys are taken over from the configuration's
 * source of the stream, where there is one). *unnamed: lines that name no stream. */
int files_open(struct source **source, struct config *config, char *const *names, size_t count, int64_t now_ms,
               int64_t *unnamed, struct error *err) MUST_CHECK;

#endif
