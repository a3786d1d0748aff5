/* Removes a folder of a test with the files in it. */
#ifndef FORESTALL_TESTS_REMOVE_FOLDER_H
#define FORESTALL_TESTS_REMOVE_FOLDER_H

#include <dirent.h>
#include <unistd.h>

static inline void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        (void)closedir(folder);
    (void)rmdir(path);
}

#endif
