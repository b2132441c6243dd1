// Time of a step of the engine `layers`, its phases, and what plain products of whole matrices take
// on one rank, by hand: mpirun -n R bench_layers [width [depth [batch [precision [steps]]]]].

#include "train/layered_inside.h"
#include "widthwise/clock.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIMENSION = 64, OUTPUTS = 10, SETTINGS = 6, SETTING_SIZE = 96 };

typedef struct bench {
    ww_parallel parallel;
    ww_dataset data;
    ww_experiment experiment;
    ww_problem problem;
    int64_t steps;
} bench;

static void stop_at(ww_status status, const ww_error *error)
{
    if (status == WW_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static void make_data(ww_dataset *data, int64_t samples)
{
    *data = (ww_dataset){.dimension = DIMENSION,
                         .classes = OUTPUTS,
                         .outputs = OUTPUTS,
                         .components = 1,
                         .has_targets = true,
                         .train = {.count = samples}};
    ww_samples *train = &data->train;
    train->inputs = calloc((size_t)(samples * DIMENSION), sizeof(double));
    train->labels = calloc((size_t)samples, sizeof(int64_t));
    train->targets = calloc((size_t)(samples * OUTPUTS), sizeof(double));
    for (int64_t i = 0; i < samples * DIMENSION; i++)
        train->inputs[i] = sin((double)(1 + 7 * i)) / sqrt((double)DIMENSION / 2.0);
    for (int64_t i = 0; i < samples * OUTPUTS; i++)
        train->targets[i] = i % OUTPUTS == i / OUTPUTS % OUTPUTS ? 1.0 : -1.0;
}

static void make(bench *self, int count, char **words)
{
    const char *width = count > 1 ? words[1] : "8192";
    const char *depth = count > 2 ? words[2] : "3";
    const char *batch = count > 3 ? words[3] : "256";
    const char *precision = count > 4 ? words[4] : "single";
    ww_error error = {0};
    self->steps = count > 5 ? atoll(words[5]) : 3;
    char text[SETTINGS][SETTING_SIZE];
    const char *settings[SETTINGS];
    (void)snprintf(text[0], SETTING_SIZE, "model=zou-gu");
    (void)snprintf(text[1], SETTING_SIZE, "data={source: mixture, train: %s}", batch);
    (void)snprintf(text[2], SETTING_SIZE, "network={width: %s, depth: %s}", width, depth);
    (void)snprintf(text[3], SETTING_SIZE, "training={method: sgd, batch: %s, rate: 0.1}", batch);
    (void)snprintf(text[4], SETTING_SIZE, "precision=%s", precision);
    (void)snprintf(text[5], SETTING_SIZE, "measure.quantities=[loss]");
    for (int i = 0; i < SETTINGS; i++)
        settings[i] = text[i];
    stop_at(ww_parallel_create(MPI_COMM_WORLD, &self->parallel, &error), &error);
    stop_at(ww_experiment_parse("", "bench", ".", settings, SETTINGS, &self->experiment, &error),
            &error);
    make_data(&self->data, atoll(batch));
    stop_at(ww_problem_make(&self->experiment.members[0], &self->data, &self->parallel,
                            &self->problem, &error),
            &error);
}

static void say(const bench *self, const char *what, double seconds, double flops)
{
    if (self->parallel.rank != 0)
        return;
    printf("  %-28s %9.4f s", what, seconds);
    if (flops > 0.0)
        printf("  %7.1f GFlop/s a rank", 1e-9 * flops / seconds);
    printf("\n");
    (void)fflush(stdout);
}

static double now(const bench *self)
{
    MPI_Barrier(self->parallel.communicator);
    return ww_seconds();
}

static void time_steps(const bench *self)
{
    ww_engine *engine = NULL;
    ww_error error = {0};
    double best = HUGE_VAL, least = HUGE_VAL;
    stop_at(ww_engine_create(&self->problem, &engine, &error), &error);
    for (int64_t i = 0; i <= self->steps; i++) { // the first one brings memory in
        double loss = 0.0;
        const double began = now(self), used = ww_processor_seconds();
        stop_at(ww_engine_step(engine, 0, NULL, &loss, &error), &error);
        const double spent = ww_processor_seconds() - used, seconds = now(self) - began;
        best = i > 0 && seconds < best ? seconds : best;
        least = i > 0 && spent < least ? spent : least;
    }
    const double flops = ww_engine_cost_of(&self->problem).step_flops;
    say(self, "step", best, flops);
    say(self, "step, time of the processor", least, flops);
    ww_engine_free(engine);
}

typedef enum phase { FORWARD, BACKWARD, MOVE, PHASES } phase;

static void run_phase(const bench *self, phase which, ww_layered *network, ww_layered_block *block,
                      ww_output_sum *sum, const double *gradients)
{
    const ww_problem *problem = &self->problem;
    ww_error error = {0};
    switch (which) {
    case FORWARD:
        stop_at(ww_layered_forward(network, block, self->data.train.inputs, problem->batch, sum, 0,
                                   &error),
                &error);
        break;
    case BACKWARD:
        stop_at(ww_layered_backward(network, block, gradients, &error), &error);
        break;
    default:
        for (int64_t layer = 1; layer <= problem->depth; layer++)
            for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
                network->methods->move(network, block, layer, ww_tile_rows(problem, tile),
                                       network->weights.hidden[layer - 1]);
        break;
    }
}

static void time_phases(const bench *self)
{
    static const char *const names[PHASES] = {"  forward", "  backward", "  move"};
    const ww_problem *problem = &self->problem;
    ww_layered *network = NULL;
    ww_layered_block *block = NULL;
    ww_output_sum sum;
    ww_error error = {0};
    double *gradients = calloc((size_t)(problem->batch * OUTPUTS), sizeof(double));
    for (int64_t i = 0; i < problem->batch * OUTPUTS; i++)
        gradients[i] = 1e-4 * cos((double)i);
    stop_at(ww_layered_create(problem, &network, &error), &error);
    stop_at(ww_layered_block_create(problem, problem->batch, true, &block, &error), &error);
    stop_at(ww_output_sum_create(&sum, problem, problem->batch, &error), &error);
    double best[PHASES] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
    for (int64_t i = 0; i <= self->steps; i++)
        for (int which = 0; which < PHASES; which++) {
            const double began = now(self);
            run_phase(self, (phase)which, network, block, &sum, gradients);
            const double seconds = now(self) - began;
            best[which] = i > 0 && seconds < best[which] ? seconds : best[which];
        }
    const double layer_flops = 2.0 * (double)problem->tiling.local_units *
                               (double)problem->tiling.width * (double)problem->batch;
    for (int which = 0; which < PHASES; which++)
        say(self, names[which], best[which], layer_flops * (double)(problem->depth - 1));

    // The integer sums of all steps back, by themselves.
    const int64_t pieces = ww_layered_pieces(problem), rows = ww_layered_piece_rows(problem);
    double began = now(self);
    for (int64_t i = 0; i < pieces * problem->tiling.local_tiles * (problem->depth - 1); i++) {
        if (network->methods == &ww_layered_single)
            (void)ww_column_sum_add_single(&network->format, network->partial, rows,
                                           network->words);
        else
            (void)ww_column_sum_add(&network->format, network->partial, rows, network->words);
    }
    say(self, "  of which integer sums", now(self) - began, 0.0);
    began = now(self);
    for (int64_t layer = 1; layer < problem->depth; layer++) {
        stop_at(ww_gather_rows(&self->parallel, block->activations[layer - 1],
                               (size_t)problem->batch * network->methods->size, network->row_counts,
                               network->row_places, &error),
                &error);
        stop_at(ww_scatter_sums(&self->parallel, network->words, network->word_counts, &error),
                &error);
    }
    say(self, "  of which communication", now(self) - began, 0.0);
    ww_output_sum_free(&sum);
    ww_layered_block_free(block);
    ww_layered_free(network);
    free(gradients);
}

// Forward, backward and update of one layer as whole products, on one rank.
static void time_products(const bench *self)
{
    const int m = (int)self->problem.tiling.width, b = (int)self->problem.batch;
    const bool single = self->problem.config->precision == WW_PRECISION_SINGLE;
    const size_t size = single ? sizeof(float) : sizeof(double);
    void *w = calloc((size_t)m * (size_t)m, size), *x = calloc((size_t)m * (size_t)b, size),
         *y = calloc((size_t)m * (size_t)b, size);
    double best[PHASES] = {HUGE_VAL, HUGE_VAL, HUGE_VAL}, total = 0.0;
    for (int64_t i = 0; i <= self->steps; i++)
        for (int which = 0; which < PHASES; which++) {
            const double began = ww_seconds();
            const CBLAS_TRANSPOSE left = which == BACKWARD ? CblasTrans : CblasNoTrans;
            if (which != MOVE && single)
                cblas_sgemm(CblasRowMajor, left, CblasNoTrans, m, b, m, 1.0F, w, m, x, b, 0.0F, y,
                            b);
            else if (which != MOVE)
                cblas_dgemm(CblasRowMajor, left, CblasNoTrans, m, b, m, 1.0, w, m, x, b, 0.0, y, b);
            else if (single)
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, m, b, -0.1F, y, b, x, b,
                            1.0F, w, m);
            else
                cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, m, b, -0.1, y, b, x, b, 1.0,
                            w, m);
            const double seconds = ww_seconds() - began;
            best[which] = i > 0 && seconds < best[which] ? seconds : best[which];
        }
    for (int which = 0; which < PHASES; which++)
        total += best[which] * (double)(self->problem.depth - 1);
    say(self, "whole products, one rank", total,
        6.0 * (double)m * (double)m * (double)b * (double)(self->problem.depth - 1));
    for (int which = 0; which < PHASES; which++)
        say(self,
            which == FORWARD    ? "  forward"
            : which == BACKWARD ? "  backward"
                                : "  move",
            best[which] * (double)(self->problem.depth - 1),
            2.0 * (double)m * (double)m * (double)b * (double)(self->problem.depth - 1));
    free(w);
    free(x);
    free(y);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    bench self;
    make(&self, count, words);
    if (self.parallel.rank == 0)
        printf("m = %lld, L = %lld, B = %lld, %s precision, %d ranks\n",
               (long long)self.problem.tiling.width, (long long)self.problem.depth,
               (long long)self.problem.batch,
               self.problem.config->precision == WW_PRECISION_SINGLE ? "single" : "double",
               self.parallel.size);
    time_steps(&self);
    time_phases(&self);
    if (self.parallel.size == 1)
        time_products(&self);
    ww_experiment_free(&self.experiment);
    free(self.data.train.inputs);
    free(self.data.train.labels);
    free(self.data.train.targets);
    ww_parallel_destroy(&self.parallel);
    MPI_Finalize();
    return 0;
}
