/// Products with one column, at which BLAS is slow, and sums whose terms are added one by one, so
/// that adding some now and the rest later gives the same bits. The order of operations is that of
/// the shape alone, whatever the instruction set.
#ifndef WIDTHWISE_TRAIN_VECTORS_H
#define WIDTHWISE_TRAIN_VECTORS_H

#include <stdint.h>

/// products[i * product_stride] = <row i, vector> for i < count; row i begins at rows + i *
/// row_stride and has `length` entries, as the vector.
void ww_vector_products(const double *rows, int64_t count, int64_t row_stride, const double *vector,
                        int64_t length, double *products, int64_t product_stride);

/// sum_i left[i * left_stride] right[i * right_stride] for i < length.
double ww_vector_dot(const double *left, int64_t left_stride, const double *right,
                     int64_t right_stride, int64_t length);

/// One term of a sum of rows: coefficients [count] and a vector [length].
typedef struct ww_vector_term {
    const double *coefficients;
    const double *vector;
} ww_vector_term;

/// row_i[j] = ((row_i[j] + c_0i v_0j) + c_1i v_1j) + ..., term by term, for i < count and j <
/// length; row i begins at rows + i * row_stride.
void ww_vector_accumulate(double *rows, int64_t count, int64_t row_stride, int64_t length,
                          const ww_vector_term *terms, int64_t term_count);

#endif
