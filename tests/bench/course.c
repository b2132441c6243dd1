// Seconds of a step on the average of a course of training, by hand: mpirun -n R bench_course STEPS
// SKIPPED TOLD [SETTING...]. Data, start and engine are those of the settings, as the program has
// them. Told are the seconds that making the engine takes, which draws the weights; of a step, on
// the average of all STEPS but the first SKIPPED; and the loss before step TOLD, which is the same
// for all engines but for rounding.

#include "widthwise/clock.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 1, SKIPPED, TOLD, OPERANDS = TOLD, MOST_SETTINGS = 40 };

typedef struct course {
    int64_t steps, skipped, told;
} course;

typedef struct moment {
    double wall, processor;
} moment;

static void stop_at(ww_status status, const ww_error *error)
{
    if (status == WW_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

// Once all ranks are there.
static moment now(const ww_problem *problem)
{
    MPI_Barrier(problem->parallel->communicator);
    return (moment){.wall = ww_seconds(), .processor = ww_processor_seconds()};
}

static moment since(moment began, const ww_problem *problem)
{
    const moment end = now(problem);
    return (moment){.wall = end.wall - began.wall, .processor = end.processor - began.processor};
}

static void follow(const ww_problem *problem, course of)
{
    ww_engine *engine = NULL;
    ww_error error = {0};
    moment began = now(problem);
    stop_at(ww_engine_create(problem, &engine, &error), &error);
    const moment start = since(began, problem);
    double told = NAN;
    for (int64_t step = 0; step < of.steps; step++) {
        if (step == 0 || step == of.skipped)
            began = now(problem);
        int64_t requests = 0;
        double loss = 0.0;
        stop_at(ww_engine_step(engine, 0, &requests, &loss, &error), &error);
        told = step == of.told ? loss : told;
    }
    const moment whole = since(began, problem);
    const double steps = (double)(of.steps - of.skipped);
    char engine_text[64];
    ww_engine_describe(problem, engine_text, sizeof engine_text);
    if (problem->parallel->rank == 0)
        printf("%s: start %.6f s, processor %.6f s; step %.9f s, processor %.9f s; loss %.15g\n",
               engine_text, start.wall, start.processor, whole.wall / steps,
               whole.processor / steps, told);
    ww_engine_free(engine);
}

int main(int count, char **words)
{
    if (count <= OPERANDS || count - OPERANDS - 1 > MOST_SETTINGS) {
        fprintf(stderr, "bench_course STEPS SKIPPED TOLD [SETTING...], of these at most %d\n",
                MOST_SETTINGS);
        return 1;
    }
    const course of = {atoll(words[STEPS]), atoll(words[SKIPPED]), atoll(words[TOLD])};
    if (of.skipped < 0 || of.skipped >= of.steps || of.told < 0 || of.told >= of.steps) {
        fprintf(stderr, "bench_course: SKIPPED and TOLD are from 0 to STEPS - 1\n");
        return 1;
    }
    MPI_Init(&count, &words);
    ww_parallel parallel;
    ww_experiment experiment;
    ww_dataset data;
    ww_problem problem;
    ww_error error = {0};
    stop_at(ww_parallel_create(MPI_COMM_WORLD, &parallel, &error), &error);
    stop_at(ww_experiment_parse("", "bench", ".", (const char *const *)words + OPERANDS + 1,
                                (size_t)(count - OPERANDS - 1), &experiment, &error),
            &error);
    const ww_config *config = &experiment.members[0];
    stop_at(ww_dataset_load(config, &parallel, &data, &error), &error);
    stop_at(ww_problem_make(config, &data, &parallel, &problem, &error), &error);
    stop_at(ww_engine_check(&problem, &error), &error);
    follow(&problem, of);
    ww_dataset_free(&data);
    ww_experiment_free(&experiment);
    ww_parallel_destroy(&parallel);
    MPI_Finalize();
    return 0;
}
