/// The open datasets of one member, and the store that writes them. Shared by the files of this
/// folder.
#ifndef WIDTHWISE_STORE_MEMBER_H
#define WIDTHWISE_STORE_MEMBER_H

#include "store/array.h"
#include "store/hdf5_tools.h"
#include "store/page.h"
#include "widthwise/store.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

/// Datasets of /record/runNNNN but for hidden weights.
enum {
    WW_RECORDED_TRAIN_INPUTS,
    WW_RECORDED_TRAIN_LABELS,
    WW_RECORDED_TRAIN_COMPONENTS,
    WW_RECORDED_TEST_INPUTS,
    WW_RECORDED_TEST_LABELS,
    WW_RECORDED_TEST_COMPONENTS,
    WW_RECORDED_OUTPUT_WEIGHTS,
    WW_RECORDED_BATCHES,
    WW_RECORDED_TRAIN_TARGETS,
    WW_RECORDED_TEST_TARGETS,
    WW_RECORDED_COUNT
};

/// Rows of a hash block of a recorded dataset: fewer of batches, whose rows may be long.
int64_t ww_recorded_block(int which);

/// A list of open datasets.
typedef struct ww_array_list {
    ww_array *arrays;
    size_t count;
} ww_array_list;

/// Closes all of them. An empty list is allowed.
void ww_array_list_close(ww_array_list *list);

/// Weights and carry of one checkpoint slot, and where the engine keeps something what it keeps.
typedef struct ww_slot_arrays {
    ww_array_list hidden_weights; ///< of each layer: layers.h
    ww_array output_weights, carry, engine_state;
} ww_slot_arrays;

/// Arrays that a member does not have are ww_array_none(). A member with replicas has no slots,
/// snapshots and record; all its results have the axis [replicas] in front.
typedef struct ww_member {
    int64_t index;
    bool has_replicas;
    ww_array commit;
    ww_array replica_state, replica_steps;
    ww_array step;
    ww_array_list trajectory; ///< without `step`
    ww_array_list final, theory;
    ww_array_list gram;     ///< what is known of the Gram matrix
    ww_array eigenvectors;  ///< of it, [n, n], a row each
    ww_array train_targets; ///< that were computed, [n, outputs]
    ww_slot_arrays slot[WW_SLOTS];
    ww_array snapshot_step;
    ww_array_list snapshot_weights;   ///< hidden, of each layer
    ww_array snapshot_output_weights; ///< where they are trained
    ww_array recorded[WW_RECORDED_COUNT];
    ww_array_list recorded_weights; ///< hidden ones at t = 0, of each layer; without, none
} ww_member;

/// A member of which nothing is open.
ww_member ww_member_none(int64_t index);

/// Opens what the file has of member `index`, fields in the order of their names in the file, and
/// checks that it belongs together: pages, equal numbers of records, equal widths. Not collective.
/// `file_name` is borrowed while the member is open. Close with ww_member_close, also after a
/// failure.
ww_status ww_member_open(hid_t file, const char *file_name, int64_t index, ww_member *member,
                         ww_error *error);
void ww_member_close(ww_member *member);

/// Hidden units m of a layer; 1 of a member with replicas, which keeps no weights.
int64_t ww_member_width(const ww_member *member);

/// Arrays that make one row together, which pages count and hash: records of the trajectory, or
/// replicas with all that is known of them. `number` counts from 0.
size_t ww_member_row_arrays(const ww_member *member);
const ww_array *ww_member_row_array(const ww_member *member, size_t number);

/// Words of a row.
int64_t ww_member_row_words(const ww_member *member);

/// Puts lists of fields into the order of `fields`; WW_FAILED where the file's names are not the
/// same set.
ww_status ww_array_list_order(ww_array_list *list, const ww_field *fields, size_t count,
                              const char *file_name, const char *group, ww_error *error);

/// Reads both pages from the dataset `commit`. `valid[p]` is false for one that does not check.
ww_status ww_pages_read(const ww_array *commit, ww_page pages[WW_PAGES], bool valid[WW_PAGES],
                        ww_error *error);

