/// Phases of a profile, on one rank. Times are given, so nothing here depends on how long it takes.

#include "cmocka_all.h"

#include "widthwise/profile.h"

enum { OUTER, INNER, OTHER };

static void phases_exclude_each_other_and_add_up(void **state)
{
    (void)state;
    ww_profile profile;
    ww_profile_begin(&profile, 10.0, OUTER);
    const int around = ww_profile_switch(&profile, INNER, 11.0);
    assert_int_equal(around, OUTER);
    assert_int_equal(ww_profile_switch(&profile, OTHER, 13.0), INNER);
    assert_int_equal(ww_profile_switch(&profile, INNER, 17.0), OTHER);
    assert_int_equal(ww_profile_switch(&profile, around, 18.0), INNER);
    assert_true(ww_profile_seconds(&profile, OUTER, 20.0) == 1.0 + 2.0);
    assert_true(ww_profile_seconds(&profile, INNER, 20.0) == 2.0 + 1.0);
    assert_true(ww_profile_seconds(&profile, OTHER, 20.0) == 4.0);
    assert_true(profile.first[INNER] == 11.0);
    assert_true(profile.first[OTHER] == 13.0);
    assert_true(profile.first[OTHER + 1] == 0.0);
}

static void a_phase_that_is_not_left_ends_with_the_one_around_it(void **state)
{
    (void)state;
    ww_profile profile;
    ww_profile_begin(&profile, 0.0, OUTER);
    const int before = ww_phase_enter(&profile, OTHER);
    (void)ww_phase_enter(&profile, INNER); // and the function fails
    ww_phase_leave(&profile, before);
    assert_int_equal(profile.phase, OUTER);
}

static void without_a_profile_nothing_is_taken_down(void **state)
{
    (void)state;
    assert_int_equal(ww_phase_enter(NULL, INNER), 0);
    ww_phase_leave(NULL, OTHER);
    assert_true(ww_call_begin(NULL) == 0.0);
    assert_int_equal(ww_call_end(NULL, WW_CALL_SUM, 8, 0.0, 7), 7);
}

static void calls_count_where_they_are_made(void **state)
{
    (void)state;
    ww_profile profile;
    ww_profile_begin(&profile, ww_seconds(), OUTER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ww_call_end(&profile, WW_CALL_BROADCAST, 100, ww_call_begin(&profile), 5),
                         5);
    const int before = ww_phase_enter(&profile, INNER);
    (void)ww_call_end(&profile, WW_CALL_BROADCAST, 1, ww_call_begin(&profile), 0);
    ww_phase_leave(&profile, before);
    assert_int_equal(profile.calls[OUTER][WW_CALL_BROADCAST].calls, 3);
    assert_int_equal(profile.calls[OUTER][WW_CALL_BROADCAST].bytes, 300);
    assert_int_equal(profile.calls[INNER][WW_CALL_BROADCAST].calls, 1);
    assert_int_equal(profile.calls[INNER][WW_CALL_BROADCAST].bytes, 1);
    assert_int_equal(profile.calls[OUTER][WW_CALL_SUM].calls, 0);
    assert_true(profile.calls[OUTER][WW_CALL_BROADCAST].seconds >= 0.0);
}

static void every_call_has_a_name(void **state)
{
    (void)state;
    for (int call = 0; call < WW_CALL_KINDS; call++) {
        assert_non_null(ww_call_kind((ww_call)call));
        assert_non_null(ww_call_purpose((ww_call)call));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_exclude_each_other_and_add_up),
        cmocka_unit_test(a_phase_that_is_not_left_ends_with_the_one_around_it),
        cmocka_unit_test(without_a_profile_nothing_is_taken_down),
        cmocka_unit_test(calls_count_where_they_are_made),
        cmocka_unit_test(every_call_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
