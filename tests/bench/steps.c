// Steps a second of the engines, by hand: bench_steps [dimension [batch [setting...]]]. The hinge
// loss on samples with a hyperplane between them: at first nearly every step changes weights, then
// few do, at rest none.

#include "widthwise/clock.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 3000, SETTINGS = 24 };

static void make_data(ww_dataset *data, int64_t dimension)
{
    *data = (ww_dataset){.dimension = dimension,
                         .classes = 2,
                         .outputs = 1,
                         .components = 1,
                         .has_targets = true,
                         .train = {.count = SAMPLES}};
    ww_samples *train = &data->train;
    train->inputs = calloc((size_t)(SAMPLES * dimension), sizeof(double));
    train->labels = calloc(SAMPLES, sizeof(int64_t));
    train->targets = calloc(SAMPLES, sizeof(double));
    uint64_t seed = 1;
    for (int64_t s = 0; s < SAMPLES; s++) {
        double *x = train->inputs + s * dimension;
        double norm = 0.0;
        train->labels[s] = s % 2;
        train->targets[s] = s % 2 == 0 ? 1.0 : -1.0;
        for (int64_t j = 0; j < dimension; j++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            x[j] = (double)(seed >> 40) / (double)(1 << 24) - 0.5;
            x[j] += 0.08 * train->targets[s] * cos((double)j);
            norm += x[j] * x[j];
        }
        for (int64_t j = 0; j < dimension; j++)
            x[j] /= sqrt(norm);
    }
}

// Microseconds of a step over `steps` steps, and the share of them that changed weights.
static double time_steps(ww_engine *engine, int64_t steps, double *share)
{
    const int64_t before = ww_engine_tally(engine)->updates;
    const double began = ww_processor_seconds();
    for (int64_t i = 0; i < steps; i++) {
        double loss = 0.0;
        int64_t requests = 0;
        ww_error error = {0};
        if (ww_engine_step(engine, 0, &requests, &loss, &error) != WW_OK) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
    }
    *share = (double)(ww_engine_tally(engine)->updates - before) / (double)steps;
    return 1e6 * (ww_processor_seconds() - began) / (double)steps;
}

static void time_engine(const char *engine_setting, int64_t width, int64_t batch,
                        const ww_dataset *data, const ww_parallel *parallel, int more, char **words)
{
    char width_setting[64], batch_setting[64];
    (void)snprintf(width_setting, sizeof width_setting, "network.width=%lld", (long long)width);
    (void)snprintf(batch_setting, sizeof batch_setting, "training.batch=%lld", (long long)batch);
    const char *settings[SETTINGS] = {"model=brutzkus", "data.source=mixture", "data.train=3000",
                                      engine_setting,   width_setting,         batch_setting};
    size_t count = 6;
    for (int i = 0; i < more && count < SETTINGS; i++)
        settings[count++] = words[i];
    ww_experiment experiment;
    ww_problem problem;
    ww_engine *engine = NULL;
    ww_error error = {0};
    if (ww_experiment_parse("", "bench", ".", settings, count, &experiment, &error) != WW_OK ||
        ww_problem_make(&experiment.members[0], data, parallel, &problem, &error) != WW_OK ||
        ww_engine_create(&problem, &engine, &error) != WW_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    printf("%-24s m = %6lld:", engine_setting, (long long)width);
    const int64_t steps = width >= 10000 ? 512 : 3072;
    for (int phase = 0; phase < 4; phase++) {
        double share = 0.0;
        const double time = time_steps(engine, steps, &share);
        printf("  %9.2f us (%3.0f%% update)", time, 100.0 * share);
    }
    printf("\n");
    ww_engine_free(engine);
    ww_experiment_free(&experiment);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const int64_t dimension = count > 1 ? atoll(words[1]) : 784;
    const int64_t batch = count > 2 ? atoll(words[2]) : 1;
    ww_parallel parallel;
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_SELF, &parallel, &error) != WW_OK)
        return 1;
    ww_dataset data;
    make_data(&data, dimension);
    static const int64_t widths[] = {10, 32, 64, 100, 200, 1000, 10000};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        static const char *const engines[] = {"training.engine=dense", "training.engine=window",
                                              "training.engine=samples"};
        for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++)
            time_engine(engines[e], widths[i], batch, &data, &parallel, count - 3, words + 3);
    }
    free(data.train.inputs);
    free(data.train.labels);
    free(data.train.targets);
    ww_parallel_destroy(&parallel);
    MPI_Finalize();
    return 0;
}
