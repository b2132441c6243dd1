#include "app/conditions.h"

#include "app/deep_conditions.h"
#include "widthwise/construct.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"
#include "widthwise/theory.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_KERNEL_SAMPLES = 1024, MOST_PAIR_SAMPLES = 4096 };

// Whether outputs that grow with the input, as those of a network without bias do, fit two samples
// of one direction, up to rounding.
static bool fits_both(const ww_dataset *data, int64_t a, int64_t b)
{
    static const double ROUNDING = 1e-12;
    const int64_t d = data->dimension, k = data->outputs;
    const double norm_a = ww_norm(data->train.inputs + a * d, d);
    const double norm_b = ww_norm(data->train.inputs + b * d, d);
    for (int64_t j = 0; j < k; j++) {
        const double at_a = data->train.targets[a * k + j] * norm_b;
        const double at_b = data->train.targets[b * k + j] * norm_a;
        if (fabs(at_a - at_b) > ROUNDING * (fabs(at_a) + fabs(at_b)))
            return false;
    }
    return true;
}

// For data without classes, some samples of which coincide.
static ww_status check_contradicting_targets(const ww_dataset *data, FILE *report, int *count,
                                             ww_error *error)
{
    ww_line *lines = ww_allocate((size_t)data->train.count, sizeof *lines,
                                 "a search for samples that coincide", error);
    if (lines == NULL)
        return WW_FAILED;
    const ww_status status =
        ww_lines_find(&data->train, 1, data->dimension, WW_SAME_DIRECTION, lines, error);
    for (int64_t s = 0; s < data->train.count && status == WW_OK; s++) {
        if (fits_both(data, lines[s].direction, s))
            continue;
        ++*count;
        fprintf(report,
                "  contradicting targets: train samples %lld and %lld coincide, and their targets "
                "differ;\n"
                "    no network without bias fits both, so the train loss stays above 0\n",
                (long long)lines[s].direction, (long long)s);
        break;
    }
    free(lines);
    return status;
}

static ww_status check_coincidence(const ww_dataset *data, FILE *report, int *count,
                                   ww_error *error)
{
    ww_coincidence found;
    WW_TRY(ww_coincidence_find(&data->train, data->dimension, &found, error));
    if (found.zeros > 0) {
        ++*count;
        fprintf(
            report,
            "  zero samples: %lld of %lld train samples are zero vectors (first %lld, from 0);\n"
            "    the Gram matrix H is singular, and no network without bias gives them a label\n",
            (long long)found.zeros, (long long)data->train.count, (long long)found.first_zero);
    }
    if (found.samples == 0)
        return WW_OK;
    ++*count;
    fprintf(report,
            "  coincident samples: %lld of %lld train samples have the direction of another (first "
            "%lld and %lld, from 0);\n"
            "    the Gram matrix H is singular, where AR theorem 4.1 and ZG assumption 3.2 ask for "
            "distinct samples\n",
            (long long)found.samples, (long long)data->train.count, (long long)found.first,
            (long long)found.second);
    if (data->classes == 1)
        return check_contradicting_targets(data, report, count, error);
    if (found.unlike[0] < 0)
        return WW_OK;
    ++*count;
    fprintf(report,
            "  contradicting labels: train samples %lld and %lld coincide and are of classes %lld "
            "and %lld;\n"
            "    no network without bias fits both, so the train loss stays above 0\n",
            (long long)found.unlike[0], (long long)found.unlike[1],
            (long long)data->train.labels[found.unlike[0]],
            (long long)data->train.labels[found.unlike[1]]);
    return WW_OK;
}

static ww_status check_step_size(const ww_config *config, const ww_dataset *data, FILE *report,
                                 int *count, ww_error *error)
{
    double curvature = 0.0;
    WW_TRY(ww_theory_curvature(config, data, MOST_KERNEL_SAMPLES, &curvature, error));
    const double rate = ww_config_learning_rate(config, data->outputs);
    if (!(rate * curvature > 2.0))
        return WW_OK;
    ++*count;
    fprintf(report,
            "  step size: eta = %.4g is %.3g times 2 / lambda_max = %.4g, where lambda_max is the "
            "largest curvature that\n"
            "    the train loss can have at the start (kernel of the infinite network",
            rate, rate * curvature / 2.0, 2.0 / curvature);
    if (data->train.count > MOST_KERNEL_SAMPLES)
        fprintf(report, ", from %d of %lld samples", MOST_KERNEL_SAMPLES,
                (long long)data->train.count);
    fprintf(report, "); the loss may rise before it falls\n");
    return WW_OK;
}

