#include "app/recorded_problem.h"

#include "widthwise/store.h"

ww_status ww_recorded_problem_read(const char *path, int64_t index, const ww_config *config,
                                   ww_recorded_problem *recorded, ww_error *error)
{
    static const char *const names[] = {"dimension", "train_samples", "outputs"};
    int64_t values[3] = {0};
    WW_TRY(ww_store_read_facts(path, index, names, 3, values, error));
    *recorded = (ww_recorded_problem){
        .alone = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 1},
        .shape = {.dimension = values[0], .train = {.count = values[1]}, .outputs = values[2]}};
    ww_problem_describe(config, &recorded->shape, &recorded->alone, &recorded->problem);
    return WW_OK;
}
