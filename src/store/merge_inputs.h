/// The files that are to be merged: locked, checked, and found to be of one experiment.
#ifndef WIDTHWISE_STORE_MERGE_INPUTS_H
#define WIDTHWISE_STORE_MERGE_INPUTS_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"
#include "widthwise/store.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

typedef struct ww_merge_input {
    const char *path; ///< borrowed
    ww_store_lock lock;
    ww_file_summary summary;
} ww_merge_input;

/// Where a member is.
typedef struct ww_merge_member {
    size_t input;
    const ww_member_summary *summary; ///< in that input
} ww_merge_member;

typedef struct ww_merge_inputs {
    ww_merge_input *inputs; ///< [count], in the order they were given
    size_t count;
    ww_merge_member *members; ///< [member_count], by rising number
    size_t member_count;
    struct rlimit files; ///< as it was before room was made for all inputs
} ww_merge_inputs;

/// Takes the locks of all files and holds them until ww_merge_inputs_close, undoes changes of their
/// structure that were cut short, and checks what they say of themselves: refuses what
/// ww_store_merge says. `alone` has this process only. Close also after a failure. Not collective.
ww_status ww_merge_inputs_open(const char *const *paths, size_t count, const ww_parallel *alone,
                               FILE *report, ww_merge_inputs *self, ww_error *error);

/// Holds all that the files have against its checksums. WW_FAILED: damage. Not collective.
ww_status ww_merge_inputs_verify(const ww_merge_inputs *self, const ww_parallel *alone,
                                 ww_error *error);

void ww_merge_inputs_close(ww_merge_inputs *self);

#endif
