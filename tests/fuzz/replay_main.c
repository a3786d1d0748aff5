/* Runs a fuzz target over the files and folders named, for compilers without libFuzzer. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False where it cannot be read. The copy is exactly as long as the file, so that a sanitizer sees a read beyond. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        if (file != NULL)
            (void)fclose(file);
        return 0;
    }
    long size = ftell(file);
    rewind(file);
    if (size < 0 || size == LONG_MAX) {
        (void)fclose(file);
        return 0;
    }
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    int good = data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size;
    (void)fclose(file);
    if (good)
        (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return good;
}

/* The number of files replayed from a file or a folder; -1 on an error. */
static int replay(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return replay_file(path) ? 1 : -1;
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count = n > 0 && (size_t)n < sizeof name && replay_file(name) ? count + 1 : -1;
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count < 0) {
            (void)fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        total += count;
    }
    (void)printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
