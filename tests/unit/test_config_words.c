// What configurations are made of: numbers, characters, names that are nearly right, the table of
// keys.
#include "config_support.h"

#include "widthwise/text.h"

#include <string.h>

static void test_integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool integer, in_range;
        int64_t value;
    } cases[] = {
        {"0", true, true, 0},
        {"-7", true, true, -7},
        {"1e5", true, true, 100000},
        {"12E+3", true, true, 12000},
        {"2.5e3", true, true, 2500},
        {"1500e-2", true, true, 15},
        {"0e99999999999999999999", true, true, 0},
        {"0.0e5", true, true, 0},
        {"0e-3", true, true, 0},
        {"-0", true, true, 0},
        {"007", true, true, 7},
        {"9007199254740993", true, true, 9007199254740993},
        {"9223372036854775807", true, true, INT64_MAX},
        {"-9223372036854775808", true, true, INT64_MIN},
        {"9223372036854775808", true, false, 0},
        {"1e19", true, false, 0},
        {"1e99999999999999999999", true, false, 0},
        {"2.5", false, false, 0},
        {"1.0", false, false, 0},
        {"2.5e0", false, false, 0},
        {"1e-1", false, false, 0},
        {"", false, false, 0},
        {"-", false, false, 0},
        {"e5", false, false, 0},
        {"1e", false, false, 0},
        {"1e+", false, false, 0},
        {"+1", false, false, 0},
        {" 1", false, false, 0},
        {"1 ", false, false, 0},
        {"0x1", false, false, 0},
        {"1.2.3", false, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 0;
        bool in_range = true;
        if (ww_scan_integer(cases[i].text, &value, &in_range) != cases[i].integer)
            fail_msg("%s", cases[i].text);
        if (!cases[i].integer)
            continue;
        assert_int_equal(in_range, cases[i].in_range);
        if (in_range)
            assert_true(value == cases[i].value);
    }
    double real = 0.0;
    bool in_range = false;
    assert_true(ww_scan_real(".5e1", &real, &in_range) && in_range && real == 5.0);
    assert_true(ww_scan_real("-3.", &real, &in_range) && in_range && real == -3.0);
    assert_true(ww_scan_real("1e400", &real, &in_range) && !in_range);
    assert_false(ww_scan_real(".", &real, &in_range));
    assert_false(ww_scan_real("infinity", &real, &in_range));
    assert_false(ww_scan_real("1e5 ", &real, &in_range));
}

static void test_characters_are_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t character;
    } cases[] = {{"a", 'a'},
                 {"\xC3\xA9", 0xE9},
                 {"\xE2\x82\xAC", 0x20AC},
                 {"\xF0\x9F\x98\x80", 0x1F600},
                 {"\x80", -1},
                 {"\xC3", -1},
                 {"\xC0\x80", -1},         // longer than it need be
                 {"\xED\xA0\x80", -1},     // half of a pair of UTF-16
                 {"\xF4\x90\x80\x80", -1}, // beyond Unicode
                 {"\xFF", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        assert_int_equal(ww_next_character(&text), cases[i].character);
        assert_int_equal(text - cases[i].text,
                         cases[i].character < 0 ? 0 : (long)strlen(cases[i].text));
    }
}

static void test_nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"loss",          "coupling",       "distance",
                                        "test_accuracy", "train_accuracy", "gd"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"los", "loss"},
        {"lsos", "loss"}, // an exchange is one edit
        {"cuopling", "coupling"},
        {"distances", "distance"},
        {"tset_acuracy", "test_accuracy"},
        {"trian_accuracy", "train_accuracy"},
        {"gg", "gd"},
        {"dg", "gd"},
        {"loss", "loss"},
        {"momentum", NULL},
        {"x", NULL},
        {"", NULL},
        {"xy", NULL},
        {"abcd", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *near = ww_nearest(cases[i].word, words, sizeof words / sizeof words[0]);
        if (cases[i].nearest == NULL)
            assert_null(near);
        else if (near == NULL || strcmp(near, cases[i].nearest) != 0)
            fail_msg("%s: %s", cases[i].word, near == NULL ? "nothing" : near);
    }
    assert_null(ww_nearest("loss", words, 0));
    static char long_word[1001];
    memset(long_word, 'l', 1000);
    assert_null(ww_nearest(long_word, words, 6));
    const char *const long_words[] = {long_word, "loss"};
    assert_ptr_equal(ww_nearest("lossy", long_words, 2), long_words[1]);
}

// What the code relies on in the table of keys.
static void test_table_is_in_order(void **state)
{
    (void)state;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        assert_int_equal(ww_key_find(key->path), index); // unique, too
        assert_true(strlen(key->path) < WW_PATH_LIMIT);
        assert_int_equal(key->choices != NULL,
                         key->type == WW_KEY_CHOICE || key->type == WW_KEY_CHOICE_LIST);
        const char *help = key->help;
        assert_true(help[strlen(help) - 1] == '.');
        if (key->condition != NULL) {
            const size_t condition = ww_key_find(key->condition);
            assert_true(condition < index);
            assert_int_equal(ww_key_at(condition)->type, WW_KEY_CHOICE);
        }
        for (size_t model = 0; model < WW_MODEL_COUNT; model++) {
            size_t times = 0;
            for (const ww_preset_value *value = ww_preset_of((ww_model)model)->values;
                 value->path != NULL; value++)
                times += strcmp(value->path, key->path) == 0;
            if (key->default_from == WW_DEFAULT_NONE) // a preset may give what is required
                assert_true(times <= 1);
            else
                assert_int_equal(times, key->default_from == WW_DEFAULT_MODEL ? 1 : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_characters_are_utf8),
        cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_table_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
