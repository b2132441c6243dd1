// Bounds of Brutzkus et al. 2018 as functions of their setting; src/theory/separable.c has the
// predictions that a run gets from them.

#include "widthwise/theory.h"

#include <math.h>

double ww_brutzkus_update_bound(const ww_brutzkus_setting *setting, double separator_norm)
{
    const double h = setting->half_width;
    const double v = setting->output_size;
    const double alpha = setting->slope;
    const double eta = setting->rate;
    const double c = setting->least_ratio;
    const double largest = setting->largest_ratio * setting->input_norm; // C X
    const double norm = separator_norm;
    if (!isfinite(norm) || !(c > 0.0) || !(alpha > 0.0))
        return (double)INFINITY;
    const double step = eta * c * v * alpha;
    return largest * largest * norm * norm / (c * c * alpha * alpha) +
           norm * norm / (h * eta * c * c * v * v * alpha * alpha) +
           sqrt(setting->radius *
                (8.0 * h * h * eta * eta * largest * largest * v * v + 8.0 * eta * h)) *
               pow(norm, 1.5) / (2.0 * h * pow(step, 1.5)) +
           2.0 * setting->radius * norm / step;
}

double ww_brutzkus_update_bound_corollary(const ww_brutzkus_setting *setting, double separator_norm)
{
    const double square = separator_norm * separator_norm;
    if (!(setting->slope > 0.0))
        return (double)INFINITY;
    return square / (setting->slope * setting->slope) +
           square / fmin(setting->rate, sqrt(setting->rate));
}

// From the proof (BR section 9.1.4). All units of a half are alike, so there are two numbers for
// each coordinate j: w, which begins at -r, and u, which begins at r, with r = R / sqrt(d). The
// output is N(e_j) = h v (s(w) - s(u)), and an update on e_j adds eta v to w (alpha eta v while w <
// 0) and takes eta v from u (alpha eta v once u < 0); other coordinates stay. N >= 1 needs h v s(w)
// >= 1/2 or -h v s(u) >= 1/2, that is w >= 1 / (2 h v) or u <= -1 / (2 alpha h v).
//
// w: as long as w < 0 an update adds alpha eta v, so w >= 0 takes r / (alpha eta v) updates at
// least. It is then below alpha eta v, for the last of them began below 0. From there an update
// adds eta v, so max(1 / (2 h v) - alpha eta v, 0) / (eta v) more are needed: of all d coordinates
//   B1 = d (r / (alpha eta v) + max(1 / (2 eta h v^2) - alpha, 0))
//      = R ||w*|| / (eta v alpha) + max(||w*||^2 / (2 eta h v^2) - alpha ||w*||^2, 0).
// The theorem prints min for max, with which the second term would be a negative one where it says
// nothing, and alpha ||w*||; the proof ends with alpha ||w*||^2, and with min likewise.
//
// u: u < 0 takes r / (eta v) updates at least, and is then not below -eta v; from there an update
// takes alpha eta v, so max(1 / (2 alpha h v) - eta v, 0) / (alpha eta v) more are needed:
//   B2 = R ||w*|| / (eta v) + max(||w*||^2 / (2 alpha^2 eta h v^2) - ||w*||^2 / alpha, 0).
//
// And N <= 0 at the start, so every one of the d = ||w*||^2 samples needs an update.
double ww_brutzkus_update_lower_bound(const ww_brutzkus_setting *setting, int64_t dimension)
{
    const double d = (double)dimension;
    const double v = setting->output_size;
    const double alpha = setting->slope;
    const double step = setting->rate * v;
    const double start = setting->radius * sqrt(d);
    const double rest = d / (2.0 * step * setting->half_width * v);
    const double by_first = start / (step * alpha) + fmax(rest - alpha * d, 0.0);
    const double by_second = start / step + fmax(rest / (alpha * alpha) - d / alpha, 0.0);
    return fmax(fmin(by_first, by_second), d);
}

double ww_brutzkus_norm_bound(const ww_brutzkus_setting *setting, double start, double updates)
{
    const double step = setting->rate * setting->largest_ratio * setting->output_size;
    const double square = step * setting->input_norm * step * setting->input_norm;
    return sqrt(start * start +
                updates * (2.0 * setting->half_width * square + 2.0 * setting->rate));
}

double ww_brutzkus_alignment_bound(const ww_brutzkus_setting *setting, double start, double updates)
{
    // Where an output weight has lost its sign, an update may lead away from W* as far as w*
    // reaches.
    if (setting->least_ratio < 0.0)
        return -(double)INFINITY;
    return start + 2.0 * setting->half_width * setting->rate * setting->least_ratio *
                       setting->output_size * setting->slope * updates;
}

double ww_brutzkus_compression_bound(int64_t samples, double updates, double unused_error,
                                     double failure_probability)
{
    const double n = (double)samples;
    if (!(n >= 2.0 * updates))
        return (double)NAN;
    const double share = 4.0 * updates * log(n / failure_probability) / n;
    return unused_error + sqrt(unused_error * share) + 2.0 * share;
}

double ww_brutzkus_compression_bound_at_rest(int64_t samples, double updates,
                                             double failure_probability)
{
    return ww_brutzkus_compression_bound(samples, updates, 0.0, failure_probability);
}

double ww_brutzkus_success_probability(double half_width, int64_t dimension)
{
    return exp((double)dimension * log1p(-exp2(-half_width)));
}

double ww_brutzkus_units_failure(int64_t dimension, double failure_probability)
{
    return log2((double)dimension / -log(failure_probability));
}

double ww_brutzkus_units_success(int64_t dimension, double failure_probability)
{
    return log2(2.0 * (double)dimension / failure_probability);
}

double ww_brutzkus_units_success_proof(int64_t dimension, double failure_probability)
{
    return log2((double)dimension / failure_probability);
}

// Updates of one coordinate after which its loss is 0, were they not whole: an active unit of the
// right half has gained 1 / v, which alone gives the output 1, and no unit of the other half, which
// began at C at most and loses eta v with every update while it is above 0, is left above 0.
static double updates_of_coordinate(const ww_brutzkus_setting *setting, double largest_weight)
{
    return fmax(largest_weight, 1.0 / setting->output_size) /
           (setting->rate * setting->output_size);
}

double ww_brutzkus_iteration_cap(const ww_brutzkus_setting *setting, int64_t dimension,
                                 double largest_weight)
{
    return ceil((double)dimension * updates_of_coordinate(setting, largest_weight));
}

double ww_brutzkus_iteration_cap_whole(const ww_brutzkus_setting *setting, int64_t dimension,
                                       double largest_weight)
{
    return (double)dimension * ceil(updates_of_coordinate(setting, largest_weight));
}
