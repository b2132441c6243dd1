/// What a profile counts of the calls of MPI, on several ranks.

#include "cmocka_all.h"

#include "small_problem.h"
#include "widthwise/board.h"
#include "widthwise/profile.h"
#include "widthwise/shared.h"

#include <math.h>
#include <stdio.h>

enum { OUTSIDE, STEPS, MIXED };
enum { SUMS = 8 };

static ww_parallel world;

// Calls that are really made: these stand before those of the library.
static int64_t made;

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op operation,
                  MPI_Comm communicator)
{
    made++;
    return PMPI_Allreduce(from, to, count, type, operation, communicator);
}

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm communicator)
{
    made++;
    return PMPI_Bcast(data, count, type, root, communicator);
}

int MPI_Allgatherv(const void *from, int count, MPI_Datatype type, void *to, const int counts[],
                   const int places[], MPI_Datatype to_type, MPI_Comm communicator)
{
    made++;
    return PMPI_Allgatherv(from, count, type, to, counts, places, to_type, communicator);
}

int MPI_Reduce_scatter(const void *from, void *to, const int counts[], MPI_Datatype type,
                       MPI_Op operation, MPI_Comm communicator)
{
    made++;
    return PMPI_Reduce_scatter(from, to, counts, type, operation, communicator);
}

int MPI_Comm_split(MPI_Comm communicator, int color, int key, MPI_Comm *part)
{
    made++;
    return PMPI_Comm_split(communicator, color, key, part);
}

int MPI_Comm_split_type(MPI_Comm communicator, int type, int key, MPI_Info info, MPI_Comm *part)
{
    made++;
    return PMPI_Comm_split_type(communicator, type, key, info, part);
}

int MPI_Ibarrier(MPI_Comm communicator, MPI_Request *request)
{
    made++;
    return PMPI_Ibarrier(communicator, request);
}

static int64_t counted(const ww_profile *profile, int phase)
{
    int64_t calls = 0;
    for (int call = 0; call < WW_CALL_KINDS; call++)
        calls += profile->calls[phase][call].calls;
    return calls;
}

static void every_collective_call_is_counted(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_profile profile;
    ww_profile_begin(&profile, ww_seconds(), MIXED);
    ww_parallel parallel = world;
    ww_parallel part;
    parallel.profile = &profile;
    made = 0;
    assert_int_equal(ww_parallel_split(&parallel, parallel.rank % 2, &part, &error), WW_OK);
    assert_ptr_equal(part.profile, &profile); // groups made of it count with it
    int64_t words[SUMS] = {0};
    double most[2] = {0.0, (double)parallel.rank};
    int counts[SUMS] = {0};
    int places[SUMS] = {0};
    assert_true(parallel.size <= SUMS);
    for (int rank = 0; rank < parallel.size; rank++) {
        counts[rank] = 1;
        places[rank] = rank;
    }
    assert_int_equal(ww_sum_words(&part, words, 3, &error), WW_OK);
    assert_int_equal(ww_maximum(&parallel, most, 2, &error), WW_OK);
    assert_int_equal(ww_agree(&parallel, WW_OK, &error), WW_OK);
    assert_int_equal(ww_agree(&parallel, ww_fail(&error, WW_FAILED, "all ranks failed"), &error),
                     WW_FAILED);
    assert_int_equal(ww_broadcast(&parallel, words, sizeof words, 0, &error), WW_OK);
    assert_int_equal(ww_gather_rows(&parallel, words, sizeof *words, counts, places, &error),
                     WW_OK);
    assert_int_equal(ww_scatter_sums(&parallel, words, counts, &error), WW_OK);
    assert_int_equal(ww_wait_for_all(&parallel, NULL, NULL, &error), WW_OK);
    int64_t memory = 0;
    assert_int_equal(ww_memory_for_rank(&parallel, &memory, &error), WW_OK);
    assert_int_equal(ww_nodes_fullest(&parallel, &memory, &error), WW_OK);
    ww_parallel_destroy(&part);
    assert_int_equal(counted(&profile, MIXED), made);
    assert_int_equal(counted(&profile, OUTSIDE), 0);
    const int64_t alone = parallel.size == 1;
    assert_int_equal(profile.calls[MIXED][WW_CALL_SUM].calls, 1);
    assert_int_equal(profile.calls[MIXED][WW_CALL_SUM].bytes, 3 * 8);
    assert_int_equal(profile.calls[MIXED][WW_CALL_AGREEMENT].calls, alone ? 0 : 2);
    assert_int_equal(profile.calls[MIXED][WW_CALL_ERROR].calls, alone ? 0 : 1);
    assert_int_equal(profile.calls[MIXED][WW_CALL_ROWS].bytes, alone ? 0 : parallel.size * 8);
    assert_int_equal(profile.calls[MIXED][WW_CALL_PARTED_SUM].bytes, alone ? 0 : parallel.size * 8);
}

