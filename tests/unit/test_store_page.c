/// Commit pages, and which of what they say is taken.

#include "cmocka_all.h"
#include "store/page.h"
#include "widthwise/hash.h"

#include <string.h>

static ww_page sample(int64_t generation)
{
    ww_page page = ww_page_first();
    page.generation = generation;
    page.state = WW_RUN_STOPPED;
    page.rows = 41;
    page.rows_hash = UINT64_MAX - 4;
    page.last_step = 400;
    page.final_valid = true;
    page.final_hash = 6;
    page.theory_hash = 7;
    page.record_valid = true;
    page.record_hash = 8;
    page.snapshots = 2;
    page.snapshots_hash = 9;
    page.gram_hash = 10;
    page.attempt = 3;
    page.slot[0] = (ww_page_slot){true, 300, 11, 31, 12, 1, 13, 300};
    page.slot[1] = (ww_page_slot){true, 400, 14, 41, 15, 2, 16, 400};
    page.audits[WW_AUDIT_AT_END] = (ww_audit){WW_AUDIT_HOLDS, 399, 399, 17, 0, 18, 0.5};
    page.audits[WW_AUDIT_OF_STEPS] = (ww_audit){WW_AUDIT_FAILS, 19, 20, 21, 22, 23, -0.0};
    return page;
}

static void words_stand_where_the_layout_says(void **state)
{
    (void)state;
    static const struct {
        int place;
        int64_t word;
    } expected[] = {{1, 1},    {2, 6},    {3, 4},     {4, 41},
                    {5, -5},   {6, 400},  {7, 1},     {8, 6},
                    {9, 0},    {10, 7},   {11, 1},    {12, 8},
                    {13, 2},   {14, 9},   {15, 0},    {16, 10},
                    {17, 3},   {32, 1},   {33, 300},  {34, 11},
                    {35, 31},  {36, 12},  {37, 1},    {38, 13},
                    {39, 300}, {48, 1},   {49, 400},  {50, 14},
                    {51, 41},  {52, 15},  {53, 2},    {54, 16},
                    {55, 400}, {18, 0},   {31, 0},    {40, 0},
                    {510, 0},  {192, 1},  {193, 399}, {194, 399},
                    {195, 17}, {196, 0},  {197, 18},  {198, INT64_C(0x3FE0000000000000)},
                    {199, 0},  {208, 2},  {209, 19},  {210, 20},
                    {211, 21}, {212, 22}, {213, 23},  {214, INT64_MIN},
                    {215, 0}};
    int64_t words[WW_PAGE_WORDS];
    memset(words, 0xff, sizeof words);
    const ww_page page = sample(6);
    ww_page_encode(&page, words);
    assert_memory_equal(words, "WWCOMMIT", 8);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(words[expected[i].place], expected[i].word);
    assert_int_equal(words[511], ww_checksum(words, 511 * sizeof *words));
}

static void pages_come_back_equal(void **state)
{
    (void)state;
    int64_t words[WW_PAGE_WORDS];
    int64_t again[WW_PAGE_WORDS];
    const ww_page page = sample(7);
    ww_page back;
    ww_page_encode(&page, words);
    assert_true(ww_page_decode(words, 1, &back));
    ww_page_encode(&back, again);
    assert_memory_equal(words, again, sizeof words);
    assert_int_equal(back.slot[1].hash, 14);
    assert_true(back.record_valid && !back.theory_valid);
}

static void any_changed_bit_is_noticed(void **state)
{
    (void)state;
    int64_t words[WW_PAGE_WORDS];
    ww_page back;
    const ww_page page = sample(6);
    ww_page_encode(&page, words);
    for (int bit = 0; bit < WW_PAGE_WORDS * 64; bit += 37) {
        words[bit / 64] ^= (int64_t)((uint64_t)1 << (bit % 64));
        assert_false(ww_page_decode(words, 0, &back));
        words[bit / 64] ^= (int64_t)((uint64_t)1 << (bit % 64));
    }
    assert_true(ww_page_decode(words, 0, &back));
    assert_false(ww_page_decode(words, 1, &back)); // in the other page's place
    memset(words, 0, sizeof words);
    assert_false(ww_page_decode(words, 0, &back)); // never written
}

static void newest_valid_page_counts(void **state)
{
    (void)state;
    const ww_page pages[2] = {sample(8), sample(7)};
    const bool both[2] = {true, true};
    const bool second[2] = {false, true};
    const bool none[2] = {false, false};
    assert_int_equal(ww_page_newest(pages, both), 0);
    assert_int_equal(ww_page_newest(pages, second), 1);
    assert_int_equal(ww_page_newest(pages, none), -1);
}

static void spare_slot_is_never_the_newest(void **state)
{
    (void)state;
    ww_page page = sample(6);
    assert_int_equal(ww_page_newest_slot(&page), 1);
    assert_int_equal(ww_page_spare_slot(&page), 0);
    page.slot[0].step = 500;
    assert_int_equal(ww_page_spare_slot(&page), 1);
    page.slot[1].step = 500; // the same step, with more rows
    assert_int_equal(ww_page_newest_slot(&page), 1);
    page.slot[1].valid = false;
    assert_int_equal(ww_page_newest_slot(&page), 0);
    assert_int_equal(ww_page_spare_slot(&page), 1);
    page.slot[0].valid = false;
    assert_int_equal(ww_page_newest_slot(&page), -1);
    assert_int_equal(ww_page_spare_slot(&page), 0);
}

static void candidates_are_tried_best_first(void **state)
{
    (void)state;
    ww_page pages[2] = {sample(8), sample(9)};
    pages[0].slot[1].valid = false;
    bool valid[2] = {true, true};
    int page = -1;
    int slot = -1;
    static const int expected[][2] = {{1, 1}, {1, 0}, {0, 0}};
    for (int k = 0; k < 3; k++) {
        assert_true(ww_page_candidate(pages, valid, k, &page, &slot));
        assert_int_equal(page, expected[k][0]);
        assert_int_equal(slot, expected[k][1]);
    }
    assert_false(ww_page_candidate(pages, valid, 3, &page, &slot));
    valid[0] = false;
    assert_false(ww_page_candidate(pages, valid, 2, &page, &slot));
    valid[0] = true;
    pages[1].slot[0].valid = pages[1].slot[1].valid = false;
    assert_false(ww_page_candidate(pages, valid, 0, &page, &slot)); // the newest says: none
}

static void generation_avoids_the_page_stood_upon(void **state)
{
    (void)state;
    assert_int_equal(ww_page_next_generation(6, 0), 7);
    assert_int_equal(ww_page_next_generation(6, 1), 8);
    assert_int_equal(ww_page_next_generation(7, 1), 8);
    assert_int_equal(ww_page_next_generation(7, 0), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_stand_where_the_layout_says),
                                       cmocka_unit_test(pages_come_back_equal),
                                       cmocka_unit_test(any_changed_bit_is_noticed),
                                       cmocka_unit_test(newest_valid_page_counts),
                                       cmocka_unit_test(spare_slot_is_never_the_newest),
                                       cmocka_unit_test(candidates_are_tried_best_first),
                                       cmocka_unit_test(generation_avoids_the_page_stood_upon)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
