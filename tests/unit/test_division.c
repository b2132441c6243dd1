/// How ranks are divided among members.

#include "cmocka_all.h"

#include "app/division.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 64 };

// Time of some work on a crew, as division.h's model has it.
static double phase_time(const ww_task_phase *phase, int ranks)
{
    if (phase->work <= 0.0)
        return 0.0;
    const double grain = (double)phase->grain;
    const double used = ranks < phase->grain ? (double)ranks : grain;
    return phase->work * ceil(grain / used) / grain * (1.0 + 0.04 * log2(used));
}

static double time_of(const ww_task *task, int ranks)
{
    return phase_time(&task->training, ranks) + phase_time(&task->gram, ranks);
}

// Slow and plain: every crew is looked at for every task. Returns the end, and `*busy` rank
// seconds.
static double work_off(const ww_task *tasks, const ww_division *division, double *busy)
{
    int size[MOST] = {division->ranks};
    double free_at[MOST] = {0.0};
    int crews = 1;
    double end = 0.0;
    *busy = 0.0;
    for (size_t s = 0; s < division->stage_count; s++) {
        const ww_stage *stage = &division->stages[s];
        int next_size[MOST] = {0};
        double next_free[MOST] = {0.0};
        int next = 0;
        for (int c = 0; c < crews; c++)
            for (int part = 0; part < ww_crews_of(size[c], stage->ranks); part++) {
                for (int rank = 0; rank < size[c]; rank++)
                    next_size[next] += ww_crew_of_rank(size[c], stage->ranks, rank) == part;
                next_free[next++] = free_at[c];
            }
        crews = next;
        memcpy(size, next_size, sizeof size);
        memcpy(free_at, next_free, sizeof free_at);
        for (size_t i = 0; i < stage->count; i++) {
            int soonest = 0;
            for (int c = 1; c < crews; c++)
                if (free_at[c] < free_at[soonest] ||
                    (free_at[c] == free_at[soonest] && size[c] > size[soonest]))
                    soonest = c;
            const double time = time_of(&tasks[division->order[stage->first + i]], size[soonest]);
            free_at[soonest] += time;
            *busy += time * size[soonest];
            end = fmax(end, free_at[soonest]);
        }
    }
    return end;
}

// What holds for every division; returns the time that all takes.
static double check(const ww_task *tasks, size_t count, int ranks, ww_division *division)
{
    ww_error error = {0};
    assert_int_equal(ww_division_make(tasks, count, ranks, division, &error), WW_OK);
    bool seen[1024] = {false};
    size_t next = 0;
    for (size_t s = 0; s < division->stage_count; s++) {
        const ww_stage *stage = &division->stages[s];
        assert_int_equal(stage->first, next);
        assert_true(stage->count > 0);
        assert_true(stage->ranks >= 1 && stage->ranks <= ranks);
        assert_true(s == 0 || stage->ranks < division->stages[s - 1].ranks);
        for (size_t i = 0; i < stage->count; i++) {
            const size_t task = division->order[next++];
            assert_true(task < count && !seen[task]);
            seen[task] = true;
            assert_true(stage->ranks >= tasks[task].least_ranks);
        }
    }
    assert_int_equal(next, count);
    double busy = 0.0;
    const double end = work_off(tasks, division, &busy);
    if (end > 0.0)
        assert_true(fabs(division->share - busy / (end * ranks)) < 1e-9);
    return end;
}

static void one_member_has_all_ranks(void **state)
{
    (void)state;
    const ww_task task = {.training = {.work = 5.0, .grain = 1000}, .least_ranks = 1};
    ww_division division;
    (void)check(&task, 1, 12, &division);
    assert_int_equal(division.stage_count, 1);
    assert_int_equal(division.stages[0].ranks, 12);
    ww_division_free(&division);
}

static void many_small_ones_have_a_rank_each(void **state)
{
    (void)state;
    ww_task tasks[40];
    for (size_t i = 0; i < 40; i++)
        tasks[i] = (ww_task){.training = {.work = 1.0, .grain = 8}, .least_ranks = 1};
    ww_division division;
    (void)check(tasks, 40, 2, &division);
    assert_int_equal(division.stage_count, 1);
    assert_int_equal(division.stages[0].ranks, 1);
    assert_true(division.share > 0.999);
    ww_division_free(&division);
}

static void a_wide_one_comes_first_on_all(void **state)
{
    (void)state;
    ww_task tasks[9];
    for (size_t i = 0; i < 9; i++)
        tasks[i] = (ww_task){.training = {.work = 1.0, .grain = 8}, .least_ranks = 1};
    tasks[4] = (ww_task){.training = {.work = 100.0, .grain = 800}, .least_ranks = 1};
    ww_division division;
    (void)check(tasks, 9, 4, &division);
    assert_int_equal(division.order[0], 4);
    assert_int_equal(division.stages[0].ranks, 4);
    assert_int_equal(division.stages[division.stage_count - 1].ranks, 1);
    ww_division_free(&division);
}

static void memory_asks_for_ranks(void **state)
{
    (void)state;
    ww_task tasks[10];
    for (size_t i = 0; i < 10; i++)
        tasks[i] = (ww_task){.training = {.work = 1.0, .grain = 64}, .least_ranks = i < 3 ? 3 : 1};
    tasks[9].least_ranks = 7;
    ww_division division;
    (void)check(tasks, 10, 7, &division);
    ww_division_free(&division);
}

