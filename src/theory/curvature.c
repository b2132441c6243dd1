// The largest curvature of the train loss at the start of training, from the kernel of the network
// that is infinitely wide, and what it says about step sizes.

#include "widthwise/memory.h"
#include "widthwise/theory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

enum { POWER_STEPS = 200 };
static const double POWER_ACCURACY = 1e-6;
static const double PI = 3.14159265358979323846;

double ww_theory_same_side(double cosine, double slope)
{
    const double angle = acos(fmax(-1.0, fmin(1.0, cosine)));
    return (1.0 + slope * slope) * (PI - angle) / (2.0 * PI) + slope * angle / PI;
}

// gram [n, n]: x_s . x_t E[s'(w . x_s) s'(w . x_t)] over a Gaussian w.
static void fill_kernel(const double *rows, int64_t n, int64_t dimension, double slope,
                        double *gram)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(n), ww_int(n), ww_int(dimension),
                1.0, rows, ww_int(dimension), rows, ww_int(dimension), 0.0, gram, ww_int(n));
    for (int64_t s = 0; s < n; s++) {
        for (int64_t t = s + 1; t < n; t++) {
            const double product = gram[s * n + t];
            const double norms = sqrt(gram[s * n + s]) * sqrt(gram[t * n + t]);
            const double value =
                norms > 0.0 ? product * ww_theory_same_side(product / norms, slope) : 0.0;
            gram[s * n + t] = gram[t * n + s] = value;
        }
    }
    for (int64_t s = 0; s < n; s++) // only now: the norms are in the diagonal
        gram[s * n + s] *= ww_theory_same_side(1.0, slope);
}

// Largest eigenvalue of a symmetric matrix without negative ones, by the power method.
static double largest_eigenvalue(const double *matrix, int64_t n, double *vector, double *image)
{
    for (int64_t s = 0; s < n; s++)
        vector[s] = 1.0 + 0.5 * sin((double)s); // not at right angles to anything in particular
    double value = 0.0;
    for (int step = 0; step < POWER_STEPS; step++) {
        const double norm = cblas_dnrm2(ww_int(n), vector, 1);
        if (norm == 0.0)
            return 0.0;
        cblas_dscal(ww_int(n), 1.0 / norm, vector, 1);
        cblas_dsymv(CblasRowMajor, CblasUpper, ww_int(n), 1.0, matrix, ww_int(n), vector, 1, 0.0,
                    image, 1);
        const double before = value;
        value = cblas_ddot(ww_int(n), vector, 1, image, 1);
        for (int64_t s = 0; s < n; s++)
            vector[s] = image[s];
        if (fabs(value - before) <= POWER_ACCURACY * fabs(value))
            break;
    }
    return value;
}

ww_status ww_theory_curvature(const ww_config *config, const ww_dataset *data, int64_t most,
                              double *curvature, ww_error *error)
{
    const int64_t all = data->train.count;
    const int64_t n = all < most ? all : most;
    const int64_t d = data->dimension;
    const char *what = "the kernel of some samples";
    double *rows = ww_allocate((size_t)(n * d), sizeof *rows, what, error);
    double *gram = ww_allocate((size_t)(n * n), sizeof *gram, what, error);
    double *vectors = ww_allocate((size_t)(2 * n), sizeof *vectors, what, error);
    ww_status status = WW_FAILED;
    if (rows != NULL && gram != NULL && vectors != NULL) {
        for (int64_t s = 0; s < n; s++) // spread evenly: files may be sorted by class
            cblas_dcopy(ww_int(d), data->train.inputs + s * all / n * d, 1, rows + s * d, 1);
        fill_kernel(rows, n, d, ww_negative_slope(config), gram);
        const double scale = ww_config_output_std(config);
        const double kernel = (double)config->network.width * scale * scale *
                              largest_eigenvalue(gram, n, vectors, vectors + n);
        *curvature = ww_loss_of(config)->curvature * kernel / (double)n;
        if (config->loss_reduction == WW_REDUCTION_SUM)
            *curvature *= (double)all;
        status = WW_OK;
    }
    free(rows);
    free(gram);
    free(vectors);
    return status;
}
