#include "app/start.h"

#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool is_of_file(const ww_config *config)
{
    return config->network.start == WW_START_FILE;
}

static ww_start_source source_of(const ww_config *config, const ww_dataset *shape)
{
    return (ww_start_source){.path = config->network.start_file,
                             .index = config->network.start_run,
                             .width = config->network.width,
                             .dimension = shape->dimension,
                             .outputs = shape->outputs};
}

static ww_status name_key(const ww_config *config, ww_status status, ww_error *error)
{
    char where[512];
    if (status == WW_OK)
        return WW_OK;
    ww_config_where(config, "network.start_file", where, sizeof where);
    ww_error_prefix(error, "%s: ", where);
    return status;
}

// From the run's own record where it has one, else from the other file.
static ww_status read_weights(const char *path, int64_t index, const ww_problem *problem,
                              ww_app_start *start, ww_error *error)
{
    const ww_start_source other = source_of(problem->config, problem->data);
    ww_start_source own = other;
    own.path = path;
    own.index = index;
    const ww_start_target target = {.tiling = &problem->tiling,
                                    .hidden_weights = start->hidden,
                                    .output_weights = start->output};
    ww_start_found found = WW_START_NONE;
    WW_TRY(ww_store_read_recorded_start(&own, &target, problem->parallel, &found, error));
    if (found == WW_START_WHOLE)
        return WW_OK;
    const ww_status status = name_key(
        problem->config, ww_store_read_start(&other, &target, problem->parallel, error), error);
    if (status != WW_OK && found == WW_START_DAMAGED)
        ww_error_prefix(error,
                        "%s: the initial weights of run%04lld fail their checksum, and are to be "
                        "read again: ",
                        path, (long long)index);
    return status;
}

static ww_status build_weights(const ww_problem *problem, ww_app_start *start, ww_error *error)
{
    ww_construction *built = &start->built;
    WW_TRY(ww_construct(problem->config, problem->data, problem->parallel, built, error));
    ww_construction_rows(built, problem->tiling.width, problem->tiling.first_unit,
                         problem->tiling.local_units, start->hidden);
    free(built->positive);
    free(built->negative);
    built->positive = built->negative = NULL;
    return WW_OK;
}

ww_status ww_app_start_make(const char *path, int64_t index, const ww_problem *problem,
                            ww_app_start *start, ww_error *error)
{
    *start = (ww_app_start){.hidden = NULL};
    const ww_config *config = problem->config;
    if (config->network.start == WW_START_DRAWN)
        return WW_OK;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const char *what = "the weights to begin with";
    ww_status status = WW_OK;
    start->hidden = ww_allocate(units, d * sizeof *start->hidden, what, error);
    if (is_of_file(config))
        start->output = ww_allocate(units, k * sizeof *start->output, what, error);
    if (start->hidden == NULL || (is_of_file(config) && start->output == NULL))
        status = WW_FAILED;
    WW_TRY(ww_agree(problem->parallel, status, error));
    return is_of_file(config) ? read_weights(path, index, problem, start, error)
                              : build_weights(problem, start, error);
}

void ww_app_start_free(ww_app_start *start)
{
    free(start->hidden);
    free(start->output);
    ww_construction_free(&start->built);
    *start = (ww_app_start){.hidden = NULL};
}

void ww_app_start_give(const ww_app_start *start, ww_problem *problem)
{
    problem->initial.hidden = start->hidden;
    problem->initial.output = start->output;
}

void ww_app_start_describe(const ww_app_start *start, const ww_problem *problem, char *text,
                           size_t size)
{
    const ww_construction *built = &start->built;
    const long long width = (long long)problem->tiling.width;
    const int64_t samples = built->silent + built->samples;
    text[0] = '\0';
    if (problem->config->network.start == WW_START_LOCAL_MINIMUM && built->samples == 0)
        (void)snprintf(
            text, size,
            "built a local minimum with %lld units: none is active on %s, so the loss is "
            "1 and there is no margin (best of %lld directions)",
            width, samples == 1 ? "the one train sample" : "any train sample",
            (long long)built->attempts);
    else if (problem->config->network.start == WW_START_LOCAL_MINIMUM)
        (void)snprintf(
            text, size,
            "built a local minimum with %lld units: none is active on %lld of %lld train "
            "samples, on the others the smallest margin is %.6g (best of %lld directions)",
            width, (long long)built->silent, (long long)samples, built->least_margin,
            (long long)built->attempts);
    else if (ww_is_built(problem->config))
        (void)snprintf(text, size,
                       "built weights that fit %lld samples, with %lld of %lld units: largest "
                       "|N(x) - y| %.3g, smallest margin 1 + %.3g (%lld grouping%s)",
                       (long long)built->samples, 2 * (long long)built->rows, width,
                       built->deviation, built->least_margin - 1.0, (long long)built->attempts,
                       built->attempts == 1 ? "" : "s");
}

// The new file may not take the place of the one it begins with.
static ww_status check_place(const char *path, const ww_config *config, ww_error *error)
{
    struct stat ours;
    struct stat other;
    if (stat(path, &ours) != 0 || stat(config->network.start_file, &other) != 0 ||
        ours.st_ino != other.st_ino || ours.st_dev != other.st_dev)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "it is %s, which this run would be written to; choose another name with -o",
                   path);
}

ww_status ww_app_start_check(const char *path, const ww_config *config, const ww_dataset *shape,
                             const ww_dataset *data, const ww_parallel *parallel, ww_error *error)
{
    if (is_of_file(config)) {
        const ww_start_source source = source_of(config, shape);
        ww_status status = parallel->rank == 0 ? check_place(path, config, error) : WW_OK;
        status = ww_agree(parallel, status, error);
        if (status == WW_OK)
            status = ww_store_check_start(&source, parallel, error);
        return name_key(config, status, error);
    }
    int64_t width = 0;
    if (!ww_is_built(config) || data == NULL)
        return WW_OK;
    WW_TRY(ww_construct_width(config, data, parallel, &width, error));
    return ww_construct_check_width(config, width, error);
}

int64_t ww_app_start_bytes(const ww_problem *problem)
{
    const int64_t units = problem->tiling.local_units;
    const int64_t value = (int64_t)sizeof(double);
    if (is_of_file(problem->config))
        return units * (problem->dimension + problem->outputs) * value;
    return ww_is_built(problem->config) ? units * problem->dimension * value : 0;
}

int64_t ww_app_start_work_bytes(const ww_problem *problem)
{
    return ww_construct_bytes(problem->config, problem->data, problem->parallel->rank);
}
