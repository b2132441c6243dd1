#include "data/apart.h"

#include "data/distance.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <stdlib.h>

ww_status ww_apart_make(int64_t dimension, double least, ww_apart *apart, ww_error *error)
{
    int checked = 0;
    *apart = (ww_apart){.dimension = dimension, .least = least};
    WW_TRY(ww_to_int(dimension, "the dimension of the inputs", &checked, error));
    apart->products = ww_allocate((size_t)WW_APART_BLOCK * WW_APART_BLOCK, sizeof(double),
                                  "distances of samples", error);
    return apart->products != NULL ? WW_OK : WW_FAILED;
}

void ww_apart_free(ww_apart *apart)
{
    free(apart->products);
    *apart = (ww_apart){0};
}

bool ww_apart_is_near(const ww_apart *apart, const double *row, const double *other)
{
    return ww_squared_distance(row, other, apart->dimension) < apart->least * apart->least;
}

static void mark_block(const ww_apart *apart, const double *rows, int count, const double *kept,
                       int kept_count, bool *near)
{
    const int d = ww_int(apart->dimension);
    const double wanted = apart->least * apart->least;
    // Squared norms are 1 up to (d + 2) eps each, which the bound of their sum below has room for.
    const double bound = 2.0 * ww_distance_bound(d);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, kept_count, d, 1.0, rows, d, kept,
                d, 0.0, apart->products, WW_APART_BLOCK);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < kept_count && !near[i]; j++) {
            const double squared = 2.0 - 2.0 * apart->products[i * WW_APART_BLOCK + j];
            if (squared - bound < wanted)
                near[i] = ww_apart_is_near(apart, rows + (int64_t)i * d, kept + (int64_t)j * d);
        }
}

void ww_apart_mark(const ww_apart *apart, const double *rows, int64_t count, const double *kept,
                   int64_t kept_count, bool *near)
{
    WW_ASSERT(count <= WW_APART_BLOCK);
    for (int64_t first = 0; first < kept_count; first += WW_APART_BLOCK) {
        const int64_t left = kept_count - first;
        mark_block(apart, rows, (int)count, kept + first * apart->dimension,
                   (int)(left < WW_APART_BLOCK ? left : WW_APART_BLOCK), near);
    }
}
