// Seconds of a sum of words over all ranks, as a step makes one, by hand: mpirun -n R
// bench_allreduce [TURNS [LARGEST]]. Words are from 1 to LARGEST, four times as many each time; of
// every turn the mean of many sums counts, and of the turns the fastest.

#include "widthwise/clock.h"
#include "widthwise/parallel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void stop_at(ww_status status, const ww_error *error)
{
    if (status == WW_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static double time_sums(const ww_parallel *parallel, int64_t *words, size_t count, int64_t turns)
{
    enum { MOST_SUMS = 200, WORDS_TOGETHER = 1 << 20 };
    const size_t fitting = 1 + WORDS_TOGETHER / count;
    const size_t sums = fitting < MOST_SUMS ? fitting : MOST_SUMS;
    double best = HUGE_VAL;
    ww_error error = {0};
    for (int64_t turn = 0; turn <= turns; turn++) {
        MPI_Barrier(parallel->communicator);
        const double began = ww_seconds();
        for (size_t i = 0; i < sums; i++)
            stop_at(ww_sum_words(parallel, words, count, &error), &error);
        const double seconds = (ww_seconds() - began) / (double)sums;
        if (turn > 0 && seconds < best) // the one before them makes connections
            best = seconds;
    }
    return best;
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    ww_parallel parallel;
    ww_error error = {0};
    stop_at(ww_parallel_create(MPI_COMM_WORLD, &parallel, &error), &error);
    const int64_t asked = count > 1 ? atoll(words[1]) : 20;
    const int64_t turns = asked < 1 ? 1 : asked;
    const size_t largest = count > 2 ? strtoull(words[2], NULL, 10) : (size_t)1 << 18;
    int64_t *values = calloc(largest + 1, sizeof *values); // zeros stay zeros
    if (values == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    for (size_t words_summed = 1; words_summed <= largest; words_summed *= 4) {
        const double seconds = time_sums(&parallel, values, words_summed, turns);
        if (parallel.rank == 0)
            printf("bytes %zu seconds %.9f on %d ranks\n", words_summed * sizeof *values, seconds,
                   parallel.size);
    }
    free(values);
    ww_parallel_destroy(&parallel);
    MPI_Finalize();
    return 0;
}
