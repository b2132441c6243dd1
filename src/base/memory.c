#include "widthwise/memory.h"

#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

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
    void *memory = aligned_alloc(ALIGNMENT, bytes);
    if (memory == NULL) {
        ww_fail(error, WW_FAILED,
                "out of memory: %s needs %.3f GiB on one rank; use more nodes or a smaller problem",
                what, (double)bytes / 1073741824.0);
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

int64_t ww_resident_memory(void)
{
    (void)malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    long long all = 0;
    long long resident = 0;
    const bool read = fscanf(file, "%lld %lld", &all, &resident) == 2;
    fclose(file);
    return read ? resident * sysconf(_SC_PAGESIZE) : 0;
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
