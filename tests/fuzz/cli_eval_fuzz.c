/* Any bytes as the arguments of `forestall eval`: the expression up to the first NUL and, after it, the JSON of --with.
 * The whole command runs, printing included. Run it with -close_fd_mask=3, which keeps its output quiet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cli/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strdup((struct str){(const char *)data, size});
    size_t n = strlen(text);
    char *argv[] = {(char[]){"eval"}, (char[]){"--with"}, text + n + 1, (char[]){"--"}, text, NULL};
    if (n == size) {
        argv[1] = argv[3];
        argv[2] = argv[4];
        argv[3] = NULL;
    }
    int status = cli_eval(n == size ? 3 : 5, argv);
    ASSERT(status == 0 || status == 1 || (status == 2 && n < size));
    free(text);
    return 0;
}
