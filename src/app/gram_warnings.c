#include "app/gram_warnings.h"

#include "widthwise/descent.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double EIGEN_TOLERANCE = 1e-10;
static const double SOLVE_TOLERANCE = 1e-6;
static const double NORM_TOLERANCE = 1e-6;

enum { SENTENCE = 512 };

// The value of a field; NaN where it is not wanted.
static double value_of(const ww_gram_work *work, int field)
{
    const double *value = ww_gram_values(work->plan, work->values, field);
    return value != NULL ? *value : (double)NAN;
}

static bool is_wanted(const ww_gram_work *work, int field)
{
    return work->plan->place[field] >= 0;
}

__attribute__((format(printf, 2, 3))) static void append(char text[SENTENCE], const char *format,
                                                         ...)
{
    const size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + length, SENTENCE - length, format, arguments);
    va_end(arguments);
}

// Samples that make H singular, or where to look for them: ": 2 training samples repeat ...".
static void append_causes(const ww_gram_work *work, char text[SENTENCE])
{
    const double coincident = value_of(work, WW_GRAM_COINCIDENT_SAMPLES);
    const double zeros = value_of(work, WW_GRAM_ZERO_SAMPLES);
    if (coincident >= 1.0)
        append(text,
               ": %.0f training sample%s repeat%s another one up to a factor, first sample %.0f "
               "that of %.0f (counted from 0)",
               coincident, coincident > 1.0 ? "s" : "", coincident > 1.0 ? "" : "s",
               value_of(work, WW_GRAM_COINCIDENT_SECOND), value_of(work, WW_GRAM_COINCIDENT_FIRST));
    if (zeros >= 1.0)
        append(text, "%s %.0f %s zero, first sample %.0f (counted from 0)",
               coincident >= 1.0 ? " and" : ": training samples,", zeros,
               zeros > 1.0 ? "are" : "is", value_of(work, WW_GRAM_ZERO_FIRST));
    if (text[0] == '\0')
        append(text, ": the closest two training samples are %.2g apart",
               value_of(work, WW_GRAM_SEPARATION));
}

// Names of the sets of labels whose quadratic form is finite, or of the others.
static void append_sets(const ww_gram_work *work, bool finite, char text[SENTENCE])
{
    const char *separator = " (";
    for (int set = 0; set < WW_LABEL_SETS; set++) {
        const int field = WW_GRAM_QUADRATIC_FORM + set;
        if (!is_wanted(work, field) || (isfinite(value_of(work, field)) != 0) != finite)
            continue;
        append(text, "%s%s", separator, ww_label_set_name((ww_label_set)set));
        separator = ", ";
    }
    append(text, "%s", separator[0] == ',' ? ")" : " (none)");
}

static void warn_of_singular(const ww_gram_work *work, ww_progress *progress)
{
    const double least = value_of(work, WW_GRAM_LAMBDA_MIN);
    const double greatest = value_of(work, WW_GRAM_LAMBDA_MAX);
    char causes[SENTENCE] = "";
    char finite[SENTENCE] = "";
    char infinite[SENTENCE] = "";
    append_causes(work, causes);
    append_sets(work, true, finite);
    append_sets(work, false, infinite);
    ww_progress_warn(progress,
                     "warning: the Gram matrix is singular (lambda_min %.2g is within rounding, n "
                     "2^-53 lambda_max = %.2g)%s; quadratic forms are finite for labels in its "
                     "range%s and infinite for others%s, and bounds by lambda_min are infinite",
                     least, ww_spectrum_rounding(work->plan->samples, greatest), causes, finite,
                     infinite);
}

// An end of the spectrum: what it is off by, at most.
static void judge_end(const ww_gram_work *work, const char *name, int field, ww_progress *progress)
{
    const double residual = value_of(work, field);
    const double allowed = EIGEN_TOLERANCE * value_of(work, WW_GRAM_LAMBDA_MAX);
    if (!(residual <= allowed))
        ww_progress_warn(progress,
                         "warning: %s_residual is %.2g, more than %g lambda_max: Lanczos' method "
                         "did not converge, and %s is right to no more than that; gram.spectrum: "
                         "values finds all eigenvalues in another way",
                         name, residual, EIGEN_TOLERANCE, name);
}

