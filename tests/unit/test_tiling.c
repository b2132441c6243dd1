// The division of units: every unit in one tile, every tile on one rank, tiles independent of
// ranks.

#include "cmocka_all.h"

#include "widthwise/parallel.h"

static void test_every_unit_has_one_place(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 10, 127, 128, 129, 1000, 4096, 50001};
    static const int sizes[] = {1, 2, 3, 4, 7, 64};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        const ww_tiling whole = ww_tiling_make(widths[w], 0, 1);
        assert_int_equal(whole.local_units, widths[w]);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            int64_t tile = 0;
            int64_t unit = 0;
            for (int rank = 0; rank < sizes[s]; rank++) {
                const ww_tiling part = ww_tiling_make(widths[w], rank, sizes[s]);
                assert_int_equal(part.tile_units, whole.tile_units);
                assert_int_equal(part.tile_count, whole.tile_count);
                assert_int_equal(part.first_tile, tile);
                assert_int_equal(part.first_unit, unit);
                int64_t units = 0;
                for (int64_t i = 0; i < part.local_tiles; i++) {
                    units += ww_tile_size(&part, tile + i);
                    assert_int_equal(ww_tile_owner(&part, tile + i, sizes[s]), rank);
                }
                assert_int_equal(part.local_units, units);
                tile += part.local_tiles;
                unit += units;
            }
            assert_int_equal(tile, whole.tile_count);
            assert_int_equal(unit, widths[w]);
        }
    }
}

static void test_tiles_are_even_over_ranks(void **state)
{
    (void)state;
    for (int rank = 0; rank < 7; rank++) {
        const ww_tiling part = ww_tiling_make(100000, rank, 7);
        const int64_t even = part.tile_count / 7;
        assert_in_range(part.local_tiles, even, even + 1);
    }
}

static void test_huge_widths_keep_few_tiles(void **state)
{
    (void)state;
    static const int64_t widths[] = {INT64_C(1) << 21, (INT64_C(1) << 21) + 1, 1000000000,
                                     INT64_C(1000000000000)};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        const ww_tiling part = ww_tiling_make(widths[w], 9999, 10000);
        assert_true(part.tile_count <= 1 << 14);
        assert_true((part.tile_count - 1) * part.tile_units < widths[w]);
        assert_true(part.tile_count * part.tile_units >= widths[w]);
        assert_true(part.first_unit + part.local_units == widths[w]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_unit_has_one_place),
        cmocka_unit_test(test_tiles_are_even_over_ranks),
        cmocka_unit_test(test_huge_widths_keep_few_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
