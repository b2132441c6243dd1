/// Products with one column, at which BLAS is slow. The order of operations is that of the shape
/// alone, whatever the instruction set.
#ifndef WIDTHWISE_TRAIN_VECTORS_H
#define WIDTHWISE_TRAIN_VECTORS_H

#include <stdint.h>

/// products[i * product_stride] = <row i, vector> for i < count; row i begins at rows + i *
/// row_stride and has `length` entries, as the vector.
void ww_vector_products(const double *rows, int64_t count, int64_t row_stride, const double *vector,
                        int64_t length, double *products, int64_t product_stride);

#endif
