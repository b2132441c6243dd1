/// y = g(x) = sum_j alpha_j phi(<beta_j, x>) (AR section 6). What g is depends on seeds.data alone,
/// neither on the number of samples nor on their inputs, and is the same for train and test.

#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>

enum { CLASSES = 2, DIRECTIONS = 0, FACTORS = 1 };

static ww_stream stream_of(const ww_config *config, ww_purpose purpose, uint32_t substream)
{
    return (ww_stream){
        .seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose, .substream = substream};
}

/// Inputs with independent normal coordinates of variance 1/d: uniform directions, and norms near 1
/// even where data.normalize leaves them.
static void draw_inputs(const ww_config *config, ww_purpose purpose, int64_t dimension,
                        ww_samples *samples)
{
    const size_t values = (size_t)(samples->count * dimension);
    const double deviation = 1.0 / sqrt((double)dimension);
    ww_normals(stream_of(config, purpose, 0), (uint64_t)(samples->first * dimension), values,
               samples->inputs);
    for (size_t i = 0; i < values; i++)
        samples->inputs[i] *= deviation;
}

ww_status ww_source_real_function(const ww_config *config, bool samples, ww_dataset *dataset,
                                  ww_error *error)
{
    (void)samples;
    WW_TRY(ww_drawn_count(config, "data.train", config->data.train, error));
    WW_TRY(ww_drawn_count(config, "data.test", config->data.test, error));
    const int64_t d = config->data.function.dimension;
    dataset->dimension = d;
    dataset->classes = CLASSES;
    dataset->components = 1;
    ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    return WW_OK;
}

ww_status ww_function_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    const int64_t d = dataset->dimension;
    (void)error;
    draw_inputs(config, WW_DRAW_TRAIN_INPUTS, d, &dataset->train);
    draw_inputs(config, WW_DRAW_TEST_INPUTS, d, &dataset->test);
    return WW_OK; // labels are all 0 until ww_function_values
}

static double product_of(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/// Makes `row` orthogonal to the `count` rows before it, which are orthonormal. Twice: once leaves
/// the rounding of what was taken away.
static void orthogonalize(const double *rows, int64_t count, int64_t dimension, double *row)
{
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < count; j++) {
            const double *other = rows + j * dimension;
            const double part = product_of(row, other, dimension);
            for (int64_t i = 0; i < dimension; i++)
                row[i] -= part * other[i];
        }
}

/// Directions beta_j [terms, d] with their norms, and factors alpha_j [terms].
static void draw_terms(const ww_config *config, double *directions, double *factors)
{
    const int64_t d = config->data.function.dimension, terms = config->data.function.terms;
    const bool quadratic = config->data.function.kind == WW_FUNCTION_QUADRATIC;
    const double norm = quadratic ? 1.0 : config->data.function.norm;
    ww_normals(stream_of(config, WW_DRAW_FUNCTION, DIRECTIONS), 0, (size_t)(terms * d), directions);
    ww_normals(stream_of(config, WW_DRAW_FUNCTION, FACTORS), 0, (size_t)terms, factors);
    double total = 0.0;
    for (int64_t j = 0; j < terms; j++) {
        double *direction = directions + j * d;
        if (quadratic)
            orthogonalize(directions, j, d, direction);
        const double scale = norm / sqrt(product_of(direction, direction, d));
        for (int64_t i = 0; i < d; i++)
            direction[i] *= scale;
        total += fabs(factors[j]);
    }
    const double alpha = config->data.function.alpha;
    for (int64_t j = 0; j < terms; j++) // eigenvalues of a matrix of trace norm |alpha|, or alpha
        factors[j] = quadratic ? alpha * factors[j] / total : alpha;
}

/// phi(z) of one term.
static double term_of(const ww_config *config, double z)
{
    double power = 1.0;
    switch (config->data.function.kind) {
    case WW_FUNCTION_LINEAR:
        return z;
    case WW_FUNCTION_QUADRATIC:
        return z * z;
    case WW_FUNCTION_POWER:
        for (int64_t i = 0; i < config->data.function.exponent; i++)
            power *= z;
        return power;
    case WW_FUNCTION_COSINE: // cos(z) - 1, without cancellation where z is small
        return -2.0 * sin(0.5 * z) * sin(0.5 * z);
    case WW_FUNCTION_ARCTAN:
        return z * atan(0.5 * z);
    }
    return 0.0;
}

ww_status ww_function_values(const ww_config *config, const ww_dataset *dataset,
                             ww_samples *samples, ww_error *error)
{
    // Inputs may have a last coordinate by now, which is no part of x.
    const int64_t d = config->data.function.dimension, terms = config->data.function.terms;
    const int64_t columns = dataset->dimension;
    const double shortened = ww_last_coordinate_scale(config);
    int64_t values = 0;
    WW_TRY(ww_multiply(terms, d, "data.function.terms x data.function.dimension", &values, error));
    double *directions = ww_allocate((size_t)values, sizeof *directions, "the function", error);
    double *factors = ww_allocate((size_t)terms, sizeof *factors, "the function", error);
    ww_status status = directions != NULL && factors != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        draw_terms(config, directions, factors);
    for (int64_t s = 0; status == WW_OK && s < samples->count; s++) {
        const int64_t number = samples->first + s;
        double y = 0.0;
        for (int64_t j = 0; j < terms; j++)
            y += factors[j] *
                 term_of(config, product_of(directions + j * d, samples->inputs + s * columns, d) /
                                     shortened);
        if (!isfinite(y))
            status =
                ww_data_fail(config, "data.function.alpha", error,
                             "gives sample %lld (counted from 0) the value %g; choose a smaller "
                             "one, or a smaller norm",
                             (long long)number, y);
        samples->labels[s] = samples->components[s] = y > 0.0 ? 0 : 1;
        if (samples->targets != NULL)
            samples->targets[s] = y;
    }
    free(directions);
    free(factors);
    return status;
}
