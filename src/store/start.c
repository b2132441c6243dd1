/// Weights that a run begins with, out of a file: those of another run, or its own that it
/// recorded.

#include "store/contents.h"
#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"
#include "store/readback.h"
#include "store/weights.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>

/// A member that is open for reading on every rank by itself, and its pages as rank 0 read them.
typedef struct reading {
    const ww_start_source *source;
    const ww_parallel *parallel;
    hid_t file;
    ww_member member;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    int newest;
} reading;

static ww_status find_member(const reading *self, ww_error *error)
{
    const ww_start_source *source = self->source;
    int64_t *indices = NULL;
    size_t count = 0;
    WW_TRY(ww_members_list(self->file, source->path, &indices, &count, error));
    bool is_there = false;
    for (size_t i = 0; i < count; i++)
        is_there = is_there || indices[i] == source->index;
    const int64_t first = indices[0];
    const int64_t last = indices[count - 1];
    free(indices);
    if (is_there)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "%s has no run%04" PRId64 ", but %zu run%s from run%04" PRId64
                   " to run%04" PRId64 "; name one of them",
                   source->path, source->index, count, count == 1 ? "" : "s", first, last);
}

static ww_status check_shape(const reading *self, ww_error *error)
{
    const ww_start_source *source = self->source;
    if (self->member.has_replicas)
        return ww_fail(error, WW_USAGE,
                       "run%04" PRId64
                       " of %s has replicas, which keep no weights; name a run without, or train "
                       "one replica alone, with the seeds raised by its number",
                       source->index, source->path);
    const ww_array_list *layers = &self->member.slot[0].hidden_weights;
    const ww_array *hidden = &layers->arrays[0];
    const ww_array *output = &self->member.slot[0].output_weights;
    if (layers->count > 1)
        return ww_fail(error, WW_USAGE,
                       "run%04" PRId64
                       " of %s has %zu hidden layers; weights can begin a run of one only",
                       source->index, source->path, layers->count);
    const int64_t found[3] = {ww_array_rows(hidden), ww_array_row_values(hidden),
                              ww_array_rows(output)};
    const int64_t wanted[3] = {source->width, source->dimension, source->outputs};
    static const char *const names[3] = {"hidden units", "inputs", "outputs"};
    for (int i = 0; i < 3; i++)
        if (found[i] != wanted[i])
            return ww_fail(error, WW_USAGE,
                           "run%04" PRId64 " of %s has %" PRId64 " %s, but this one has %" PRId64
                           "; weights can begin only a run of the same shape",
                           source->index, source->path, found[i], names[i], wanted[i]);
    return WW_OK;
}

static ww_status open_member(reading *self, ww_error *error)
{
    WW_TRY(ww_file_open_reading(self->source->path, &self->file, error));
    WW_TRY(find_member(self, error));
    WW_TRY(
        ww_member_open(self->file, self->source->path, self->source->index, &self->member, error));
    return check_shape(self, error);
}

static ww_status read_pages(reading *self, ww_error *error)
{
    WW_TRY(ww_member_read_pages(&self->member, self->pages, self->valid, error));
    self->newest = ww_page_newest(self->pages, self->valid);
    if (self->newest < 0)
        return ww_member_fail_pages(self->source->path, self->source->index, error);
    return WW_OK;
}

static ww_status reading_begin(const ww_start_source *source, const ww_parallel *parallel,
                               reading *self, ww_error *error)
{
    *self = (reading){.source = source,
                      .parallel = parallel,
                      .file = H5I_INVALID_HID,
                      .member = ww_member_none(source->index)};
    WW_TRY(ww_agree(parallel, open_member(self, error), error));
    const ww_status status = parallel->rank == 0 ? read_pages(self, error) : WW_OK;
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_broadcast(parallel, self->pages, sizeof self->pages, 0, error));
    WW_TRY(ww_broadcast(parallel, self->valid, sizeof self->valid, 0, error));
    self->newest = ww_page_newest(self->pages, self->valid);
    return WW_OK;
}

static void reading_end(reading *self)
{
    ww_member_close(&self->member);
    ww_file_close(&self->file);
}

static ww_status refuse_empty(const reading *self, ww_error *error)
{
    return ww_fail(error, WW_USAGE,
                   "run%04" PRId64 " of %s has no checkpoint yet, so there are no weights to begin "
                   "with; train it first",
                   self->source->index, self->source->path);
}

