/// One file of the members of several.

#include "store/disk.h"
#include "store/hdf5_tools.h"
#include "store/merge_inputs.h"
#include "store/place.h"
#include "store/plan.h"
#include "store/provenance.h"
#include "store/skeleton.h"
#include "store/structure.h"
#include "store/transaction.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COMMON_GROUP "provenance" // all others have one group a member

/// A merge under way.
typedef struct merge {
    const ww_parallel *alone; ///< this process only
    ww_merge_inputs inputs;
    ww_plan common; ///< what does not belong to a member
} merge;

/// The rows of one input into those of the new file.
static ww_status take_provenance(const ww_merge_input *input, ww_provenance_table *table,
                                 int64_t first, ww_error *error)
{
    hid_t source = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(input->path, &source, error));
    const ww_status status = ww_provenance_table_take(table, first, source, input->path,
                                                      input->summary.attempt_count, error);
    ww_file_close(&source);
    return status;
}

/// The rows of all inputs, in a table as large as a file would have made it by doubling.
static ww_provenance_table *collect_provenance(const ww_merge_inputs *inputs, ww_error *error)
{
    int64_t used = 0;
    for (size_t i = 0; i < inputs->count; i++)
        used += inputs->inputs[i].summary.attempt_count;
    int64_t rows = WW_PROVENANCE_ROWS;
    while (rows < used)
        rows *= 2;
    ww_provenance_table *table = ww_provenance_table_blank(rows, error);
    int64_t first = 0;
    for (size_t i = 0; i < inputs->count && table != NULL; i++) {
        if (take_provenance(&inputs->inputs[i], table, first, error) != WW_OK) {
            ww_provenance_table_free(table);
            table = NULL;
        }
        first += inputs->inputs[i].summary.attempt_count;
    }
    return table;
}

static bool belongs_to_a_member(const void *context, const char *path, int64_t bytes)
{
    (void)context;
    (void)bytes;
    return strncmp(path, "/" COMMON_GROUP "/", sizeof COMMON_GROUP + 1) != 0;
}

/// Adds the bytes of all members of a file.
static ww_status count_bytes(const char *path, int64_t *bytes, ww_error *error)
{
    hid_t source = H5I_INVALID_HID;
    ww_extent_list list = {0};
    WW_TRY(ww_file_open_reading(path, &source, error));
    const ww_status status = ww_extents_find(source, path, belongs_to_a_member, NULL, &list, error);
    for (size_t i = 0; i < list.count; i++)
        *bytes += list.extents[i].bytes;
    free(list.extents);
    ww_file_close(&source);
    return status;
}

/// A group with everything in it, to the same place in the new file. HDF5 copies it as it was made:
/// contiguous, allocated early, never filled, with its attributes, and a MiB at a time.
static ww_status copy_group(hid_t source, const char *path, const char *group, hid_t target,
                            const char *name, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    errno = 0;
    ww_status status = WW_OK;
    if (H5Ocopy(source, group, target, group, H5P_DEFAULT, links) < 0) {
        char reason[WW_REASON_SIZE];
        ww_hdf5_reason(reason, sizeof reason);
        status =
            ww_fail(error, WW_FAILED, "cannot copy %s of %s to %s: %s", group, path, name, reason);
    }
    H5Pclose(links);
    ww_quiet_end(&quiet);
    return status;
}

/// All groups of a member: results, state, and what else the file has of it.
static ww_status copy_groups(hid_t source, const char *path, int64_t index, hid_t target,
                             const char *name, ww_error *error)
{
    ww_names groups = {0};
    WW_TRY(ww_names_read(source, path, "/", &groups, error));
    ww_status status = WW_OK;
    for (size_t i = 0; i < groups.count && status == WW_OK; i++) {
        if (strcmp(groups.names[i], COMMON_GROUP) == 0)
            continue;
        char *group = ww_format(error, "/%s/run%04" PRId64, groups.names[i], index);
        if (group == NULL)
            status = WW_FAILED;
        else if (H5Lexists(source, group, H5P_DEFAULT) > 0)
            status = copy_group(source, path, group, target, name, error);
        free(group);
    }
    ww_names_free(&groups);
    return status;
}

