/* Any bytes as the file that `forestall check` is asked about: the whole command, from opening the file, as rules or as
 * a configuration, to printing what is wrong with it. Run it with -close_fd_mask=3, which keeps its messages quiet. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void remove_file(void)
{
    (void)unlink(path);
}

static void write_file(const uint8_t *data, size_t size)
{
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof path, "/tmp/cli_check_fuzz.%ld.yaml", (long)getpid());
        (void)atexit(remove_file);
    }
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL && fwrite(data, 1, size, file) == size);
    ASSERT(fclose(file) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[] = {(char[]){"check"}, path, NULL};
    write_file(data, size);
    int status = cli_check(2, argv);
    ASSERT(status == 0 || status == 1);
    return 0;
}
