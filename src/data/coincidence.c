// Samples in the same direction: sorted by their product with one fixed random direction, those
// that coincide are neighbours.

#include "widthwise/data.h"
#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>

// Samples whose products with the random direction are further apart than this, and rounding of d
// products, cannot be of one direction.
static const double REACH = 1e-12;

typedef struct projected {
    double place;
    int64_t sample;
} projected;

static int compare(const void *a, const void *b)
{
    const projected *x = a;
    const projected *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

static double norm_of(const double *input, int64_t dimension)
{
    double largest = 0.0; // squares of what it leaves are in range
    for (int64_t j = 0; j < dimension; j++)
        largest = fmax(largest, fabs(input[j]));
    if (largest == 0.0)
        return 0.0;
    long double sum = 0.0L; // or d roundings would set apart what is equal
    for (int64_t j = 0; j < dimension; j++)
        sum += (long double)(input[j] / largest) * (long double)(input[j] / largest);
    return largest * (double)sqrtl(sum);
}

static bool same_direction(const double *a, const double *b, int64_t dimension)
{
    const double a_norm = norm_of(a, dimension);
    const double b_norm = norm_of(b, dimension);
    if (a_norm == 0.0 || b_norm == 0.0)
        return a_norm == b_norm;
    double square = 0.0;
    for (int64_t j = 0; j < dimension; j++) {
        const double difference = a[j] / a_norm - b[j] / b_norm;
        square += difference * difference;
    }
    return sqrt(square) <= WW_SAME_DIRECTION;
}

static void note(const ww_samples *samples, int64_t a, int64_t b, ww_coincidence *found)
{
    const int64_t first = a < b ? a : b;
    const int64_t second = a < b ? b : a;
    found->samples++;
    if (found->first < 0 || first < found->first) {
        found->first = first;
        found->second = second;
    }
    if (samples->labels[a] != samples->labels[b] &&
        (found->unlike[0] < 0 || first < found->unlike[0])) {
        found->unlike[0] = first;
        found->unlike[1] = second;
    }
}

ww_status ww_coincidence_find(const ww_samples *samples, int64_t dimension, ww_coincidence *found,
                              ww_error *error)
{
    *found = (ww_coincidence){.first = -1, .second = -1, .unlike = {-1, -1}, .first_zero = -1};
    const int64_t n = samples->count;
    const char *what = "a search for samples that coincide";
    double *direction = ww_allocate((size_t)dimension, sizeof *direction, what, error);
    projected *list = ww_allocate((size_t)n, sizeof *list, what, error);
    if (direction == NULL || list == NULL) {
        free(direction);
        free(list);
        return WW_FAILED;
    }
    ww_normals((ww_stream){.seed = 0, .purpose = WW_DRAW_MEANS}, 0, (size_t)dimension, direction);
    for (int64_t s = 0; s < n; s++) {
        const double *input = samples->inputs + s * dimension;
        const double norm = norm_of(input, dimension);
        double product = 0.0;
        for (int64_t j = 0; j < dimension && norm > 0.0; j++)
            product += input[j] / norm * direction[j];
        list[s] = (projected){.place = product, .sample = s};
        if (norm == 0.0) {
            found->zeros++;
            if (found->first_zero < 0)
                found->first_zero = s;
        }
    }
    qsort(list, (size_t)n, sizeof *list, compare);
    // Places differ by rounding of d products at most; a sample is held against those within reach
    // until one coincides.
    const double reach = REACH * (1.0 + norm_of(direction, dimension));
    for (int64_t i = 0; i < n; i++) {
        const double *input = samples->inputs + list[i].sample * dimension;
        for (int64_t j = i + 1; j < n && list[j].place - list[i].place <= reach; j++) {
            if (!same_direction(input, samples->inputs + list[j].sample * dimension, dimension))
                continue;
            note(samples, list[i].sample, list[j].sample, found);
            break;
        }
    }
    free(direction);
    free(list);
    return WW_OK;
}
