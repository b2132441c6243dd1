/// The legend of an export: a row for each name, and one for each dataset of which something else
/// is said.

#include "cmocka_all.h"
#include "store/legend.h"

#include <stdio.h>
#include <string.h>

static void note(ww_legend *legend, char *path, const char *units, const char *source)
{
    ww_error error = {0};
    const ww_plan_item item = {
        .path = path, .description = "What it is", .units = units, .source = source};
    assert_int_equal(ww_legend_note(legend, &item, &error), WW_OK);
}

static const char *text_of(const ww_plan_item *item, size_t row)
{
    return (const char *)item->value + row * item->text_size;
}

static void test_rows(void **state)
{
    (void)state;
    ww_legend legend = {0};
    char loss0[] = "/runs/run0000/trajectory/loss", loss1[] = "/runs/run0001/trajectory/loss";
    char loss2[] = "/runs/run0002/trajectory/loss", weights[] = "/weights/run12345/step";
    char ranks[] = "/provenance/attempts/first_run", runner[] = "/runs/run0001/theory/runtime";
    note(&legend, loss0, "nat", NULL);
    note(&legend, loss1, "1", "AR 3.1"); // another unit
    note(&legend, loss1, "1", "AR 3.1"); // once is enough
    note(&legend, loss2, "nat", "");     // as the first
    note(&legend, weights, "steps", NULL);
    note(&legend, ranks, "1", NULL);
    note(&legend, runner, "1", "ZG 4.2");
    static const char *const expected[][3] = {
        {"/runs/trajectory/loss", "nat", ""},    {"/runs/run0001/trajectory/loss", "1", "AR 3.1"},
        {"/weights/step", "steps", ""},          {"/provenance/attempts/first_run", "1", ""},
        {"/runs/theory/runtime", "1", "ZG 4.2"},
    };
    const size_t rows = sizeof expected / sizeof expected[0];
    ww_plan plan = {0};
    ww_error error = {0};
    assert_int_equal(ww_legend_plan(&legend, &plan, &error), WW_OK);
    assert_int_equal(plan.count, WW_LEGEND_COLUMNS);
    static const char *const paths[] = {"/legend/path", "/legend/units", "/legend/description",
                                        "/legend/source"};
    static const int column[] = {WW_LEGEND_PATH, WW_LEGEND_UNITS, WW_LEGEND_SOURCE};
    int64_t bytes = 0;
    for (size_t c = 0; c < plan.count; c++) {
        assert_string_equal(plan.items[c].path, paths[c]);
        assert_int_equal(plan.items[c].type, WW_PLAN_TEXT);
        assert_int_equal(plan.items[c].rank, 1);
        assert_int_equal(plan.items[c].extent[0], rows);
        bytes += (int64_t)(rows * plan.items[c].text_size);
    }
    assert_int_equal(plan.bytes, bytes);
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = 0; c < sizeof column / sizeof column[0]; c++)
            assert_string_equal(text_of(&plan.items[column[c]], row), expected[row][c]);
        assert_string_equal(text_of(&plan.items[WW_LEGEND_DESCRIPTION], row), "What it is");
    }
    assert_int_equal(plan.items[WW_LEGEND_PATH].text_size, strlen(ranks) + 1); // the longest
    ww_plan_free(&plan);
    ww_legend_free(&legend);
}

static void test_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    ww_legend legend = {0};
    for (int i = 0; i < ROWS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/runs/run%04d/final/result%d", i, i);
        note(&legend, path, "1", NULL);
    }
    ww_plan plan = {0};
    ww_error error = {0};
    assert_int_equal(ww_legend_plan(&legend, &plan, &error), WW_OK);
    assert_int_equal(plan.items[WW_LEGEND_PATH].extent[0], ROWS);
    assert_string_equal(text_of(&plan.items[WW_LEGEND_PATH], 977), "/runs/final/result977");
    ww_plan_free(&plan);
    ww_legend_free(&legend);
}

static void test_nothing(void **state)
{
    (void)state;
    ww_legend legend = {0};
    ww_plan plan = {0};
    ww_error error = {0};
    assert_int_equal(ww_legend_plan(&legend, &plan, &error), WW_OK);
    assert_int_equal(plan.count, 0);
    ww_legend_free(&legend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
