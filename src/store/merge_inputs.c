#include "store/merge_inputs.h"

#include "store/hdf5_tools.h"
#include "widthwise/config.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Open files that everything else needs, at most: MPI, HDF5, the new file.
enum { OTHER_FILES = 128 };

/// One file under two names would be locked out by its own lock, and that sentence would not help.
static ww_status check_names(const char *const *paths, size_t count, ww_error *error)
{
    struct stat *found = ww_allocate(count, sizeof *found, "the list of files", error);
    if (found == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    for (size_t i = 0; i < count && status == WW_OK; i++) {
        if (stat(paths[i], &found[i]) != 0)
            found[i] = (struct stat){0}; // its lock will tell
        for (size_t j = 0; j < i && status == WW_OK; j++)
            if (found[i].st_ino != 0 && found[i].st_ino == found[j].st_ino &&
                found[i].st_dev == found[j].st_dev)
                status = ww_fail(error, WW_USAGE, "%s and %s are the same file; name it once",
                                 paths[j], paths[i]);
    }
    free(found);
    return status;
}

/// Every lock is an open file: asks the system for as many as that takes.
static ww_status make_room(ww_merge_inputs *self, ww_error *error)
{
    const rlim_t wanted = (rlim_t)self->count + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &self->files) != 0)
        return ww_fail(error, WW_FAILED, "the system does not tell how many files may be open: %s",
                       strerror(errno));
    if (self->files.rlim_cur >= wanted)
        return WW_OK;
    struct rlimit more = self->files;
    more.rlim_cur = wanted;
    if (more.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &more) == 0)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "to merge %zu files at once as many must be open, and %d others, but the limit "
                   "is %llu (ulimit -n); raise it, or merge some of them at a time and then what "
                   "comes of it",
                   self->count, (int)OTHER_FILES, (unsigned long long)self->files.rlim_max);
}

/// Locks one file and reads what it says of itself.
static ww_status open_input(ww_merge_input *input, const ww_parallel *alone, FILE *report,
                            ww_error *error)
{
    WW_TRY(ww_store_lock_take(input->path, alone, &input->lock, error));
    if (input->lock.recovered)
        fprintf(report, "%s: a change of its structure that was cut short has been undone\n",
                input->path);
    WW_TRY(ww_store_check_structure(input->path, alone, error));
    return ww_store_summarize(input->path, &input->summary, error);
}

static int by_number(const void *a, const void *b)
{
    const ww_merge_member *x = a;
    const ww_merge_member *y = b;
    return (x->summary->index > y->summary->index) - (x->summary->index < y->summary->index);
}

static int by_label(const void *a, const void *b)
{
    const ww_merge_member *x = a;
    const ww_merge_member *y = b;
    const int order = strcmp(x->summary->label, y->summary->label);
    return order != 0 ? order : by_number(a, b);
}

static ww_status list_members(ww_merge_inputs *self, ww_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += (size_t)self->inputs[i].summary.member_count;
    self->members = ww_allocate(count, sizeof *self->members, "the list of runs", error);
    if (self->members == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < self->count; i++)
        for (int64_t m = 0; m < self->inputs[i].summary.member_count; m++)
            self->members[self->member_count++] =
                (ww_merge_member){.input = i, .summary = &self->inputs[i].summary.members[m]};
    return WW_OK;
}

/// Each number once, and each member of the sweep once. Leaves the members by number.
static ww_status check_twice(const ww_merge_inputs *self, ww_error *error)
{
    ww_merge_member *members = self->members;
    qsort(members, self->member_count, sizeof *members, by_label);
    for (size_t i = 1; i < self->member_count; i++) {
        const ww_member_summary *one = members[i - 1].summary;
        const ww_member_summary *other = members[i].summary;
        if (one->index != other->index && strcmp(one->label, other->label) == 0)
            return ww_fail(error, WW_USAGE,
                           "run%04" PRId64 " of %s and run%04" PRId64
                           " of %s are the same member (%s) under two numbers, so they are of "
                           "different sweeps; leave one of them out",
                           one->index, self->inputs[members[i - 1].input].path, other->index,
                           self->inputs[members[i].input].path,
                           one->label[0] == '\0' ? "nothing is swept" : one->label);
    }
    qsort(members, self->member_count, sizeof *members, by_number);
    for (size_t i = 1; i < self->member_count; i++)
        if (members[i - 1].summary->index == members[i].summary->index)
            return ww_fail(error, WW_USAGE,
                           "run%04" PRId64 " is in %s and in %s; leave one of them out",
                           members[i].summary->index, self->inputs[members[i - 1].input].path,
                           self->inputs[members[i].input].path);
    return WW_OK;
}

