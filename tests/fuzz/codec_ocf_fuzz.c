/* A container file from outside, its records decoded as telemetry where its schema allows. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/decoder.h"
#include "codec/ocf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void remove_file(void)
{
    (void)unlink(path);
}

static void write_file(const uint8_t *data, size_t size)
{
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof path, "/tmp/codec_ocf_fuzz.%ld", (long)getpid());
        (void)atexit(remove_file);
    }
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL && fwrite(data, 1, size, file) == size);
    ASSERT(fclose(file) == 0);
}

/* At most as many records as a block has bytes: each takes one at least. */
static void decode_block(struct decoder *decoder, struct str bytes, int64_t count)
{
    struct error err = {0};
    struct arena arena = {0};
    struct event event;
    size_t consumed = 0;
    for (int64_t i = 0; i < count; i++) {
        if (decoder_decode_prefix(decoder, bytes, &arena, &event, &consumed, &err) != 0)
            break;
        ASSERT(consumed > 0 && consumed <= bytes.n);
        bytes = (struct str){bytes.p + consumed, bytes.n - consumed};
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct ocf *ocf;
    struct decoder *decoder = NULL;
    struct str bytes;
    int64_t count = 0;
    int64_t skipped = 0;
    write_file(data, size);
    if (ocf_open(&ocf, path, &err) != 0)
        return 0;
    struct decoder_options options = {.stream = stream_get(STREAM_TELEMETRY),
                                      .format = FORMAT_AVRO,
                                      .schema = ocf_schema(ocf),
                                      .wanted = ~(field_mask)0};
    if (decoder_new(&decoder, &options, &err) != 0)
        decoder = NULL;
    while (ocf_next_block(ocf, &bytes, &count, &skipped, &err) == 0 && count > 0)
        if (decoder != NULL)
            decode_block(decoder, bytes, count);
    decoder_free(decoder);
    ocf_close(ocf);
    return 0;
}
