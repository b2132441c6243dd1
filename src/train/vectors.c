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

VECTORISED static double dense_dot(const double *left, const double *right, int64_t length)
{
    double result = 0.0;
    products_of(left, 1, length, right, length, &result, 1);
    return result;
}

double ww_vector_dot(const double *left, int64_t left_stride, const double *right,
                     int64_t right_stride, int64_t length)
{
    if (left_stride == 1 && right_stride == 1)
        return dense_dot(left, right, length);
    enum { SUMS = 4 };
    double sums[SUMS] = {0.0};
    int64_t i = 0;
    for (; i + SUMS <= length; i += SUMS)
        for (int64_t sum = 0; sum < SUMS; sum++)
            sums[sum] += left[(i + sum) * left_stride] * right[(i + sum) * right_stride];
    for (; i < length; i++)
        sums[0] += left[i * left_stride] * right[i * right_stride];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// A block of `count` rows and `width` times LANES columns, held in registers while all terms are
// added. Both numbers are constants where it is called.
enum { MOST_WIDTH = 2 };

INLINED void accumulate_block(double *rows, int64_t row_stride, int count, int width,
                              int64_t first_row, int64_t first_column, const ww_vector_term *terms,
                              int64_t term_count)
{
    lanes sums[MOST_ROWS][MOST_WIDTH];
    double *block = rows + first_row * row_stride + first_column;
    for (int i = 0; i < count; i++)
        for (int64_t q = 0; q < width; q++)
            sums[i][q] = *at(block + i * row_stride + q * LANES);
    for (int64_t term = 0; term < term_count; term++) {
        const double *vector = terms[term].vector + first_column;
        const double *coefficients = terms[term].coefficients + first_row;
        for (int i = 0; i < count; i++)
            for (int64_t q = 0; q < width; q++)
                sums[i][q] += coefficients[i] * *at(vector + q * LANES);
    }
    for (int i = 0; i < count; i++)
        for (int64_t q = 0; q < width; q++)
            *(lanes *)(void *)(block + i * row_stride + q * LANES) = sums[i][q];
}

// All whole lanes of columns first_column .. end - 1 of `count` rows.
INLINED void accumulate_columns(double *rows, int64_t row_stride, int count, int64_t first_row,
                                int64_t first_column, int64_t end, const ww_vector_term *terms,
                                int64_t term_count)
{
    const int64_t wide = (int64_t)MOST_WIDTH * LANES;
    int64_t j = first_column;
    for (; j + wide <= end; j += wide)
        accumulate_block(rows, row_stride, count, MOST_WIDTH, first_row, j, terms, term_count);
    for (; j + LANES <= end; j += LANES)
        accumulate_block(rows, row_stride, count, 1, first_row, j, terms, term_count);
}

// Strips of columns one after the other, each so narrow that the vectors of all terms stay in the
// nearest cache while the rows go by.
enum { STRIP_VALUES = 4096 };

static int64_t strip_columns(int64_t length, int64_t term_count)
{
    const int64_t unit = (int64_t)MOST_WIDTH * LANES;
    const int64_t columns = STRIP_VALUES / (term_count < 1 ? 1 : term_count) / unit * unit;
    return columns < unit ? unit : columns > length ? length : columns;
}

VECTORISED void ww_vector_accumulate(double *rows, int64_t count, int64_t row_stride,
                                     int64_t length, const ww_vector_term *terms,
                                     int64_t term_count)
{
    const int64_t strip = strip_columns(length, term_count);
    for (int64_t start = 0; start < length; start += strip) {
        const int64_t end = start + strip < length ? start + strip : length;
        int64_t i = 0;
        for (; i + MOST_ROWS <= count; i += MOST_ROWS)
            accumulate_columns(rows, row_stride, MOST_ROWS, i, start, end, terms, term_count);
        for (; i < count; i++)
            accumulate_columns(rows, row_stride, 1, i, start, end, terms, term_count);
    }
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = length - length % LANES; j < length; j++) {
            double sum = rows[i * row_stride + j];
            for (int64_t term = 0; term < term_count; term++)
                sum += terms[term].coefficients[i] * terms[term].vector[j];
            rows[i * row_stride + j] = sum;
        }
}
