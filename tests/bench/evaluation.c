// What a record takes beside the rate of square products, by hand: mpirun -n R bench_evaluation
// WIDTH DIMENSION SAMPLES OUTPUTS ROUNDS [SETTING...]. As many samples train as test; weights are
// those of a few steps. Rounds go through square products of 2048 and the records of every set of
// quantities in turn; of each the processor time is told, median (least to most), and the share of
// the rate of the products of the same round that the record's own products are made with: outputs
// of all samples, 2 m n (d + k) additions and multiplications, whatever else a record does beside
// them.

#include "widthwise/clock.h"
#include "widthwise/measure.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPERANDS = 5,
    FIXED_SETTINGS = 4,
    MOST_SETTINGS = 24,
    SETTING_SIZE = 96,
    SETS = 3,
    WAYS = SETS + 1, // the products of the machine first
    MOST_ROUNDS = 99,
    SQUARE = 2048,
    STEPS = 2
};

static const char *const quantity_sets[SETS] = {
    "measure.quantities=[loss, train_accuracy, test_accuracy]",
    "measure.quantities=[loss, test_accuracy, coupling]",
    "measure.quantities=[loss, test_accuracy, coupling, distance]",
};

static void stop_at(ww_status status, const ww_error *error)
{
    if (status == WW_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static double next_uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (double)(*seed >> 40) / (double)(1 << 24) - 0.5;
}

// Inputs of the unit sphere, labels that nothing can be learned from.
static void make_samples(ww_samples *set, const ww_dataset *data, int64_t count, uint64_t seed)
{
    const int64_t d = data->dimension, k = data->outputs;
    set->count = count;
    set->inputs = calloc((size_t)(count * d), sizeof(double));
    set->labels = calloc((size_t)count, sizeof(int64_t));
    set->components = calloc((size_t)count, sizeof(int64_t));
    set->targets = calloc((size_t)(count * k), sizeof(double));
    for (int64_t s = 0; s < count; s++) {
        double norm = 0.0;
        double *x = set->inputs + s * d;
        for (int64_t j = 0; j < d; j++) {
            x[j] = next_uniform(&seed);
            norm += x[j] * x[j];
        }
        for (int64_t j = 0; j < d; j++)
            x[j] /= sqrt(norm);
        set->labels[s] = (int64_t)(seed >> 33) % data->classes;
        for (int64_t j = 0; j < k; j++)
            set->targets[s * k + j] = (j == set->labels[s]) ? 1.0 : -1.0;
    }
}

static void free_samples(ww_samples *set)
{
    free(set->inputs);
    free(set->labels);
    free(set->components);
    free(set->targets);
}

// One set of quantities, with an engine of its own.
typedef struct way {
    ww_experiment experiment;
    ww_problem problem;
    ww_measure_plan *plan;
    ww_engine *engine;
    ww_batches *batches;
    ww_origin *origin;
    double *carry, *values;
} way;

static void make_way(way *self, const char *quantities, char **words, int count,
                     const ww_dataset *data, const ww_parallel *parallel)
{
    char fixed[FIXED_SETTINGS][SETTING_SIZE];
    const char *settings[MOST_SETTINGS];
    ww_error error = {0};
    (void)snprintf(fixed[0], SETTING_SIZE, "network.width=%s", words[1]);
    (void)snprintf(fixed[1], SETTING_SIZE, "data.source=mixture");
    (void)snprintf(fixed[2], SETTING_SIZE, "data={train: %s, test: %s}", words[3], words[3]);
    (void)snprintf(fixed[3], SETTING_SIZE, "%s", quantities);
    size_t used = 0;
    for (; used < FIXED_SETTINGS; used++)
        settings[used] = fixed[used];
    for (int i = OPERANDS + 1; i < count && used < MOST_SETTINGS; i++)
        settings[used++] = words[i];
    stop_at(ww_experiment_parse("", "bench", ".", settings, used, &self->experiment, &error),
            &error);
    const ww_config *config = &self->experiment.members[0];
    stop_at(ww_problem_make(config, data, parallel, &self->problem, &error), &error);
    stop_at(ww_measure_plan_make(config, data, &self->plan, &error), &error);
    stop_at(ww_engine_create(&self->problem, &self->engine, &error), &error);
    stop_at(ww_origin_create(self->plan, &self->problem, self->engine, &self->origin, &error),
            &error);
    stop_at(ww_batches_create(&self->problem, &self->batches, &error), &error);
    self->carry = calloc(ww_measure_carry_count(self->plan) + 1, sizeof(double));
    self->values = calloc((size_t)ww_measure_values(self->plan) + 1, sizeof(double));
    ww_measure_carry_start(self->plan, self->carry);
    for (int step = 0; step < STEPS; step++) {
        int64_t requests = 0;
        double loss = 0.0;
        stop_at(ww_engine_step(self->engine, 0, &requests, &loss, &error), &error);
    }
}

static void free_way(way *self)
{
    free(self->carry);
    free(self->values);
    ww_batches_free(self->batches);
    ww_origin_free(self->origin);
    ww_engine_free(self->engine);
    ww_measure_plan_free(self->plan);
    ww_experiment_free(&self->experiment);
}

static void make_record(way *self)
{
    ww_error error = {0};
    stop_at(ww_measure_record(self->plan, &self->problem, self->origin, self->engine, self->batches,
                              self->carry, self->values, &error),
            &error);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void say(const char *what, const char *unit, double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    printf("  %-66s %7.4g (%.4g to %.4g) %s\n", what, values[count / 2], values[0],
           values[count - 1], unit);
}

static void report(const way *ways, double seconds[WAYS][MOST_ROUNDS], int rounds)
{
    const double square = 2.0 * SQUARE * (double)SQUARE * SQUARE;
    double rates[MOST_ROUNDS] = {0.0};
    for (int round = 0; round < rounds; round++)
        rates[round] = 1e-9 * square / seconds[0][round];
    for (int set = 0; set < SETS; set++) {
        const ww_problem *problem = &ways[set].problem;
        const double flops = 2.0 * (double)problem->tiling.local_units *
                             (double)(problem->data->train.count + problem->data->test.count) *
                             (double)(problem->dimension + problem->outputs);
        double shares[MOST_ROUNDS] = {0.0};
        for (int round = 0; round < rounds; round++)
            shares[round] = 100.0 * (flops / seconds[set + 1][round]) / (1e9 * rates[round]);
        say(quantity_sets[set], "% of that rate", shares, rounds);
        say("", "s", seconds[set + 1], rounds);
    }
    say("square products of 2048", "GFlop/s", rates, rounds);
}

static void time_records(way *ways, const ww_parallel *parallel, int rounds)
{
    static double seconds[WAYS][MOST_ROUNDS];
    const size_t size = (size_t)SQUARE * SQUARE;
    double *matrices = calloc(3 * size, sizeof(double));
    uint64_t seed = 1;
    for (size_t i = 0; i < 2 * size; i++)
        matrices[i] = next_uniform(&seed);
    for (int round = -1; round < rounds; round++)
        for (int which = 0; which < WAYS; which++) {
            MPI_Barrier(parallel->communicator);
            const double used = ww_processor_seconds();
            if (which == 0)
                cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SQUARE, SQUARE, SQUARE, 1.0,
                            matrices, SQUARE, matrices + size, SQUARE, 0.0, matrices + 2 * size,
                            SQUARE);
            else
                make_record(&ways[which - 1]);
            if (round >= 0) // the one before them brings memory in
                seconds[which][round] = ww_processor_seconds() - used;
        }
    free(matrices);
    if (parallel->rank == 0)
        report(ways, seconds, rounds);
}

int main(int count, char **words)
{
    if (count <= OPERANDS) {
        fprintf(stderr, "bench_evaluation WIDTH DIMENSION SAMPLES OUTPUTS ROUNDS [SETTING...]\n");
        return 1;
    }
    MPI_Init(&count, &words);
    ww_parallel parallel;
    ww_error error = {0};
    stop_at(ww_parallel_create(MPI_COMM_WORLD, &parallel, &error), &error);
    const int64_t outputs = atoll(words[4]);
    const int asked = atoi(words[5]);
    const int rounds = asked < 1 ? 1 : asked < MOST_ROUNDS ? asked : MOST_ROUNDS;
    ww_dataset data = {.dimension = atoll(words[2]),
                       .classes = outputs > 1 ? outputs : 2,
                       .outputs = outputs,
                       .components = 1,
                       .has_targets = true};
    make_samples(&data.train, &data, atoll(words[3]), 1);
    make_samples(&data.test, &data, atoll(words[3]), 2);
    way ways[SETS];
    memset(ways, 0, sizeof ways);
    for (int set = 0; set < SETS; set++)
        make_way(&ways[set], quantity_sets[set], words, count, &data, &parallel);
    if (parallel.rank == 0)
        printf("m = %s, d = %s, n = %s and %s, k = %s, %d ranks\n", words[1], words[2], words[3],
               words[3], words[4], parallel.size);
    time_records(ways, &parallel, rounds);
    for (int set = 0; set < SETS; set++)
        free_way(&ways[set]);
    free_samples(&data.train);
    free_samples(&data.test);
    ww_parallel_destroy(&parallel);
    MPI_Finalize();
    return 0;
}
