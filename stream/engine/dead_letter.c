/* Dead letters as records with headers. */
#include "engine/dead_letter.h"

#include <inttypes.h>

/* Of what is too large the key is sent on where it is short. */
enum { KEY_BYTES_MAX = 1024 };

void dead_letter_add(struct outbox *outbox, const struct dead_letter *letter)
{
    struct buf partition = {0};
    struct buf offset = {0};
    buf_printf(&partition, "%" PRId32, letter->partition);
    buf_printf(&offset, "%" PRId64, letter->offset);
    struct commit_record record = {
        .output = OUTPUT_DEAD_LETTER,
        .key = letter->truncated && letter->key.n > KEY_BYTES_MAX ? (struct str){0} : letter->key,
        .value = letter->truncated ? STR_LIT("") : letter->value,
        .headers = {{"forestall.error", letter->reason},
                    {"forestall.topic", letter->topic},
                    {"forestall.partition", buf_str(&partition)},
                    {"forestall.offset", buf_str(&offset)}},
        .header_count = 4,
    };
    if (letter->truncated)
        record.headers[record.header_count++] = (struct commit_header){"forestall.truncated", STR_LIT("true")};
    outbox_add(outbox, &record);
    buf_fini(&partition);
    buf_fini(&offset);
}