/// Opens the dataset of the pages of member `index`.
ww_status ww_pages_open(hid_t file, const char *file_name, int64_t index, ww_array *commit,
                        ww_error *error);

/// The same for an open member; a page is not valid either where it says more rows or snapshots
/// than the datasets have. WW_FAILED only when they cannot be read.
ww_status ww_member_read_pages(const ww_member *member, ww_page pages[WW_PAGES],
                               bool valid[WW_PAGES], ww_error *error);

/// One sentence for a member of which no page is good.
ww_status ww_member_fail_pages(const char *file_name, int64_t index, ww_error *error);

/// Rows that wait for the next commit. Values are kept on rank 0 alone.
typedef struct ww_pending_rows {
    int64_t count, capacity;
    uint64_t hash;
    int64_t last_step; ///< of the last row, pending or committed; -1 without rows
    int64_t *words;    ///< [count, row words], arrays in their order
} ww_pending_rows;

/// Results of one kind that the next ww_store_finish commits.
typedef struct ww_pending_results {
    bool *written;    ///< [fields]
    uint64_t *hashes; ///< [fields]
} ww_pending_results;

struct ww_store {
    char *path;
    ww_parallel parallel;
    ww_tiling tiling;
    hid_t file;
    int descriptor; ///< this rank's own, to sync
    int64_t size;   ///< bytes of the file when it was opened: it never shrinks
    ww_member member;
    int64_t row_words; ///< of the member
    int64_t *row_room; ///< [row words] to put a row together
    int64_t carry_count;
    uint64_t data_hash; ///< of the data set in use; 0: not known
    ww_page page;       ///< as committed
    int standing;       ///< number of the page that must not be overwritten next
    ww_pending_rows rows;
    int64_t *snapshot_steps; ///< [snapshots of the layout]
    int64_t snapshots;       ///< taken, those that the next commit will count included
    uint64_t snapshots_hash;
    ww_pending_results final, theory, gram;
    bool eigenvectors_written;
    uint64_t eigenvectors_hash; ///< this rank's share
};

/// Both pages as rank 0 reads them, and which is the newest: decisions are taken by them, and other
/// nodes may still see what was there before. WW_FAILED when neither checks. Collective.
ww_status ww_store_read_pages(const ww_store *store, ww_page pages[WW_PAGES], bool valid[WW_PAGES],
                              int *newest, ww_error *error);

/// The page of the next commit: generation, pending rows and snapshots counted, nothing else
/// changed.
ww_page ww_store_next_page(const ww_store *store);

/// Checks that the file is still the one that was opened: not removed, replaced or cut off by
/// someone else. To be called before anything is written, which could give a file that was cut off
/// its old size again, and before a commit. Collective.
ww_status ww_store_agree_place(const ww_store *store, ww_error *error);

/// A run goes on with the data that it was begun with; WW_FAILED when they are others. Where the
/// hash of either is not known nothing is. The same on all ranks.
ww_status ww_store_check_data(const ww_store *store, ww_error *error);

/// Agreement on what each rank wrote; a failure gets a half sentence on what to do. Collective.
ww_status ww_store_agree_written(const ww_store *store, ww_status status, ww_error *error);

/// Adds one row, which follows those that are there: into the hash on all ranks, kept on rank 0.
/// Collective.
ww_status ww_store_append_row(ww_store *store, const int64_t *words, ww_error *error);

/// Writes the pending rows and makes all data of all ranks durable. `status` is this rank's own of
/// whatever it wrote before. Collective.
ww_status ww_store_make_durable(ww_store *store, ww_status status, ww_error *error);

/// Writes the page `next` that a start begins with. Where nothing has been committed yet it has
/// nothing to take back and nothing to vouch for, and need not be durable: the first commit, whose
/// page takes the place of the first one, brings it to the disk before. Collective.
ww_status ww_store_start_page(ww_store *store, const ww_page *next, ww_error *error);

/// Writes the page `next` that makes all that is durable count. Collective.
ww_status ww_store_make_count(ww_store *store, const ww_page *next, ww_error *error);

/// Commits: makes durable, then makes count. Collective.
ww_status ww_store_publish(ww_store *store, const ww_page *next, ww_status status, ww_error *error);

#endif
