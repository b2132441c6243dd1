// Offsets of units, beside plain arrays of all pairs: whatever the order in which they come, units
// keep what is theirs, by rising sample, while others grow and take the memory that they leave.

#include "cmocka_all.h"
#include "train/lazy_offsets.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS = 200, SAMPLES = 300, CHANGES = 30000 };

typedef struct plain {
    double values[SAMPLES], early[SAMPLES];
    uint8_t marks[SAMPLES];
    bool is_there[SAMPLES];
} plain;

// The same numbers on all machines.
static uint64_t next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static void change(ww_lazy_offsets *offsets, ww_lazy_list *of, plain *beside, int64_t sample,
                   double value)
{
    int32_t place = -1;
    ww_error error = {0};
    assert_int_equal(ww_lazy_offsets_find(offsets, of, sample, &place, &error), WW_OK);
    assert_in_range(place, 0, of->count - 1);
    if (!beside->is_there[sample]) {
        assert_true(of->values[place] == 0.0);
        assert_int_equal(ww_lazy_marks(of)[place], 0);
    }
    beside->is_there[sample] = true;
    beside->values[sample] = of->values[place] = value;
    beside->early[sample] = ww_lazy_early(of)[place] = 2.0 * value;
    beside->marks[sample] = ww_lazy_marks(of)[place] = (uint8_t)(1 + sample % 3);
}

static void compare(const ww_lazy_list *of, const plain *beside)
{
    int32_t place = 0;
    for (int64_t i = 0; i < SAMPLES; i++) {
        if (!beside->is_there[i])
            continue;
        assert_true(place < of->count);
        assert_int_equal(ww_lazy_samples(of)[place], i);
        assert_true(of->values[place] == beside->values[i]);
        assert_true(ww_lazy_early(of)[place] == beside->early[i]);
        assert_int_equal(ww_lazy_marks(of)[place], beside->marks[i]);
        place++;
    }
    assert_int_equal(place, of->count);
    assert_true(of->room >= of->count);
}

// Few units have most of the offsets, and some have all samples.
static void test_any_order(void **state)
{
    (void)state;
    ww_lazy_offsets offsets = {0};
    ww_lazy_list *units = calloc(UNITS, sizeof *units);
    plain *beside = calloc(UNITS, sizeof *beside);
    assert_non_null(units);
    assert_non_null(beside);
    uint64_t numbers = 1;
    for (int i = 0; i < CHANGES; i++) {
        const uint64_t number = next_number(&numbers) % UNITS;
        const uint64_t unit = number * number * number / ((uint64_t)UNITS * UNITS);
        const int64_t sample = (int64_t)(next_number(&numbers) % SAMPLES);
        change(&offsets, &units[unit], &beside[unit], sample, (double)i + 0.25);
    }
    assert_int_equal(units[0].count, SAMPLES); // or the test would be too small
    for (int unit = 0; unit < UNITS; unit++)
        compare(&units[unit], &beside[unit]);
    ww_lazy_offsets_free(&offsets);
    assert_int_equal(offsets.block_count, 0);
    free(units);
    free(beside);
}

// Room that was asked for is there without a piece more; what was there stays.
static void test_reserve(void **state)
{
    (void)state;
    ww_lazy_offsets offsets = {0};
    ww_lazy_list unit = {0};
    plain beside = {0};
    ww_error error = {0};
    for (int64_t sample = 9; sample > 6; sample--)
        change(&offsets, &unit, &beside, sample, 0.5 * (double)sample);
    assert_int_equal(ww_lazy_offsets_reserve(&offsets, &unit, 100, &error), WW_OK);
    assert_true(unit.room >= 100);
    compare(&unit, &beside);
    const double *values = unit.values;
    for (int64_t sample = 100; unit.count < 100; sample++)
        change(&offsets, &unit, &beside, sample, -(double)sample);
    assert_ptr_equal(unit.values, values);
    compare(&unit, &beside);
    ww_lazy_offsets_free(&offsets);
}

// Pieces begin at lines of a cache, and what a unit leaves another one takes.
static void test_pieces(void **state)
{
    (void)state;
    ww_lazy_offsets offsets = {0};
    ww_lazy_list first = {0}, second = {0};
    ww_error error = {0};
    assert_int_equal(ww_lazy_offsets_reserve(&offsets, &first, 1, &error), WW_OK);
    const double *left = first.values;
    assert_int_equal((uintptr_t)left % 64, 0);
    assert_int_equal(ww_lazy_offsets_reserve(&offsets, &first, first.room + 1, &error), WW_OK);
    assert_int_equal((uintptr_t)first.values % 64, 0);
    assert_ptr_not_equal(first.values, left);
    assert_int_equal(ww_lazy_offsets_reserve(&offsets, &second, 1, &error), WW_OK);
    assert_ptr_equal(second.values, left);
    ww_lazy_offsets_free(&offsets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
