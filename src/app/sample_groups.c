#include "app/sample_groups.h"

#include "widthwise/memory.h"

#include <stdio.h>

static ww_problem problem_of(const ww_app_member *member, const ww_parallel *ranks)
{
    ww_problem problem;
    ww_problem_describe(member->config, &member->shape, ranks, &problem);
    return problem;
}

// Why the samples of a member cannot be divided over that many groups.
static ww_status refuse(const ww_problem *problem, int64_t groups, ww_error *error)
{
    const ww_config *config = problem->config;
    const int64_t sections = problem->sections;
    char engine[64];
    ww_engine_describe(problem, engine, sizeof engine);
    if (config->replicas > 1)
        return ww_fail(
            error, WW_USAGE,
            "--sample-groups %lld: each of the replicas is trained by one rank, so there "
            "is nothing to divide; leave the option out",
            (long long)groups);
    if (config->network.start != WW_START_DRAWN)
        return ww_fail(
            error, WW_USAGE,
            "--sample-groups %lld: samples are not divided where the initial weights are "
            "read or built (network.start); leave the option out",
            (long long)groups);
    if (config->training.method != WW_METHOD_GD)
        return ww_fail(error, WW_USAGE,
                       "--sample-groups %lld: only full batches are divided over groups of ranks, "
                       "and training.method is sgd; leave the option out",
                       (long long)groups);
    if (config->loss == WW_LOSS_HINGE)
        return ww_fail(error, WW_USAGE,
                       "--sample-groups %lld: samples are not divided where the loss is hinge; "
                       "leave the option out",
                       (long long)groups);
    if (ww_engine_choice(problem) != WW_ENGINE_DENSE)
        return ww_fail(error, WW_USAGE,
                       "--sample-groups %lld: samples are divided by the engine dense alone, and "
                       "here it is %s; set training.engine: dense, or leave the option out",
                       (long long)groups, engine);
    return ww_fail(error, WW_USAGE,
                   "--sample-groups %lld: %lld train samples are %lld section%s of %d, which as "
                   "many groups at most can divide; choose fewer",
                   (long long)groups, (long long)problem->data->train.count, (long long)sections,
                   sections == 1 ? "" : "s", WW_SECTION_SAMPLES);
}

ww_status ww_sample_groups_check(const ww_app_members *members, int64_t groups, int64_t ranks,
                                 ww_error *error)
{
    if (groups <= 1)
        return WW_OK;
    if (ranks % groups != 0)
        return ww_fail(error, WW_USAGE,
                       "--sample-groups %lld: %lld rank%s cannot be divided into as many equal "
                       "groups; choose a divisor, or another number of ranks",
                       (long long)groups, (long long)ranks, ranks == 1 ? "" : "s");
    const ww_parallel all = {
        .communicator = MPI_COMM_NULL, .size = ww_int(ranks), .sample_groups = ww_int(groups)};
    ww_status status = WW_OK;
    ww_error first = {0};
    for (size_t i = 0; i < members->count; i++) {
        const ww_app_member *member = &members->list[i];
        if (member->config == NULL) // skipped
            continue;
        const ww_problem problem = problem_of(member, &all);
        if (member->config->replicas == 1 && problem.grid.groups == groups)
            return WW_OK;
        if (status == WW_OK)
            status = refuse(&problem, groups, &first);
    }
    *error = first;
    return status;
}

void ww_sample_groups_text(const ww_problem *problem, char *text, size_t size)
{
    const int groups = problem->grid.groups;
    const int row = problem->parallel->size / groups;
    text[0] = '\0';
    if (groups > 1)
        (void)snprintf(
            text, size, "samples in %d groups of %d rank%s%s", groups, row, row == 1 ? "" : "s",
            problem->data->is_divided ? ", inputs on each node those of its groups alone" : "");
}