/// This rank's weights out of two arrays.
static ww_status read_weights(const ww_array *hidden, const ww_array *output,
                              const ww_start_target *target, ww_error *error)
{
    uint64_t ignored = 0;
    WW_TRY(ww_weights_read_units(hidden, target->tiling, target->hidden_weights, &ignored, error));
    return ww_weights_read_output(output, 0, target->tiling, target->output_weights, &ignored,
                                  error);
}

/// Whether the weights that a slot had just now are those that a page vouches for: the slot as a
/// whole still is. A job that writes there meanwhile leaves it with another hash for good.
static ww_status try_slot(const reading *self, int slot, uint64_t expected,
                          const ww_start_target *target, bool *holds, ww_error *error)
{
    const ww_slot_arrays *arrays = &self->member.slot[slot];
    const ww_share share = ww_share_make(&self->member, self->parallel->rank, self->parallel->size);
    ww_error unreadable = {0};
    uint64_t hash = 0;
    bool readable = false;
    ww_status read = read_weights(&arrays->hidden_weights.arrays[0], &arrays->output_weights,
                                  target, &unreadable);
    if (read == WW_OK)
        read = ww_contents_hash_slot(arrays, &share, &hash, &unreadable);
    WW_TRY(ww_hashes_sum(self->parallel, &read, 1, &hash, &readable, error));
    *holds = readable && hash == expected;
    return WW_OK;
}

static ww_status read_newest(const reading *self, const ww_start_target *target, ww_error *error)
{
    int page = self->newest;
    int slot = -1;
    int k = 0;
    for (; ww_page_candidate(self->pages, self->valid, k, &page, &slot); k++) {
        bool holds = false;
        WW_TRY(try_slot(self, slot, self->pages[page].slot[slot].hash, target, &holds, error));
        if (holds)
            return WW_OK;
    }
    if (k == 0)
        return refuse_empty(self, error);
    return ww_fail(error, WW_FAILED,
                   "no checkpoint of run%04" PRId64
                   " of %s is whole: they fail their checksums, or a job writes them faster than "
                   "they can be read; restore the file from a backup, or wait for that job",
                   self->source->index, self->source->path);
}

ww_status ww_store_check_start(const ww_start_source *source, const ww_parallel *parallel,
                               ww_error *error)
{
    reading self;
    ww_status status = reading_begin(source, parallel, &self, error);
    int page = self.newest;
    int slot = -1;
    if (status == WW_OK && !ww_page_candidate(self.pages, self.valid, 0, &page, &slot))
        status = refuse_empty(&self, error);
    reading_end(&self);
    return status;
}

ww_status ww_store_read_start(const ww_start_source *source, const ww_start_target *target,
                              const ww_parallel *parallel, ww_error *error)
{
    reading self;
    ww_status status = reading_begin(source, parallel, &self, error);
    if (status == WW_OK)
        status = read_newest(&self, target, error);
    reading_end(&self);
    return status;
}

static ww_status read_recorded(const reading *self, const ww_start_target *target,
                               ww_start_found *found, ww_error *error)
{
    const ww_page *page = &self->pages[self->newest];
    const ww_array_list *hidden = &self->member.recorded_weights;
    const ww_array *output = &self->member.recorded[WW_RECORDED_OUTPUT_WEIGHTS];
    *found = WW_START_NONE;
    if (!page->record_valid || hidden->count == 0 || !ww_array_exists(output))
        return WW_OK;
    const ww_share share = ww_share_make(&self->member, self->parallel->rank, self->parallel->size);
    ww_error unreadable = {0};
    uint64_t hash = 0;
    bool readable = false;
    ww_status read = read_weights(&hidden->arrays[0], output, target, &unreadable);
    if (read == WW_OK)
        read = ww_contents_hash_record(&self->member, &share, &hash, &unreadable);
    WW_TRY(ww_hashes_sum(self->parallel, &read, 1, &hash, &readable, error));
    *found = readable && hash == page->record_hash ? WW_START_WHOLE : WW_START_DAMAGED;
    return WW_OK;
}

ww_status ww_store_read_recorded_start(const ww_start_source *source, const ww_start_target *target,
                                       const ww_parallel *parallel, ww_start_found *found,
                                       ww_error *error)
{
    reading self;
    ww_status status = reading_begin(source, parallel, &self, error);
    if (status == WW_OK)
        status = read_recorded(&self, target, found, error);
    reading_end(&self);
    return status;
}
