/// The course of a small training on some ranks, to be compared with that on others, bit by bit.
#ifndef WIDTHWISE_TESTS_OUTCOME_H
#define WIDTHWISE_TESTS_OUTCOME_H

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/measure.h"
#include "widthwise/memory.h"

#include <string.h>

/// What is trained, and how it is divided.
typedef struct outcome_shape {
    int64_t width, dimension; ///< m is that of the settings
    int64_t train, test, classes;
    int64_t steps, every; ///< records lie so far apart
    int threads, groups;  ///< of the ranks together; one rank alone has one of each
} outcome_shape;

typedef struct outcome {
    double *rows; ///< [records, values]
    int64_t values, records;
    double *weights; ///< [m, d], of the tiles this rank owns; the rest is 0
    double *output;  ///< [m, k] likewise
    double *tally;   ///< as in a checkpoint
    size_t tally_words;
    bool rests;
    int groups; ///< that there were
    double final[256];
} outcome;

enum { OUTCOME_OUTPUTS = 3 };

static inline void outcome_train(MPI_Comm communicator, const outcome_shape *shape,
                                 const char *const *settings, size_t count, outcome *result)
{
    const int64_t d = shape->dimension;
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, communicator, settings, count, shape->train, shape->test, d,
                            shape->classes, &error))
        fail_msg("%s", error.message);
    small.parallel.threads = shape->threads;
    small.parallel.sample_groups = shape->groups;
    assert_int_equal(
        ww_problem_make(small.problem.config, &small.data, &small.parallel, &small.problem, &error),
        WW_OK);
    double *separator = calloc((size_t)d, sizeof *separator);
    double *margins = calloc((size_t)shape->train, sizeof *margins);
    if (small.problem.config->loss == WW_LOSS_HINGE)
        small_separate(&small, separator, margins, false);
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, problem->data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    result->values = ww_measure_values(plan);
    result->records = shape->steps / shape->every + 1;
    result->groups = problem->grid.groups;
    result->rows = calloc((size_t)(result->records * result->values), sizeof(double));
    result->weights = calloc((size_t)(shape->width * d), sizeof(double));
    result->output = calloc((size_t)(shape->width * OUTCOME_OUTPUTS), sizeof(double));
    result->rests = false;
    result->tally_words = ww_engine_carry_words(problem);
    result->tally = calloc(result->tally_words + 1, sizeof(double));
    memset(result->final, 0, sizeof result->final);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    ww_origin *origin = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_origin_create(plan, problem, engine, &origin, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    double carry[16];
    assert_true(ww_measure_carry_count(plan) <= 16);
    ww_measure_carry_start(plan, carry);
    for (int64_t record = 0; record < result->records; record++) {
        while (ww_engine_steps(engine) < record * shape->every) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 1, &requests, &loss, &error), WW_OK);
            assert_int_equal(requests, small.parallel.size);
        }
        assert_int_equal(ww_measure_record(plan, problem, origin, engine, batches, carry,
                                           result->rows + record * result->values, &error),
                         WW_OK);
    }
    assert_true(ww_measure_final_values(plan) <= 256);
    if (ww_measure_finish(plan, problem, origin, engine, carry, NULL, NULL, result->final,
                          &error) != WW_OK)
        fail_msg("%s", error.message);
    for (int64_t i = 0; i < problem->tiling.local_tiles; i++) {
        const int64_t tile = problem->tiling.first_tile + i;
        memcpy(result->weights + tile * problem->tiling.tile_units * d,
               ww_engine_tile(engine, tile),
               (size_t)(ww_tile_size(&problem->tiling, tile) * d) * sizeof(double));
    }
    memcpy(result->output + problem->tiling.first_unit * problem->outputs,
           ww_engine_output_weights(engine),
           (size_t)(problem->tiling.local_units * problem->outputs) * sizeof(double));
    ww_engine_carry_save(engine, result->tally);
    if (ww_engine_tally(engine) != NULL) {
        ww_rest rest = {0};
        assert_true(ww_engine_tally(engine)->updates > 0);
        assert_int_equal(ww_engine_rest(engine, 0, &rest, &error), WW_OK);
        result->rests = rest.rests;
    }
    ww_batches_free(batches);
    ww_origin_free(origin);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
    free(separator);
    free(margins);
}

static inline void outcome_free(outcome *result)
{
    free(result->rows);
    free(result->weights);
    free(result->output);
    free(result->tally);
}

/// Fails unless all ranks together get the same as one rank alone, `alone`. Returns the groups that
/// there were.
static inline int outcome_compare(const outcome_shape *shape, const char *const *settings,
                                  size_t count, const outcome *alone)
{
    outcome together;
    outcome_train(MPI_COMM_WORLD, shape, settings, count, &together);
    const size_t hidden = (size_t)(shape->width * shape->dimension);
    const size_t output = (size_t)(shape->width * OUTCOME_OUTPUTS);
    assert_int_equal(alone->rests, together.rests);
    assert_memory_equal(alone->tally, together.tally, alone->tally_words * sizeof(double));
    assert_int_equal(alone->values, together.values);
    assert_memory_equal(alone->rows, together.rows,
                        (size_t)(alone->records * alone->values) * sizeof(double));
    assert_memory_equal(alone->final, together.final, sizeof alone->final);
    // Every weight is on one rank: adding zeros of the others changes nothing.
    MPI_Allreduce(MPI_IN_PLACE, together.weights, ww_int((int64_t)hidden), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    assert_memory_equal(alone->weights, together.weights, hidden * sizeof(double));
    MPI_Allreduce(MPI_IN_PLACE, together.output, ww_int((int64_t)output), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    assert_memory_equal(alone->output, together.output, output * sizeof(double));
    const int groups = together.groups;
    outcome_free(&together);
    return groups;
}

#endif
