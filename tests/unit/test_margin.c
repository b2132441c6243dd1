/// When a job with a limited time begins to end.

#include "cmocka_all.h"

#include "app/margin.h"

#include <math.h>

static void without_a_limit_there_is_no_end(void **state)
{
    (void)state;
    ww_margin margin = ww_margin_make(0.0, INFINITY);
    ww_margin_member(&margin, 1e15, 1e6);
    ww_margin_stepped(&margin, 1e9);
    ww_margin_checkpointed(&margin, 1e9);
    assert_false(ww_margin_is_used(&margin, 1e12));
    assert_false(ww_margin_wants_measurement(&margin, 1e12));
    assert_true(ww_margin_has_room(&margin, 1e12, 1e12));
}

static void what_was_measured_fits_before_the_limit(void **state)
{
    (void)state;
    ww_margin margin = ww_margin_make(100.0, 1100.0);
    ww_margin_member(&margin, 1e6, 0.0);
    ww_margin_stepped(&margin, 3.0);
    ww_margin_stepped(&margin, 1.0);
    ww_margin_recorded(&margin, 5.0);
    ww_margin_checkpointed(&margin, 20.0);
    // Ended when a step, a record and a checkpoint are still possible, each twice, and some more.
    assert_false(ww_margin_is_used(&margin, 1100.0 - 2.0 * 28.0 - 10.1));
    assert_true(ww_margin_is_used(&margin, 1100.0 - 2.0 * 28.0 - 9.9));
    // A short job does not give ten seconds away.
    margin = ww_margin_make(0.0, 2.0);
    ww_margin_member(&margin, 1e6, 0.0);
    ww_margin_checkpointed(&margin, 0.1);
    assert_false(ww_margin_is_used(&margin, 1.65));
    assert_true(ww_margin_is_used(&margin, 1.75));
}

static void large_weights_are_measured_not_feared(void **state)
{
    (void)state;
    // By assumption a checkpoint takes longer than all the time there is.
    ww_margin margin = ww_margin_make(0.0, 3600.0);
    ww_margin_member(&margin, 1e12, 0.0);
    ww_margin_stepped(&margin, 1.0);
    assert_false(ww_margin_is_used(&margin, 1.0));
    assert_true(ww_margin_wants_measurement(&margin, 1.0));
    ww_margin_checkpointed(&margin, 300.0);
    assert_false(ww_margin_wants_measurement(&margin, 302.0));
    assert_false(ww_margin_is_used(&margin, 2900.0));
    assert_true(ww_margin_is_used(&margin, 3000.0));
}

static void a_checkpoint_is_measured_early(void **state)
{
    (void)state;
    ww_margin margin = ww_margin_make(0.0, 1000.0);
    ww_margin_member(&margin, 1.0, 0.0);
    assert_false(ww_margin_wants_measurement(&margin, 99.0));
    assert_true(ww_margin_wants_measurement(&margin, 101.0));
    // The next member is another matter.
    ww_margin_checkpointed(&margin, 5.0);
    assert_false(ww_margin_wants_measurement(&margin, 500.0));
    ww_margin_member(&margin, 1.0, 0.0);
    assert_true(ww_margin_wants_measurement(&margin, 500.0));
}

static void a_record_is_foreseen_before_the_first(void **state)
{
    (void)state;
    ww_margin margin = ww_margin_make(0.0, 1000.0);
    ww_margin_member(&margin, 1.0, 50.0);
    ww_margin_stepped(&margin, 8.0); // the first one is slow
    ww_margin_stepped(&margin, 4.0);
    ww_margin_checkpointed(&margin, 1.0);
    // 50 steps of 4 seconds, a step of 8, a checkpoint of 1: twice 209.
    assert_false(ww_margin_is_used(&margin, 1000.0 - 418.0 - 10.1));
    assert_true(ww_margin_is_used(&margin, 1000.0 - 418.0 - 9.9));
    ww_margin_recorded(&margin, 2.0);
    assert_false(ww_margin_is_used(&margin, 1000.0 - 22.0 - 10.1));
}

static void results_need_room(void **state)
{
    (void)state;
    ww_margin margin = ww_margin_make(0.0, 1000.0);
    ww_margin_member(&margin, 1.0, 0.0);
    assert_true(ww_margin_has_room(&margin, 900.0, 1e9)); // nothing is known of this start
    ww_margin_stepped(&margin, 1.0);
    assert_true(ww_margin_has_room(&margin, 700.0, 100.0));
    assert_false(ww_margin_has_room(&margin, 800.0, 100.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_there_is_no_end),
        cmocka_unit_test(what_was_measured_fits_before_the_limit),
        cmocka_unit_test(large_weights_are_measured_not_feared),
        cmocka_unit_test(a_checkpoint_is_measured_early),
        cmocka_unit_test(a_record_is_foreseen_before_the_first),
        cmocka_unit_test(results_need_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
