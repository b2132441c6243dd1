/// Checked sizes and memory.
///
/// Counts are int64_t or size_t. Everything handed to an interface that takes an `int` (MPI counts,
/// BLAS and LAPACK shapes) goes through ww_int, so that it ends in a clear error and never wraps.
#ifndef WIDTHWISE_MEMORY_H
#define WIDTHWISE_MEMORY_H

#include "widthwise/error.h"

#include <stddef.h>
#include <stdint.h>

/// Memory for `count` elements of `size` bytes, zeroed and aligned to 64 bytes (a cache line and
/// the widest vector register), at least one byte. NULL with a sentence naming `what` in `error`
/// when the product overflows or memory is short. Free with free().
void *ww_allocate(size_t count, size_t size, const char *what, ww_error *error);

/// One array that a struct points to.
typedef struct ww_allocation {
    size_t offset; ///< of the pointer in the struct
    size_t count, size;
    const char *what;
} ww_allocation;

/// Allocates all arrays of a list and puts them into `object`, as ww_allocate does. On WW_FAILED
/// those that were had are in `object`, and the rest is as before: its owner frees them.
ww_status ww_allocate_all(void *object, const ww_allocation *list, size_t count, ww_error *error);

/// Bytes of all arrays of a list, to tell them without allocating.
int64_t ww_allocation_bytes(const ww_allocation *list, size_t count);

/// `a * b` in `*product`, or WW_USAGE naming `what` when it does not fit in an int64_t. Both >= 0.
ww_status ww_multiply(int64_t a, int64_t b, const char *what, int64_t *product, ww_error *error);

/// `value` as an `int` in `*result`, or WW_USAGE naming `what` when it does not fit.
ww_status ww_to_int(int64_t value, const char *what, int *result, ww_error *error);

/// `value` as an `int`; aborts when it does not fit. For values already checked by ww_to_int.
int ww_int(int64_t value);

/// Most memory that this process has had resident so far, in bytes.
int64_t ww_peak_memory(void);

/// Memory that this process has resident now, in bytes, after what is free was given back. 0 where
/// the system does not tell.
int64_t ww_resident_memory(void);

/// Memory of this machine that is free for programs, in bytes, within the limit of the control
/// group that a scheduler may have put this process in. INT64_MAX where the system does not tell.
int64_t ww_available_memory(void);

/// A copy of `text`, or NULL with a sentence in `error`. Free with free().
char *ww_copy_text(const char *text, ww_error *error);

/// A new string, printf style, of whatever length; NULL with a sentence in `error` when memory is
/// short. Free with free().
char *ww_format(ww_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