void ww_gram_warn_of_solution(const ww_gram_work *work, ww_progress *progress)
{
    if (ww_spectrum_is_singular(work->plan->samples, value_of(work, WW_GRAM_LAMBDA_MIN),
                                value_of(work, WW_GRAM_LAMBDA_MAX)))
        warn_of_singular(work, progress);
    judge_end(work, "lambda_min", WW_GRAM_LAMBDA_MIN_RESIDUAL, progress);
    judge_end(work, "lambda_max", WW_GRAM_LAMBDA_MAX_RESIDUAL, progress);
    for (int set = 0; set < WW_LABEL_SETS; set++) {
        const double residual = value_of(work, WW_GRAM_SOLVE_RESIDUAL + set);
        const char *name = ww_label_set_name((ww_label_set)set);
        // Labels that are not in the range of H have no solution, which is said above.
        if (!is_wanted(work, WW_GRAM_SOLVE_RESIDUAL + set) ||
            isinf(value_of(work, WW_GRAM_QUADRATIC_FORM + set)) || residual <= SOLVE_TOLERANCE)
            continue;
        ww_progress_warn(progress,
                         "warning: solve_residual_%s is %.2g, more than %g: with a condition of "
                         "%.2g quadratic_form_%s and complexity_%s have few digits; take out "
                         "samples that nearly coincide (separation is %.2g)",
                         name, residual, SOLVE_TOLERANCE, value_of(work, WW_GRAM_CONDITION), name,
                         name, value_of(work, WW_GRAM_SEPARATION));
    }
}

void ww_gram_warn_of_spectrum(const ww_gram_work *work, ww_progress *progress)
{
    if (!is_wanted(work, WW_GRAM_EIGEN_RESIDUAL))
        return;
    const double residual = value_of(work, WW_GRAM_EIGEN_RESIDUAL);
    const double orthogonality = value_of(work, WW_GRAM_EIGEN_ORTHOGONALITY);
    if (!(residual <= EIGEN_TOLERANCE * value_of(work, WW_GRAM_LAMBDA_MAX)) ||
        !(orthogonality <= EIGEN_TOLERANCE))
        ww_progress_warn(progress,
                         "warning: eigen_residual is %.2g and eigen_orthogonality %.2g, where %g "
                         "lambda_max and %g would be good: eigenvalues and projections are right "
                         "to no more than that; try another gram.block or gram.solver",
                         residual, orthogonality, EIGEN_TOLERANCE, EIGEN_TOLERANCE);
}

void ww_gram_warn_of_difference(const ww_gram_work *work, ww_progress *progress)
{
    const double norm = value_of(work, WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE);
    if (!(work->difference_residual <= NORM_TOLERANCE * norm))
        ww_progress_warn(progress,
                         "warning: Lanczos' method did not converge, and "
                         "initial_spectral_difference %.4g is right to no more than %.2g; "
                         "initial_difference bounds it",
                         norm, work->difference_residual);
}

void ww_gram_warn_of_distance(const ww_gram_distance *distance, int64_t step, ww_progress *progress)
{
    if (!(distance->spectral_residual <= NORM_TOLERANCE * distance->spectral) ||
        !(distance->lambda_residual <= EIGEN_TOLERANCE * distance->lambda_max))
        ww_progress_warn(progress,
                         "warning: Lanczos' method did not converge for H(t) of the snapshot at "
                         "step %lld: gram_spectral_difference is right to no more than %.2g, "
                         "gram_lambda_min and gram_lambda_max to %.2g",
                         (long long)step, distance->spectral_residual, distance->lambda_residual);
}

void ww_gram_worst_case_warning(const ww_worst_case *found, char *text, size_t size)
{
    text[0] = '\0';
    if (found->is_singular)
        (void)snprintf(text, size,
                       "warning: worst-case labels come from a singular Gram matrix (lambda_min "
                       "%.2g, lambda_max %.3g; samples coincide, or one is zero): no infinitely "
                       "wide network learns them, and their quadratic form is infinite",
                       found->lambda_min, found->lambda_max);
    else if (!(found->residual <= EIGEN_TOLERANCE * found->lambda_max))
        (void)snprintf(
            text, size,
            "warning: worst-case labels come from an eigenvector of lambda_min %.2g that "
            "Lanczos' method found to no more than %.2g",
            found->lambda_min, found->residual);
}
