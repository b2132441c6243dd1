// What one configuration asks of the Gram matrix.
#include "widthwise/gram_analysis.h"

#include "widthwise/gram_ranks.h"
#include "widthwise/hash.h"

#include <math.h>
#include <string.h>

ww_status ww_gram_plan_make(const ww_config *config, const ww_dataset *shape, ww_gram_plan *plan,
                            ww_error *error)
{
    *plan = (ww_gram_plan){
        .kernel = {.depth = config->gram.depth,
                   .negative_slope = ww_negative_slope(config),
                   .all_layers = config->gram.gradient == WW_GRAM_ALL_LAYERS},
        .samples = shape->train.count,
        .outputs = ww_dataset_target_columns(shape),
        .test_samples = shape->test.count,
        .has_classes = ww_config_has_classes(config),
        .has_spectrum = config->gram.spectrum != WW_GRAM_SPECTRUM_NONE,
        .has_vectors = config->gram.spectrum == WW_GRAM_SPECTRUM_FULL,
        .block = config->gram.block < shape->train.count ? config->gram.block : shape->train.count,
    };
    // H(0) is a sum over patterns where all output weights have one magnitude, and stands beside
    // the kernel of as many layers.
    plan->has_network = config->gram.network && plan->outputs == 1 && shape->has_targets &&
                        config->gram.depth == 1 && config->network.depth == 1;
    plan->has_set[WW_LABEL_SET_TRAIN] = true;
    plan->has_set[WW_LABEL_SET_TRUE] = (config->gram.labels & WW_GRAM_TRUE) != 0;
    plan->has_set[WW_LABEL_SET_RANDOM] = (config->gram.labels & WW_GRAM_RANDOM) != 0;
    plan->has_set[WW_LABEL_SET_WORST_CASE] =
        (config->gram.labels & WW_GRAM_WORST_CASE) != 0 && plan->outputs == 1;
    ww_gram_plan_list(plan);
    if (!ww_eigensolver_available(config->gram.solver)) {
        char where[512];
        ww_config_where(config, "gram.solver", where, sizeof where);
        return ww_fail(error, WW_USAGE,
                       "%s is elpa, which this program was built without; install ELPA and build "
                       "again, or take scalapack",
                       where);
    }
    return WW_OK;
}

static uint64_t hash_words(const char *name, const int64_t *words, size_t count)
{
    return ww_hash_block(words, count * sizeof *words, ww_hash_name(name), 0);
}

uint64_t ww_gram_spectrum_key(const ww_gram_plan *plan, const ww_dataset *data)
{
    int64_t slope = 0;
    memcpy(&slope, &plan->kernel.negative_slope, sizeof slope);
    const int64_t words[] = {plan->kernel.depth, plan->kernel.all_layers, slope, plan->samples,
                             data->dimension};
    return hash_words("gram/kernel", words, sizeof words / sizeof words[0]) +
           ww_hash_rows("gram/inputs", data->train.inputs, plan->samples,
                        (size_t)data->dimension * sizeof *data->train.inputs);
}

uint64_t ww_gram_key(const ww_gram_plan *plan, const ww_config *config, const ww_dataset *data)
{
    int64_t words[9 + WW_LABEL_SETS] = {(int64_t)ww_gram_spectrum_key(plan, data),
                                        (int64_t)data->hash,
                                        plan->has_spectrum,
                                        plan->has_network,
                                        plan->has_vectors,
                                        config->seeds.data,
                                        config->seeds.weights,
                                        config->network.width,
                                        config->data.labels.worst_case_norm};
    for (int set = 0; set < WW_LABEL_SETS; set++)
        words[9 + set] = plan->has_set[set];
    return hash_words("gram/results", words, sizeof words / sizeof words[0]);
}

double ww_worst_case_scale(const ww_config *config, int64_t samples)
{
    return config->data.labels.worst_case_norm == WW_WORST_CASE_ONE ? 1.0 : sqrt((double)samples);
}

ww_status ww_gram_worst_case(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, double *targets, ww_worst_case *found,
                             ww_error *error)
{
    ww_gram_plan plan;
    WW_TRY(ww_agree(parallel, ww_gram_plan_make(config, data, &plan, error), error));
    ww_gram_limit limit = {.kernel = &plan.kernel,
                           .inputs = data->train.inputs,
                           .count = data->train.count,
                           .dimension = data->dimension};
    ww_grid grid;
    WW_TRY(ww_gram_grid_create(config, plan.samples, parallel, &grid, error));
    ww_gram_solution solution;
    const ww_status status = ww_gram_solve(ww_gram_limit_fill, &limit, &grid, plan.samples,
                                           WW_SOLVE_BLOCK, NULL, 0, &solution, error);
    if (status == WW_OK) {
        const double scale = ww_worst_case_scale(config, plan.samples);
        for (int64_t i = 0; i < plan.samples; i++)
            targets[i] = scale * solution.least_vector[i];
        *found = (ww_worst_case){.lambda_min = solution.least,
                                 .lambda_max = solution.greatest,
                                 .residual = solution.least_residual,
                                 .is_singular = !solution.positive_definite};
        ww_gram_solution_free(&solution);
    }
    ww_grid_free(&grid);
    return status;
}
