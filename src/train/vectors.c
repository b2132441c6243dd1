#include "train/vectors.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// The right version is taken when the program is loaded. All do the same operations: none of them
// contracts a product and a sum into one (-ffp-contract=off).
#define VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define VECTORISED
#endif
#define INLINED static inline __attribute__((always_inline))

enum { LANES = 4 };
// Doubles that may stand anywhere.
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8)));

INLINED const lanes *at(const double *values)
{
    return (const lanes *)(const void *)values;
}

// Rows whose products are made side by side, with sums of each in four lots of lanes: enough to
// keep an adder busy. How a row is summed does not depend on its neighbours.
enum { CHAINS = 4, CHUNK = CHAINS * LANES, MOST_ROWS = 4 };

INLINED void products_of(const double *rows, int count, int64_t row_stride, const double *vector,
                         int64_t length, double *products, int64_t product_stride)
{
    lanes sums[MOST_ROWS][CHAINS];
    for (int i = 0; i < count; i++)
        for (int64_t chain = 0; chain < CHAINS; chain++)
            sums[i][chain] = (lanes){0.0};
    int64_t j = 0;
    for (; j + CHUNK <= length; j += CHUNK)
        for (int i = 0; i < count; i++)
            for (int64_t chain = 0; chain < CHAINS; chain++)
                sums[i][chain] += *at(rows + i * row_stride + j + chain * LANES) *
                                  *at(vector + j + chain * LANES);
    for (; j + LANES <= length; j += LANES)
        for (int i = 0; i < count; i++)
            sums[i][0] += *at(rows + i * row_stride + j) * *at(vector + j);
    for (int i = 0; i < count; i++) {
        const lanes sum = (sums[i][0] + sums[i][2]) + (sums[i][1] + sums[i][3]);
        double rest = 0.0;
        for (int64_t k = j; k < length; k++)
            rest += rows[i * row_stride + k] * vector[k];
        products[i * product_stride] = ((sum[0] + sum[2]) + (sum[1] + sum[3])) + rest;
    }
}

VECTORISED void ww_vector_products(const double *rows, int64_t count, int64_t row_stride,
                                   const double *vector, int64_t length, double *products,
                                   int64_t product_stride)
{
    int64_t i = 0;
    for (; i + MOST_ROWS <= count; i += MOST_ROWS)
        products_of(rows + i * row_stride, MOST_ROWS, row_stride, vector, length,
                    products + i * product_stride, product_stride);
    for (; i < count; i++)
        products_of(rows + i * row_stride, 1, row_stride, vector, length,
                    products + i * product_stride, product_stride);
}
