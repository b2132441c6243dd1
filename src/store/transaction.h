/// Changes to the structure of a file, all or nothing.
///
/// Everything else only writes raw data into places that are there from the start. What must change
/// structure (a longer run, more provenance rows) does so here, under the undo journal: whenever
/// the job dies, the file is either as before or changed altogether.
#ifndef WIDTHWISE_STORE_TRANSACTION_H
#define WIDTHWISE_STORE_TRANSACTION_H

#include "store/plan.h"
#include "widthwise/error.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

/// Adds that dataset to the plan of a new file. `words` [2] are filled, and borrowed by the plan.
ww_status ww_transaction_plan_mark(ww_plan *plan, int64_t *words, ww_error *error);

/// What is done to the open file.
typedef struct ww_transaction {
    /// Datasets that are replaced or removed, [count]: their space may be used anew, so the journal
    /// keeps what is in it. Other large datasets are left alone and are not kept.
    const char *const *touched;
    size_t count;
    int64_t bytes; ///< that the file will grow by, to refuse a disk that is too small beforehand
    ww_status (*work)(void *context, hid_t file, const char *file_name, ww_error *error);
    void *context;
} ww_transaction;

/// Runs it. The caller holds the lock, and nothing has the file open. After a failure that came
/// when the file was already touched, the journal stays and the next one to take the lock undoes
/// what was begun. Not collective.
ww_status ww_transaction_run(const char *path, const ww_transaction *transaction, ww_error *error);

/// Replaces a dataset by one that `item` describes. With `copies` the rows that both have are taken
/// over. For `work`.
ww_status ww_transaction_replace(hid_t file, const char *file_name, const ww_plan_item *item,
                                 bool copies, ww_error *error);
/// Removes a dataset. For `work`.
ww_status ww_transaction_remove(hid_t file, const char *file_name, const char *path,
                                ww_error *error);

#endif
