/// Which members can come from one configuration.

#include "config_support.h"

enum { MOST = 8 };

/// A configuration of one member with its label, as it would be read from a file.
typedef struct given_member {
    const char *text, *label;
} given_member;

static ww_status compare(const given_member *given, size_t count, ww_error *error)
{
    static const char *const names[MOST] = {"run0000 of a.h5", "run0001 of b.h5", "run0002 of c.h5",
                                            "run0003 of d.h5", "run0004 of e.h5", "run0005 of f.h5",
                                            "run0006 of g.h5", "run0007 of h.h5"};
    ww_experiment read[MOST] = {{0}};
    ww_config_member members[MOST] = {{0}};
    for (size_t i = 0; i < count; i++) {
        read[i] = parse(given[i].text);
        assert_int_equal(read[i].count, 1);
        members[i] = (ww_config_member){&read[i].members[0], given[i].label, names[i]};
    }
    const ww_status status = ww_config_compare_members(members, count, error);
    for (size_t i = 0; i < count; i++)
        ww_experiment_free(&read[i]);
    return status;
}

static void expect_one(const given_member *given, size_t count)
{
    ww_error error = {0};
    if (compare(given, count, &error) != WW_OK)
        fail_msg("refused: %s", error.message);
}

/// `wanted` ends with NULL.
static void expect_several(const given_member *given, size_t count, const char *const *wanted)
{
    ww_error error = {0};
    assert_int_equal(compare(given, count, &error), WW_USAGE);
    for (; *wanted != NULL; wanted++)
        if (strstr(error.message, *wanted) == NULL)
            fail_msg("\"%s\" is not in the message\n%s", *wanted, error.message);
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void test_members_of_a_sweep(void **state)
{
    (void)state;
    static const char text[] = "sweep: {network.width: [50, 60], seed: [1, 2]}\n";
    ww_experiment sweep = parse(text);
    given_member given[4];
    char *resolved[4];
    ww_error error = {0};
    for (size_t i = 0; i < 4; i++) {
        resolved[i] = ww_config_to_yaml(&sweep.members[i], &error);
        given[i] = (given_member){resolved[i], sweep.labels[i]};
    }
    expect_one(given, 4);
    expect_one(given, 1);
    for (size_t i = 0; i < 4; i++)
        free(resolved[i]);
    ww_experiment_free(&sweep);
}

static void test_a_key_that_is_not_swept(void **state)
{
    (void)state;
    const given_member given[] = {
        {"network: {width: 50}", "network.width=50"},
        {"network: {width: 60}", "network.width=60"},
        {"{network: {width: 70}, training.rate: 2.5}", "network.width=70"}};
    expect_one(given, 2);
    expect_several(given, 3,
                   (const char *const[]){"training.rate is 10.0 in run0000 of a.h5 and 2.5 in "
                                         "run0002 of c.h5",
                                         "leave one of them out", NULL});
    const given_member names[] = {{"name: one", "seed=1"}, {"name: other", "seed=1"}};
    expect_several(names, 2, (const char *const[]){"name is one in", "and other in", NULL});
}

static void test_the_keys_of_the_sweep(void **state)
{
    (void)state;
    const given_member given[] = {{"seed: 1", "seed=1"},
                                  {"{seed: 1, network.width: 50}", "network.width=50 seed=1"}};
    const char *const wanted[] = {"run0001 of b.h5 is of a sweep that varies network.width",
                                  "run0000 of a.h5 is not", NULL};
    expect_several(given, 2, wanted);
    const given_member single[] = {{"", ""}, {"seed: 2", "seed=2"}};
    expect_several(single, 2, (const char *const[]){"varies seed", NULL});
    // The name of one key is the beginning of another's.
    const given_member similar[] = {{"seeds.data: 2", "seeds.data=2"}, {"seed: 2", "seed=2"}};
    expect_several(similar, 2, (const char *const[]){"varies seed,", NULL});
}

static void test_what_a_restart_may_change(void **state)
{
    (void)state;
    const given_member given[] = {
        {"", "seed=1"},
        {"{seed: 2, training.steps: 500, measure.final: [], output.checkpoint_every: 7}",
         "seed=2"}};
    expect_one(given, 2);
}

static void test_values_that_follow_from_others(void **state)
{
    (void)state;
    // seeds.* follow from the seed, sizes and normalisation from the source.
    const given_member given[] = {
        {"seed: 1", "data.source=mixture seed=1"},
        {"seed: 2", "data.source=mixture seed=2"},
        {"{seed: 1, data: {source: points, points: {classes: 30}}}", "data.source=points seed=1"},
        {"{seed: 1, data: {source: xor-balls}}", "data.source=xor-balls seed=1"}};
    expect_one(given, COUNT(given));
    // One that does not follow is somebody's own, whichever comes first.
    const given_member own[] = {{"seed: 1", "seed=1"}, {"{seed: 2, seeds.data: 9}", "seed=2"}};
    expect_several(own, 2,
                   (const char *const[]){"seeds.data is 9 in run0001", "1 in run0000", NULL});
    const given_member turned[] = {own[1], own[0]};
    expect_several(turned, 2, (const char *const[]){"seeds.data is 9 in run0000", NULL});
    const given_member fixed[] = {{"{seed: 1, seeds.data: 2}", "seed=1"},
                                  {"{seed: 2, seeds.data: 2}", "seed=2"}};
    expect_one(fixed, 2);
    // What they follow from is not swept: then that is what differs.
    const given_member unswept[] = {{"{seed: 1, network.width: 5}", "network.width=5"},
                                    {"{seed: 2, network.width: 6}", "network.width=6"}};
    expect_several(unswept, 2, (const char *const[]){"seed is 1 in", NULL});
}

static void test_keys_that_some_have_no_use_for(void **state)
{
    (void)state;
    const given_member given[] = {
        {"", "data.source=mixture seed=1"},
        {"{data: {source: points}}", "data.source=points seed=1"},
        {"{seed: 2, data: {source: points, points: {dimension: 7}}}", "data.source=points seed=2"}};
    expect_one(given, 2);
    expect_several(given, 3,
                   (const char *const[]){"data.points.dimension is 1000 in run0001 of b.h5 and 7 "
                                         "in run0002 of c.h5",
                                         NULL});
    const given_member unswept[] = {{"", "seed=1"}, {"{seed: 2, training.method: gd}", "seed=2"}};
    expect_several(unswept, 2, (const char *const[]){"training.method is sgd in", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_of_a_sweep),
        cmocka_unit_test(test_a_key_that_is_not_swept),
        cmocka_unit_test(test_the_keys_of_the_sweep),
        cmocka_unit_test(test_what_a_restart_may_change),
        cmocka_unit_test(test_values_that_follow_from_others),
        cmocka_unit_test(test_keys_that_some_have_no_use_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
