// Seconds of a step of an engine, by hand: mpirun -n R bench_engine WIDTH DIMENSION SAMPLES OUTPUTS
// TURNS [SETTING...]. Labels are random; a turn are the steps whose batches have 128 samples
// together, or one; the fastest counts, and of their processor time the least. Settings are those
// of the program, as training.batch=16; sample-groups=G is its option --sample-groups.

#include "widthwise/clock.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERANDS = 5, FIXED_SETTINGS = 4, MOST_SETTINGS = 24, SETTING_SIZE = 64 };

static void stop_at(ww_status status, const ww_error *error)
{
    if (status == WW_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

// Inputs of the unit sphere, labels that nothing can be learned from.
static void make_data(ww_dataset *data, int64_t samples, int64_t dimension, int64_t outputs)
{
    *data = (ww_dataset){.dimension = dimension,
                         .classes = outputs > 1 ? outputs : 2,
                         .outputs = outputs,
                         .components = 1,
                         .has_targets = true,
                         .train = {.count = samples}};
    ww_samples *train = &data->train;
    train->inputs = calloc((size_t)(samples * dimension), sizeof(double));
    train->labels = calloc((size_t)samples, sizeof(int64_t));
    train->targets = calloc((size_t)(samples * outputs), sizeof(double));
    uint64_t seed = 1;
    for (int64_t s = 0; s < samples; s++) {
        double norm = 0.0;
        double *x = train->inputs + s * dimension;
        for (int64_t j = 0; j < dimension; j++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            x[j] = (double)(seed >> 40) / (double)(1 << 24) - 0.5;
            norm += x[j] * x[j];
        }
        for (int64_t j = 0; j < dimension; j++)
            x[j] /= sqrt(norm);
        train->labels[s] = (int64_t)(seed >> 33) % data->classes;
        for (int64_t j = 0; j < outputs; j++)
            train->targets[s * outputs + j] = (j == train->labels[s]) ? 1.0 : -1.0;
    }
}

// Steps that are timed together: engines that work ahead do so for as many as this, or a part of
// it.
static int64_t steps_together(const ww_problem *problem)
{
    enum { MOST_SAMPLES = 128 };
    return problem->batch < MOST_SAMPLES ? MOST_SAMPLES / problem->batch : 1;
}

static void make_steps(ww_engine *engine, int64_t steps)
{
    for (int64_t step = 0; step < steps; step++) {
        int64_t requests = 0;
        double loss = 0.0;
        ww_error error = {0};
        stop_at(ww_engine_step(engine, 0, &requests, &loss, &error), &error);
    }
}

static void time_steps(const ww_problem *problem, int64_t turns)
{
    ww_engine *engine = NULL;
    ww_error error = {0};
    const int64_t steps = steps_together(problem);
    stop_at(ww_engine_create(problem, &engine, &error), &error);
    double best = HUGE_VAL;
    double least = HUGE_VAL;
    make_steps(engine, steps); // the first has no update to make
    for (int64_t turn = 0; turn < turns; turn++) {
        MPI_Barrier(problem->parallel->communicator);
        const double used = ww_processor_seconds();
        const double began = ww_seconds();
        make_steps(engine, steps);
        const double seconds = (ww_seconds() - began) / (double)steps;
        const double processor = (ww_processor_seconds() - used) / (double)steps;
        best = seconds < best ? seconds : best;
        least = processor < least ? processor : least;
    }
    char engine_text[64];
    ww_engine_describe(problem, engine_text, sizeof engine_text);
    if (problem->parallel->rank == 0)
        printf("%s: step %.6f s, processor %.6f s, flops %.4g on %d ranks\n", engine_text, best,
               least, ww_engine_cost_of(problem).step_flops, problem->parallel->size);
    ww_engine_free(engine);
}

int main(int count, char **words)
{
    if (count <= OPERANDS) {
        fprintf(stderr, "bench_engine WIDTH DIMENSION SAMPLES OUTPUTS TURNS [SETTING...]\n");
        return 1;
    }
    MPI_Init(&count, &words);
    ww_parallel parallel;
    ww_error error = {0};
    stop_at(ww_parallel_create(MPI_COMM_WORLD, &parallel, &error), &error);
    ww_dataset data;
    make_data(&data, atoll(words[3]), atoll(words[2]), atoll(words[4]));
    char fixed[FIXED_SETTINGS][SETTING_SIZE];
    const char *settings[MOST_SETTINGS];
    size_t used = 0;
    (void)snprintf(fixed[0], SETTING_SIZE, "network.width=%s", words[1]);
    (void)snprintf(fixed[1], SETTING_SIZE, "data.source=mixture");
    (void)snprintf(fixed[2], SETTING_SIZE, "data.train=%s", words[3]);
    (void)snprintf(fixed[3], SETTING_SIZE, "measure.quantities=[]");
    for (; used < FIXED_SETTINGS; used++)
        settings[used] = fixed[used];
    static const char groups[] = "sample-groups=";
    for (int i = OPERANDS + 1; i < count && used < MOST_SETTINGS; i++)
        if (strncmp(words[i], groups, sizeof groups - 1) == 0)
            parallel.sample_groups = atoi(words[i] + sizeof groups - 1);
        else
            settings[used++] = words[i];
    ww_experiment experiment;
    ww_problem problem;
    stop_at(ww_experiment_parse("", "bench", ".", settings, used, &experiment, &error), &error);
    stop_at(ww_problem_make(&experiment.members[0], &data, &parallel, &problem, &error), &error);
    time_steps(&problem, atoll(words[5]));
    ww_experiment_free(&experiment);
    free(data.train.inputs);
    free(data.train.labels);
    free(data.train.targets);
    ww_parallel_destroy(&parallel);
    MPI_Finalize();
    return 0;
}