/// The members of all inputs as they are read from their resolved texts.
typedef struct read_members {
    ww_experiment *experiments; ///< [count] of one member each
    char **names;               ///< [count]
    ww_config_member *members;  ///< [count]
    size_t count;
} read_members;

static ww_status read_configs(const ww_merge_inputs *self, read_members *read, ww_error *error)
{
    const size_t count = self->member_count;
    read->experiments = ww_allocate(count, sizeof *read->experiments, "configurations", error);
    read->names = ww_allocate(count, sizeof *read->names, "configurations", error);
    read->members = ww_allocate(count, sizeof *read->members, "configurations", error);
    if (read->experiments == NULL || read->names == NULL || read->members == NULL)
        return WW_FAILED;
    for (; read->count < count; read->count++) {
        const size_t i = read->count;
        const ww_member_summary *summary = self->members[i].summary;
        const char *path = self->inputs[self->members[i].input].path;
        WW_TRY(ww_experiment_parse(summary->config_text, path, ".", NULL, 0, &read->experiments[i],
                                   error));
        read->names[i] = ww_format(error, "run%04" PRId64 " of %s", summary->index, path);
        read->members[i] = (ww_config_member){.config = &read->experiments[i].members[0],
                                              .label = summary->label,
                                              .name = read->names[i]};
        if (read->names[i] == NULL) {
            read->count++; // so that its configuration is freed
            return WW_FAILED;
        }
    }
    return WW_OK;
}

static ww_status check_experiment(const ww_merge_inputs *self, ww_error *error)
{
    read_members read = {0};
    ww_status status = read_configs(self, &read, error);
    if (status == WW_OK)
        status = ww_config_compare_members(read.members, read.count, error);
    for (size_t i = 0; i < read.count; i++) {
        ww_experiment_free(&read.experiments[i]);
        free(read.names[i]);
    }
    free(read.experiments);
    free(read.names);
    free(read.members);
    return status;
}

/// Bits are the same for one arithmetic only: a reader of the merged file should know.
static void compare_arithmetic(const ww_merge_inputs *self, FILE *report)
{
    const ww_merge_input *first = &self->inputs[0];
    for (size_t i = 1; i < self->count; i++) {
        const ww_merge_input *other = &self->inputs[i];
        if (strcmp(first->summary.first.arithmetic, other->summary.first.arithmetic) == 0)
            continue;
        fprintf(report,
                "%s was computed with `%s` and %s with `%s`: both are right, but the last bits of "
                "one cannot be had with the other\n",
                first->path, first->summary.first.arithmetic, other->path,
                other->summary.first.arithmetic);
        return;
    }
}

ww_status ww_merge_inputs_open(const char *const *paths, size_t count, const ww_parallel *alone,
                               FILE *report, ww_merge_inputs *self, ww_error *error)
{
    *self = (ww_merge_inputs){.count = count};
    WW_ASSERT(count > 0);
    WW_TRY(check_names(paths, count, error));
    self->inputs = ww_allocate(count, sizeof *self->inputs, "the list of files", error);
    if (self->inputs == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++)
        self->inputs[i] = (ww_merge_input){.path = paths[i], .lock = {.descriptor = -1}};
    WW_TRY(make_room(self, error));
    for (size_t i = 0; i < count; i++)
        WW_TRY(open_input(&self->inputs[i], alone, report, error));
    WW_TRY(list_members(self, error));
    WW_TRY(check_twice(self, error));
    WW_TRY(check_experiment(self, error));
    compare_arithmetic(self, report);
    return WW_OK;
}

ww_status ww_merge_inputs_verify(const ww_merge_inputs *self, const ww_parallel *alone,
                                 ww_error *error)
{
    for (size_t i = 0; i < self->count; i++) {
        const ww_status status = ww_store_verify(self->inputs[i].path, alone, NULL, error);
        if (status != WW_OK) {
            ww_error_advise(error, "; or leave it out of the merge");
            return status;
        }
    }
    return WW_OK;
}

void ww_merge_inputs_close(ww_merge_inputs *self)
{
    for (size_t i = 0; self->inputs != NULL && i < self->count; i++) {
        ww_store_unlock(&self->inputs[i].lock);
        ww_file_summary_free(&self->inputs[i].summary);
    }
    if (self->files.rlim_max != 0)
        (void)setrlimit(RLIMIT_NOFILE, &self->files);
    free(self->inputs);
    free(self->members);
    *self = (ww_merge_inputs){0};
}