/// The input is opened for each of its members: what HDF5 keeps in memory of an open file grows
/// with all that was ever looked at.
static ww_status copy_member(const merge *self, const ww_merge_member *member, hid_t target,
                             const char *name, ww_error *error)
{
    const char *path = self->inputs.inputs[member->input].path;
    hid_t source = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &source, error));
    const ww_status status = copy_groups(source, path, member->summary->index, target, name, error);
    ww_file_close(&source);
    return status;
}

static ww_status build(void *context, hid_t file, const char *file_name, ww_error *error)
{
    merge *self = context;
    // Only now: that the place is free and large enough is sooner told than that data are sound.
    WW_TRY(ww_merge_inputs_verify(&self->inputs, self->alone, error));
    WW_TRY(ww_skeleton_root(file, file_name, "widthwise", error));
    WW_TRY(ww_skeleton_add_all(file, file_name, &self->common, error));
    for (size_t i = 0; i < self->inputs.member_count; i++)
        WW_TRY(copy_member(self, &self->inputs.members[i], file, file_name, error));
    return WW_OK;
}

/// Holds the copy against its own pages, which came with it.
static ww_status check(void *context, const char *file_name, ww_error *error)
{
    const merge *self = context;
    ww_error found = {0};
    if (ww_store_verify(file_name, self->alone, NULL, &found) == WW_OK)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "what was copied from sound files to %s is not sound (%s); the disk or the "
                   "memory of this machine is at fault, try another",
                   file_name, found.message);
}

static ww_status make_file(merge *self, const char *target, bool force, ww_error *error)
{
    ww_provenance_table *table = collect_provenance(&self->inputs, error);
    if (table == NULL)
        return WW_FAILED;
    int64_t mark[2];
    ww_file_builder builder = {
        .resumes = true, .copies = true, .build = build, .check = check, .context = self};
    ww_status status = ww_provenance_plan(table, &self->common, error);
    if (status == WW_OK)
        status = ww_transaction_plan_mark(&self->common, mark, error);
    if (status == WW_OK)
        status = ww_structure_plan(&self->common, error);
    builder.bytes = self->common.bytes;
    for (size_t i = 0; i < self->inputs.count && status == WW_OK; i++)
        status = count_bytes(self->inputs.inputs[i].path, &builder.bytes, error);
    if (status == WW_OK)
        status = ww_place_file(target, force, &builder, error);
    ww_plan_free(&self->common);
    ww_provenance_table_free(table);
    return status;
}

/// The new file, and what it is called while it is made, must not be one of the inputs.
static ww_status check_target(const char *const *paths, size_t count, const char *target,
                              ww_error *error)
{
    char *temporary = ww_format(error, "%s.tmp", target);
    if (temporary == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    for (size_t i = 0; i < count && status == WW_OK; i++)
        if (ww_same_file(paths[i], target) || ww_same_file(paths[i], temporary))
            status = ww_fail(error, WW_USAGE,
                             "%s is one of the files to be merged and would be overwritten by %s; "
                             "choose another name with -o",
                             paths[i], target);
    free(temporary);
    return status;
}

ww_status ww_store_merge(const char *const *paths, size_t count, const char *target, bool force,
                         FILE *report, ww_error *error)
{
    WW_TRY(check_target(paths, count, target, error));
    ww_parallel alone;
    WW_TRY(ww_parallel_create(MPI_COMM_SELF, &alone, error));
    merge self = {.alone = &alone};
    ww_status status = ww_merge_inputs_open(paths, count, &alone, report, &self.inputs, error);
    if (status == WW_OK)
        status = make_file(&self, target, force, error);
    ww_merge_inputs_close(&self.inputs);
    ww_parallel_destroy(&alone);
    return status;
}
