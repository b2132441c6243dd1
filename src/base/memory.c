#include "widthwise/memory.h"

#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

// Asks for huge pages where there is room for some: arrays as large as these are read at places far
// apart, and with small pages each such read looks up its address in memory first. What Linux
// cannot give it leaves as it was.
static void *allocate_bytes(size_t bytes)
{
    if (bytes < 2 * (size_t)HUGE_PAGE)
        return aligned_alloc(ALIGNMENT, bytes);
    void *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    if (memory != NULL)
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void *ww_allocate(size_t count, size_t size, const char *what, ww_error *error)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT) {
        ww_fail(error, WW_USAGE, "the size of %s (%zu x %zu bytes) is more than memory can address",
                what, count, size);
        return NULL;
    }
    // aligned_alloc wants a multiple of the alignment; an empty array is still a valid pointer.
    bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    void *memory = allocate_bytes(bytes);
    if (memory == NULL) {
        ww_fail(error, WW_FAILED,
                "out of memory: %.3f GiB on one rank for %s; use more nodes or a smaller problem",
                (double)bytes / 1073741824.0, what);
        return NULL;
    }
    memset(memory, 0, bytes);
    return memory;
}

ww_status ww_allocate_all(void *object, const ww_allocation *list, size_t count, ww_error *error)
{
    for (size_t i = 0; i < count; i++) {
        void *memory = ww_allocate(list[i].count, list[i].size, list[i].what, error);
        if (memory == NULL)
            return WW_FAILED;
        memcpy((char *)object + list[i].offset, &memory, sizeof memory);
    }
    return WW_OK;
}

int64_t ww_allocation_bytes(const ww_allocation *list, size_t count)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += (int64_t)(list[i].count * list[i].size);
    return bytes;
}

ww_status ww_multiply(int64_t a, int64_t b, const char *what, int64_t *product, ww_error *error)
{
    WW_ASSERT(a >= 0 && b >= 0);
    if (__builtin_mul_overflow(a, b, product))
        return ww_fail(error, WW_USAGE, "%s = %lld x %lld does not fit in 64 bits", what,
                       (long long)a, (long long)b);
    return WW_OK;
}

ww_status ww_to_int(int64_t value, const char *what, int *result, ww_error *error)
{
    if (value < INT_MIN || value > INT_MAX)
        return ww_fail(error, WW_USAGE,
                       "%s is %lld, more than the 2^31 - 1 that BLAS and MPI calls can count", what,
                       (long long)value);
    *result = (int)value;
    return WW_OK;
}

int ww_int(int64_t value)
{
    WW_ASSERT(value >= INT_MIN && value <= INT_MAX);
    return (int)value;
}

int64_t ww_peak_memory(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024; // Linux counts in KiB
}

// The number in the first line of a file that begins with `name`; -1 where there is none.
static int64_t number_in(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    char line[256];
    int64_t found = -1;
    const size_t length = strlen(name);
    while (found < 0 && fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        if (strncmp(line, name, length) != 0)
            continue;
        const long long number = strtoll(line + length, &end, 10);
        if (end != line + length && number >= 0)
            found = number;
    }
    (void)fclose(file);
    return found;
}

int64_t ww_resident_memory(void)
{
    (void)malloc_trim(0);
    const int64_t kilobytes = number_in("/proc/self/status", "VmRSS:");
    return kilobytes < 0 ? 0 : 1024 * kilobytes;
}

// What the control group of this process, and those above it, leave: limit less use.
static int64_t left_in_group(void)
{
    char line[4096];
    FILE *file = fopen("/proc/self/cgroup", "r");
    const bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    int64_t left = INT64_MAX;
    if (!read || strncmp(line, "0::/", 4) != 0) // the unified hierarchy alone tells it this way
        return left;
    line[strcspn(line, "\n")] = '\0';
    for (char *end = line + strlen(line); end != NULL && end > line + 3; end = strrchr(line, '/')) {
        *end = '\0';
        char limit[5000];
        char use[5000];
        (void)snprintf(limit, sizeof limit, "/sys/fs/cgroup%s/memory.max", line + 3);
        (void)snprintf(use, sizeof use, "/sys/fs/cgroup%s/memory.current", line + 3);
        const int64_t most = number_in(limit, ""); // "max" where there is none
        const int64_t used = number_in(use, "");
        if (most >= 0 && used >= 0 && most - used < left)
            left = most > used ? most - used : 0;
    }
    return left;
}

int64_t ww_available_memory(void)
{
    const int64_t kilobytes = number_in("/proc/meminfo", "MemAvailable:");
    const int64_t available = kilobytes < 0 ? INT64_MAX : 1024 * kilobytes;
    const int64_t left = left_in_group();
    return left < available ? left : available;
}

char *ww_copy_text(const char *text, ww_error *error)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    if (copy == NULL) {
        ww_fail(error, WW_FAILED, "out of memory for a text of %zu bytes", bytes);
        return NULL;
    }
    memcpy(copy, text, bytes);
    return copy;
}

char *ww_format(ww_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    WW_ASSERT(length >= 0);
    char *text = malloc((size_t)length + 1);
    if (text == NULL) {
        ww_fail(error, WW_FAILED, "out of memory for a text of %d bytes", length + 1);
        return NULL;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
