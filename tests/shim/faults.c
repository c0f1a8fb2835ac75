/* Preloaded by tests: fails or notes the writes and syncs of files whose path holds FAULT_PATH. Never loaded by us.
 *
 * FAULT_CALL   write | sync      which calls are counted
 * FAULT_NTH    n                 the first one that fails; 0: none
 * FAULT_ERRNO  number            with what; 0: a short write
 * FAULT_TIMES  n                 how many fail in a row; 0: for ever
 * FAULT_MARK   path              made with the first failure; in a process that finds it nothing fails
 * FAULT_NOTES  path              where to note what became durable: "F size path", "D directory", "C path"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long counted;
static atomic_int failed;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *wanted = getenv("FAULT_PATH");
    return wanted && *wanted && strstr(path, wanted) != NULL;
}

static ssize_t real_write(int fd, const void *data, size_t size) {
    static ssize_t (*call)(int, const void *, size_t);
    if (!call) call = dlsym(RTLD_NEXT, "write");
    return call(fd, data, size);
}

static void note(const char *kind, long size, const char *path) {
    const char *notes = getenv("FAULT_NOTES");
    if (!notes) return;
    char line[4400];
    int length = size >= 0 ? snprintf(line, sizeof line, "%s %ld %s\n", kind, size, path)
                           : snprintf(line, sizeof line, "%s %s\n", kind, path);
    int fd = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    real_write(fd, line, (size_t)length);
    close(fd);
}

/* 0: go on. 1: fail with errno set. 2: write short. */
static int fate(const char *call, int fd) {
    const char *wanted = getenv("FAULT_CALL");
    long nth = number("FAULT_NTH"), times = number("FAULT_TIMES");
    char path[4096];
    if (!wanted || nth <= 0 || strcmp(wanted, call) || !path_of(fd, path, sizeof path)) return 0;
    long now = atomic_fetch_add(&counted, 1) + 1;
    if (now < nth || (times > 0 && now >= nth + times)) return 0;
    const char *mark = getenv("FAULT_MARK");
    if (mark && !atomic_load(&failed)) {
        if (!access(mark, F_OK)) return 0;
        close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    atomic_store(&failed, 1);
    int code = (int)number("FAULT_ERRNO");
    if (!code) return 2;
    errno = code;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    int what = fate("write", fd);
    if (what == 1) return -1;
    return real_write(fd, data, what == 2 && size > 1 ? size / 2 : size);
}

#define PWRITE(name, offset_type)                                                                                   \
    ssize_t name(int fd, const void *data, size_t size, offset_type at) {                                           \
        static ssize_t (*call)(int, const void *, size_t, offset_type);                                             \
        if (!call) call = dlsym(RTLD_NEXT, #name);                                                                  \
        int what = fate("write", fd);                                                                               \
        if (what == 1) return -1;                                                                                   \
        return call(fd, data, what == 2 && size > 1 ? size / 2 : size, at);                                         \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name)                                                                                                  \
    int name(int fd) {                                                                                              \
        static int (*call)(int);                                                                                    \
        if (!call) call = dlsym(RTLD_NEXT, #name);                                                                  \
        if (fate("sync", fd)) return -1;                                                                            \
        int done = call(fd);                                                                                        \
        char path[4096];                                                                                            \
        struct stat found;                                                                                          \
        if (!done && path_of(fd, path, sizeof path) && !fstat(fd, &found))                                          \
            note(S_ISDIR(found.st_mode) ? "D" : "F", S_ISDIR(found.st_mode) ? -1 : (long)found.st_size, path);      \
        return done;                                                                                                \
    }
SYNC(fsync)
SYNC(fdatasync)
