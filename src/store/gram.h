/// What the file keeps of the Gram matrix, and targets computed with it.
#ifndef WIDTHWISE_STORE_GRAM_H
#define WIDTHWISE_STORE_GRAM_H

#include "widthwise/error.h"

#include <stdint.h>

/// Hash of rows `first` .. of a matrix at `path` in the file, `values` [rows, columns]: the sum of
/// the hashes of its rows, as ww_array_hash has it with blocks of one row. Pure.
uint64_t ww_matrix_hash(const char *path, const double *values, int64_t rows, int64_t columns,
                        int64_t first);

/// Where the computed train targets of a member stand. Free with free(); NULL: memory is short.
char *ww_train_targets_path(int64_t index, ww_error *error);

#endif