static void what_is_left_over_is_shared(void **state)
{
    (void)state;
    ww_task tasks[5];
    for (size_t i = 0; i < 5; i++)
        tasks[i] = (ww_task){.training = {.work = 1.0, .grain = 100}, .least_ranks = 1};
    ww_division division;
    const double end = check(tasks, 5, 2, &division);
    assert_true(end < 2.6); // one on both, then two each: three rounds of singles would take 3
    ww_division_free(&division);
}

// Never later than all on all ranks, one after the other, nor than each on a rank of its own.
static void no_worse_than_the_simple_ways(void **state)
{
    (void)state;
    unsigned random = 12345;
    for (int trial = 0; trial < 60; trial++) {
        ww_task tasks[50];
        const size_t count = 1 + random % 50;
        const int ranks = 1 + (int)(random / 64 % 40);
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525U + 1013904223U;
            tasks[i] = (ww_task){.training = {.work = pow(10.0, (double)(random >> 20) / 1024.0),
                                              .grain = 1 + random % 97},
                                 .least_ranks = 1};
            if (random % 3 == 0)
                tasks[i].gram = (ww_task_phase){.work = tasks[i].training.work / 2.0,
                                                .grain = 1 + random / 97 % 50};
        }
        random = random * 1664525U + 1013904223U;
        ww_division division;
        const double end = check(tasks, count, ranks, &division);
        double one_by_one = 0.0;
        double longest = 0.0;
        double single = 0.0;
        for (size_t i = 0; i < count; i++) {
            one_by_one += time_of(&tasks[i], ranks);
            longest = fmax(longest, ww_task_work(&tasks[i]));
            single += ww_task_work(&tasks[i]);
        }
        assert_true(end <= 1.02 * one_by_one);
        // Any list of single ranks ends by this time.
        assert_true(end <= 1.02 * (single / ranks + longest));
        ww_division_free(&division);
    }
}

// One tile, and a Gram matrix that all ranks can work on: what it makes up for decides.
static void a_gram_matrix_takes_ranks_that_idle_in_training(void **state)
{
    (void)state;
    ww_task task = {.training = {.work = 1.0, .grain = 1},
                    .gram = {.work = 50.0, .grain = 64},
                    .least_ranks = 1};
    ww_division division;
    assert_true(check(&task, 1, 4, &division) < 1.0 + 50.0 / 3.5);
    assert_int_equal(division.stages[0].ranks, 4);
    ww_division_free(&division);
    task.gram.work = 1e-4; // not worth ranks
    (void)check(&task, 1, 4, &division);
    assert_int_equal(division.stages[0].ranks, 1);
    ww_division_free(&division);
    // Two of them: side by side on half of the ranks each, so none ever idles for the other.
    ww_task two[2];
    two[0] = two[1] = (ww_task){.training = {.work = 1.0, .grain = 1},
                                .gram = {.work = 50.0, .grain = 64},
                                .least_ranks = 1};
    assert_true(check(two, 2, 4, &division) < 1.0 + 50.0 / 1.9);
    assert_int_equal(division.stages[0].ranks, 2);
    assert_true(division.share > 0.99);
    ww_division_free(&division);
    // As many as ranks: one each, whatever the Gram matrix could use.
    ww_task four[4];
    for (int i = 0; i < 4; i++)
        four[i] = two[0];
    (void)check(four, 4, 4, &division);
    assert_int_equal(division.stages[0].ranks, 1);
    ww_division_free(&division);
}

static void a_grid_asks_for_ranks(void **state)
{
    (void)state;
    ww_task tasks[6];
    for (size_t i = 0; i < 6; i++)
        tasks[i] = (ww_task){.training = {.work = 1.0, .grain = 1},
                             .gram = {.work = 1.0, .grain = 3},
                             .least_ranks = 3};
    ww_division division;
    (void)check(tasks, 6, 5, &division);
    assert_true(division.stages[division.stage_count - 1].ranks >= 3);
    ww_division_free(&division);
}

static void crews_split_evenly(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 50; ranks++)
        for (int crew = 1; crew <= ranks; crew++) {
            const int crews = ww_crews_of(ranks, crew);
            int size[MOST] = {0};
            int last = 0;
            for (int rank = 0; rank < ranks; rank++) {
                const int number = ww_crew_of_rank(ranks, crew, rank);
                assert_true(number == last || number == last + 1);
                assert_true(number < crews);
                last = number;
                size[number]++;
            }
            for (int c = 0; c < crews; c++) {
                assert_true(size[c] >= crew);
                assert_true(size[c] - size[0] <= 1 && size[0] - size[c] <= 1);
            }
        }
}

static void nothing_to_do(void **state)
{
    (void)state;
    ww_division division;
    const ww_task none = {0};
    (void)check(&none, 0, 3, &division);
    assert_int_equal(division.stage_count, 0);
    ww_division_free(&division);
    const ww_task idle[2] = {{.training = {.work = 0.0, .grain = 1}, .least_ranks = 1},
                             {.training = {.work = 0.0, .grain = 1}, .least_ranks = 1}};
    (void)check(idle, 2, 3, &division);
    ww_division_free(&division);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_has_all_ranks),
        cmocka_unit_test(many_small_ones_have_a_rank_each),
        cmocka_unit_test(a_wide_one_comes_first_on_all),
        cmocka_unit_test(memory_asks_for_ranks),
        cmocka_unit_test(what_is_left_over_is_shared),
        cmocka_unit_test(no_worse_than_the_simple_ways),
        cmocka_unit_test(a_gram_matrix_takes_ranks_that_idle_in_training),
        cmocka_unit_test(a_grid_asks_for_ranks),
        cmocka_unit_test(crews_split_evenly),
        cmocka_unit_test(nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
