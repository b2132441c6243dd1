// Normals drawn a second, by hand: bench_normals [ROUNDS]. What is filled fits the second-level
// cache, so that memory does not count; ways go in turns, and of each the processor time counts:
// median (least to most) over the rounds, in millions a second.

#include "widthwise/network.h"
#include "widthwise/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { UNITS = 128, DIMENSION = 784, COUNT = UNITS * DIMENSION, TIMES = 20, MOST_ROUNDS = 99 };

typedef enum way { DOUBLES, UNIFORMS, WEIGHTS, WEIGHTS_OF_FLOATS, WAYS } way;

static const char *const names[WAYS] = {
    "normals", "uniforms", "initial weights of a tile",
    "initial weights of a tile, precision: single (rounded doubles)"};

static ww_config config_of(ww_experiment *experiment, const char *precision)
{
    const char *settings[] = {"network.width=20000", precision};
    ww_error error = {0};
    if (ww_experiment_parse("", "bench", ".", settings, 2, experiment, &error) != WW_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return experiment->members[0];
}

static double processor_time(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill(way which, const ww_config *configs, int time, double *out)
{
    const ww_stream stream = {.seed = 1, .purpose = WW_DRAW_HIDDEN_WEIGHTS};
    ww_initial initial = {
        .config = &configs[which == WEIGHTS_OF_FLOATS], .dimension = DIMENSION, .outputs = 1};
    switch (which) {
    case DOUBLES:
        ww_normals(stream, (uint64_t)time * COUNT, COUNT, out);
        break;
    case UNIFORMS:
        ww_uniforms(stream, (uint64_t)time * COUNT, COUNT, out);
        break;
    default:
        ww_initial_hidden_weights(&initial, (int64_t)time * UNITS, UNITS, out);
        break;
    }
}

int main(int count, char **words)
{
    const int asked = count > 1 ? atoi(words[1]) : 15;
    const int rounds = asked >= 1 && asked < MOST_ROUNDS ? asked : MOST_ROUNDS;
    double rates[WAYS][MOST_ROUNDS];
    double *out = calloc(COUNT, sizeof *out);
    ww_experiment experiments[2];
    const ww_config configs[2] = {config_of(&experiments[0], "precision=double"),
                                  config_of(&experiments[1], "precision=single")};
    for (int round = -1; round < rounds; round++)
        for (int which = 0; which < WAYS; which++) {
            const double began = processor_time();
            for (int time = 0; time < TIMES; time++)
                fill((way)which, configs, time, out);
            if (round >= 0)
                rates[which][round] = 1e-6 * COUNT * TIMES / (processor_time() - began);
        }
    for (int which = 0; which < WAYS; which++) {
        qsort(rates[which], (size_t)rounds, sizeof(double), compare);
        printf("%-66s %6.1f (%.1f to %.1f) million a second\n", names[which],
               rates[which][rounds / 2], rates[which][0], rates[which][rounds - 1]);
    }
    ww_experiment_free(&experiments[0]);
    ww_experiment_free(&experiments[1]);
    free(out);
    return 0;
}