static ww_status check_separation(const ww_dataset *data, FILE *report, int *count, ww_error *error)
{
    if (data->train.count > MOST_PAIR_SAMPLES) {
        ++*count;
        fprintf(report,
                "  separation (LL A1): not looked at, for more than %d samples; measure.final: "
                "[separation] does\n",
                MOST_PAIR_SAMPLES);
        return WW_OK;
    }
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_separation found;
    WW_TRY(ww_separation_measure(&data->train, data->dimension, data->components, &alone, &found,
                                 error));
    if (!(found.lambda > found.lambda_limit))
        return WW_OK;
    ++*count;
    fprintf(report,
            "  separation (LL A1): lambda = diameter / delta = %.3g / %.3g = %.3g, above 1 / (8 l) "
            "= %.3g:\n"
            "    the components are wider, or closer to other classes, than the theorem asks\n",
            found.diameter, found.delta, found.lambda, found.lambda_limit);
    return WW_OK;
}

// Says that no separator of the train set was found, where one was looked for; else "".
static void describe_separator(const ww_dataset *data, char *text, size_t size)
{
    const ww_separator *separator = &data->separator;
    text[0] = '\0';
    if (!separator->sought || isfinite(separator->upper))
        return;
    char known[64] = "and there is none";
    if (isfinite(separator->lower))
        (void)snprintf(known, sizeof known, "||w*|| would be %.3g at least", separator->lower);
    (void)snprintf(text, size,
                   "no hyperplane through 0 was found that separates the train set (%s)", known);
}

// The separator that all bounds of Brutzkus et al. rest on.
static void check_separable(const ww_dataset *data, FILE *report, int *count)
{
    char text[256];
    describe_separator(data, text, sizeof text);
    if (text[0] == '\0')
        return;
    ++*count;
    fprintf(report,
            "  linear separability (BR section 2): %s;\n"
            "    the bounds of BR on updates and on errors do not apply\n",
            text);
}

ww_status ww_conditions_warn(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, ww_progress *progress, ww_error *error)
{
    char text[256];
    describe_separator(data, text, sizeof text);
    if (text[0] != '\0' && !ww_is_built(config)) // which may fit all labels as it is
        ww_progress_warn(
            progress,
            "warning: %s: training may go on to its last step (training.steps: %lld) "
            "without coming to rest, and the bounds of Brutzkus et al. 2018 do not apply",
            text, (long long)config->training.steps);
    ww_deep_conditions found;
    WW_TRY(ww_deep_conditions_find(config, data, true, parallel, &found, error));
    for (size_t i = 0; i < found.count; i++)
        ww_progress_warn(progress, "warning: %s", found.lines[i]);
    return WW_OK;
}

static ww_status check_deep(const ww_config *config, const ww_dataset *data, FILE *report,
                            int *count, ww_error *error)
{
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_deep_conditions found;
    WW_TRY(ww_deep_conditions_find(config, data, false, &alone, &found, error));
    for (size_t i = 0; i < found.count; i++)
        fprintf(report, "  %s\n", found.lines[i]);
    *count += (int)found.count;
    return WW_OK;
}

ww_status ww_conditions_print(const ww_config *config, const ww_dataset *data, FILE *report,
                              int *count, ww_error *error)
{
    *count = 0;
    WW_TRY(check_step_size(config, data, report, count, error));
    WW_TRY(check_coincidence(data, report, count, error));
    check_separable(data, report, count);
    WW_TRY(check_deep(config, data, report, count, error));
    // What Li & Liang ask of their data is nothing to the other papers.
    return config->model == WW_MODEL_LI_LIANG ? check_separation(data, report, count, error)
                                              : WW_OK;
}