// The tally of some steps of a network of one hidden layer, all calls of which are sums.
static ww_call_tally tally_of_steps(int64_t width, int64_t dimension, int64_t batch, int steps)
{
    char units[64];
    char samples[64];
    (void)snprintf(units, sizeof units, "network.width=%lld", (long long)width);
    (void)snprintf(samples, sizeof samples, "training.batch=%lld", (long long)batch);
    const char *const settings[] = {"model=li-liang", units, samples, "training.engine=dense"};
    small_problem small;
    ww_engine *engine = NULL;
    ww_error error = {0};
    ww_profile profile;
    double loss = 0.0;
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, 4, 40, 8, dimension, 5, &error))
        fail_msg("%s", error.message);
    ww_profile_begin(&profile, ww_seconds(), OUTSIDE);
    small.parallel.profile = &profile;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    (void)ww_phase_enter(&profile, STEPS);
    made = 0;
    for (int step = 0; step < steps; step++)
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    assert_int_equal(made, steps); // one call a step, whatever it is
    assert_int_equal(counted(&profile, STEPS), steps);
    const ww_call_tally tally = profile.calls[STEPS][WW_CALL_SUM];
    ww_engine_free(engine);
    small_problem_free(&small);
    return tally;
}

static void a_step_is_one_sum_whatever_the_width_and_the_dimension(void **state)
{
    (void)state;
    enum { STEPS_MADE = 5, BATCH = 8, OUTPUTS = 5 };
    const ww_call_tally narrow = tally_of_steps(200, 11, BATCH, STEPS_MADE);
    const ww_call_tally wide = tally_of_steps(1500, 11, BATCH, STEPS_MADE);
    const ww_call_tally high = tally_of_steps(200, 73, BATCH, STEPS_MADE);
    assert_int_equal(narrow.calls, STEPS_MADE);
    assert_int_equal(wide.calls, STEPS_MADE);
    assert_int_equal(high.calls, STEPS_MADE);
    // Two words for each output of each sample, and two more.
    assert_int_equal(narrow.bytes, STEPS_MADE * 8 * (2 * BATCH * OUTPUTS + 2));
    assert_int_equal(wide.bytes, narrow.bytes);
    assert_int_equal(high.bytes, narrow.bytes);
    const ww_call_tally many = tally_of_steps(200, 11, 2 * BATCH, STEPS_MADE);
    assert_int_equal(many.calls, STEPS_MADE);
    assert_true(many.bytes > narrow.bytes);
}

static void least_mean_and_most_are_those_of_the_ranks(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_profile profile;
    ww_profile_begin(&profile, ww_seconds(), OUTSIDE);
    ww_parallel parallel = world;
    parallel.profile = &profile;
    // Rank r was in phase STEPS for 1 + r seconds, with r calls of 10 bytes.
    profile.seconds[STEPS] = 1.0 + world.rank;
    profile.first[STEPS] = profile.began + 2.0 + world.rank;
    profile.calls[STEPS][WW_CALL_SEND] =
        (ww_call_tally){.calls = world.rank, .bytes = 10 * world.rank, .seconds = 0.5};
    ww_profile_summary summary;
    assert_int_equal(ww_profile_gather(&parallel, &summary, &error), WW_OK);
    assert_int_equal(counted(&profile, OUTSIDE), 0); // what tells the profile is not part of it
    if (world.rank != 0)
        return;
    const double last = world.size - 1;
    assert_true(summary.seconds[STEPS].least == 1.0);
    assert_true(fabs(summary.seconds[STEPS].mean - (1.0 + last / 2.0)) < 1e-12);
    assert_true(summary.seconds[STEPS].most == 1.0 + last);
    assert_true(fabs(summary.in_calls[STEPS].mean - 0.5) < 1e-12);
    assert_true(fabs(summary.first[STEPS].least - 2.0) < 1e-6);
    assert_true(fabs(summary.first[STEPS].most - (2.0 + last)) < 1e-6);
    assert_true(summary.first[MIXED].most < 0.0);
    const ww_call_spread *sends = &summary.calls[STEPS][WW_CALL_SEND];
    assert_true(sends->calls.least == 0.0);
    assert_true(sends->calls.most == last);
    assert_true(fabs(sends->bytes.mean - (10.0 * last / 2.0)) < 1e-12);
    assert_true(summary.seconds[OUTSIDE].most == summary.whole.most);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_collective_call_is_counted),
        cmocka_unit_test(a_step_is_one_sum_whatever_the_width_and_the_dimension),
        cmocka_unit_test(least_mean_and_most_are_those_of_the_ranks),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed;
}
