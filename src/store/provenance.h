/// The table of starts and restarts of a file: /provenance/attempts, one column a dataset.
#ifndef WIDTHWISE_STORE_PROVENANCE_H
#define WIDTHWISE_STORE_PROVENANCE_H

#include "store/plan.h"
#include "widthwise/error.h"
#include "widthwise/store.h"

#include <hdf5.h>
#include <stdint.h>

/// Values of all columns, for the skeleton: row 0 in use, the rest zeroes.
typedef struct ww_provenance_table ww_provenance_table;

/// A table whose first row is `provenance`. Free with ww_provenance_table_free.
ww_provenance_table *ww_provenance_table_make(const ww_provenance *provenance, ww_error *error);

/// A table of `rows` rows, none in use. NULL on failure.
ww_provenance_table *ww_provenance_table_blank(int64_t rows, ww_error *error);

/// Reads the first `count` rows of a file into the rows from `first` on.
ww_status ww_provenance_table_take(ww_provenance_table *table, int64_t first, hid_t file,
                                   const char *path, int64_t count, ww_error *error);

/// A table of `rows` rows, of which the first `used` are read from a file. NULL on failure.
ww_provenance_table *ww_provenance_table_read(hid_t file, const char *path, int64_t rows,
                                              int64_t used, ww_error *error);

void ww_provenance_table_free(ww_provenance_table *table);

/// Adds the columns with the table's values, which are borrowed.
ww_status ww_provenance_plan(const ww_provenance_table *table, ww_plan *plan, ww_error *error);

/// Rows in use.
ww_status ww_provenance_count(hid_t file, const char *path, int64_t *count, ww_error *error);

ww_status ww_provenance_read(hid_t file, const char *path, int64_t row, ww_provenance *provenance,
                             ww_error *error);

#endif
