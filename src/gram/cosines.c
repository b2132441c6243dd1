// The kernel at many cosines at once, with the vector functions of the maths library.

#include "gram/directions.h"

#include <math.h>

#if defined(WIDTHWISE_VECTOR_MATH) && !defined(__clang__) // as clang-tidy sees it
// glibc has these for vectors (libmvec), but says so in <math.h> only under -ffast-math, which
// would change other things as well. The right version is taken when the program is loaded.
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#define VECTOR_FUNCTION __attribute__((simd("notinbranch")))
VECTOR_FUNCTION double acos(double x);
VECTOR_FUNCTION double sin(double x);
VECTOR_FUNCTION double cos(double x);
VECTOR_FUNCTION double atan2(double y, double x);
#else
#define VECTORISED
#endif

static const double PI = 3.14159265358979323846;

// The norms are multiplied with each other first: so an entry is the same for (i, j) and (j, i).

VECTORISED static void one_layer(double slope, double scale, const double *restrict norms,
                                 double *restrict values)
{
    const double gain = (1.0 - slope) * (1.0 - slope) / (2.0 * PI);
    const double whole = 0.5 * (1.0 + slope * slope);
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++) {
        double cosine = values[i];
        cosine = cosine > 1.0 ? 1.0 : cosine;
        cosine = cosine < -1.0 ? -1.0 : cosine;
        values[i] = scale * norms[i] * (cosine * (whole - gain * acos(cosine)));
    }
}

VECTORISED static void angles_of(const double *restrict cosines, double *restrict angles)
{
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++) {
        double cosine = cosines[i];
        cosine = cosine > 1.0 ? 1.0 : cosine;
        cosine = cosine < -1.0 ? -1.0 : cosine;
        angles[i] = acos(cosine);
    }
}

/// Sines and cosines of half the angles: two loops, or the compiler joins both into one function
/// that has no vectors.
VECTORISED static void half_angles(const double *restrict angles, double *restrict sines,
                                   double *restrict cosines)
{
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++)
        sines[i] = sin(0.5 * angles[i]);
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++)
        cosines[i] = cos(0.5 * angles[i]);
}

/// One more layer, as in kernel.c. `sums` are the gradients by the layers so far; `keep` is 1 or 0.
VECTORISED static void next_layer(double slope, double keep, const double *restrict sines,
                                  const double *restrict cosines, double *restrict angles,
                                  double *restrict sums)
{
    const double gain = (1.0 - slope) * (1.0 - slope) / (PI * (1.0 + slope * slope));
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++) {
        const double s = sines[i], c = cosines[i], angle = angles[i];
        const double q = 2.0 * s * c - angle * (c * c - s * s);
        double minus = 2.0 * s * s - gain * q;
        minus = minus < 0.0 ? 0.0 : minus;
        const double plus = 2.0 * c * c + gain * q;
        const double passed = 1.0 - gain * angle;
        angles[i] = 2.0 * atan2(sqrt(minus), sqrt(plus));
        sums[i] = keep * passed * sums[i] + 0.5 * (plus - minus);
    }
}

/// The top layer: `values` are sums before.
VECTORISED static void finish(double slope, double scale, const double *restrict norms,
                              const double *restrict angles, double *restrict values)
{
    const double gain = (1.0 - slope) * (1.0 - slope) / (2.0 * PI);
    const double whole = 0.5 * (1.0 + slope * slope);
#pragma omp simd
    for (int i = 0; i < WW_CHUNK; i++)
        values[i] = scale * norms[i] * (values[i] * (whole - gain * angles[i]));
}

void ww_kernel_at_cosines(const ww_kernel *kernel, double scale, const double *norms,
                          double *values)
{
    const double slope = kernel->negative_slope;
    if (kernel->depth == 1) {
        one_layer(slope, scale, norms, values);
        return;
    }
    double angles[WW_CHUNK], sines[WW_CHUNK], cosines[WW_CHUNK];
    angles_of(values, angles);
    for (int64_t layer = 1; layer < kernel->depth; layer++) {
        half_angles(angles, sines, cosines);
        next_layer(slope, kernel->all_layers ? 1.0 : 0.0, sines, cosines, angles, values);
    }
    finish(slope, scale, norms, angles, values);
}
