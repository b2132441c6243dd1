/// Merging through the library, and the look at a new file before it gets its name; one rank.

#include "store/hdf5_tools.h"
#include "store/journal.h"
#include "store/place.h"
#include "store/skeleton.h"
#include "store/transaction.h"
#include "store_support.h"

#include <sys/wait.h>

enum { WIDTH = 300, FILES = 2 };

/// Names of two files with one run each, and of what they are merged into.
typedef struct merge_names {
    char input[FILES][STORE_PATH], target[STORE_PATH];
} merge_names;

static merge_names make_inputs(const store_fixture *fixture)
{
    static const char *const labels[FILES] = {"seed=1", "seed=2"};
    merge_names names;
    snprintf(names.target, sizeof names.target, "%s/merged.h5", fixture->folder);
    for (int i = 0; i < FILES; i++) {
        snprintf(names.input[i], sizeof names.input[i], "%s/input%d.h5", fixture->folder, i);
        ww_member_layout layout = store_layout(3 - 2 * i, WIDTH); // the higher number first
        layout.label = labels[i];
        const ww_provenance provenance = store_provenance();
        CHECK_OK(ww_store_create(names.input[i], false, &provenance, &layout, 1, &fixture->world,
                                 error));
    }
    return names;
}

/// Merges both; what was reported is in `report` [size].
static ww_status merge(const merge_names *names, char *report, size_t size, ww_error *error)
{
    const char *const paths[FILES] = {names->input[0], names->input[1]};
    FILE *stream = tmpfile();
    assert_non_null(stream);
    const ww_status status = ww_store_merge(paths, FILES, names->target, false, stream, error);
    rewind(stream);
    report[fread(report, 1, size - 1, stream)] = '\0';
    fclose(stream);
    return status;
}

static void expect_both(const store_fixture *fixture, const char *path)
{
    ww_file_summary summary;
    CHECK_OK(ww_store_summarize(path, &summary, error));
    assert_int_equal(summary.member_count, FILES);
    assert_int_equal(summary.members[0].index, 1);
    assert_int_equal(summary.members[1].index, 3);
    assert_string_equal(summary.members[0].label, "seed=2");
    assert_int_equal(summary.members[0].state, WW_RUN_WAITING);
    assert_int_equal(summary.attempt_count, FILES);
    ww_file_summary_free(&summary);
    CHECK_OK(ww_store_verify(path, &fixture->world, NULL, error));
}

static void merges_by_number(void **state)
{
    const store_fixture *fixture = *state;
    const merge_names names = make_inputs(fixture);
    char report[STORE_PATH];
    CHECK_OK(merge(&names, report, sizeof report, error));
    assert_string_equal(report, "");
    expect_both(fixture, names.target);
    ww_error refusal = {0};
    assert_int_equal(merge(&names, report, sizeof report, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "merged.h5 exists already"));
    // The locks of the inputs are free again.
    for (int i = 0; i < FILES; i++) {
        ww_store_lock lock = {0};
        CHECK_OK(ww_store_lock_take(names.input[i], &fixture->world, &lock, error));
        ww_store_unlock(&lock);
    }
}

static ww_status die(void *context, hid_t file, const char *file_name, ww_error *error)
{
    (void)context;
    WW_TRY(ww_transaction_remove(file, file_name, "/runs/run0001/label", error));
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    _exit(0);
}

static void undoes_a_change_that_was_cut_short(void **state)
{
    const store_fixture *fixture = *state;
    const merge_names names = make_inputs(fixture);
    const ww_transaction transaction = {.work = die};
    const pid_t child = fork();
    if (child == 0) {
        (void)ww_transaction_run(names.input[1], &transaction, NULL);
        _exit(1);
    }
    int ended = 1;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_true(ww_journal_exists(names.input[1]));
    char report[2 * STORE_PATH];
    CHECK_OK(merge(&names, report, sizeof report, error));
    assert_non_null(strstr(report, "input1.h5: a change of its structure that was cut short has"));
    assert_false(ww_journal_exists(names.input[1]));
    expect_both(fixture, names.target);
}

static ww_status build_root(void *context, hid_t file, const char *file_name, ww_error *error)
{
    (void)context;
    return ww_skeleton_root(file, file_name, WW_EXPORT_FORMAT, error);
}

/// Sees a whole, closed file that has not its name yet; `context` is that name.
static ww_status object(void *context, const char *file_name, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    ww_error found = {0};
    assert_int_equal(ww_file_open_reading(file_name, &file, &found), WW_USAGE);
    assert_true(store_says(&found, "is an export"));
    assert_int_equal(access(context, F_OK), -1);
    return ww_fail(error, WW_FAILED, "not to my liking");
}

static void a_file_that_fails_its_check_is_not_made(void **state)
{
    store_fixture *fixture = *state;
    const ww_file_builder builder = {
        .copies = true, .build = build_root, .check = object, .context = fixture->path};
    ww_error refusal = {0};
    assert_int_equal(ww_place_file(fixture->path, false, &builder, &refusal), WW_FAILED);
    assert_string_equal(refusal.message, "not to my liking");
    assert_int_equal(access(fixture->path, F_OK), -1);
    char temporary[STORE_PATH + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", fixture->path);
    assert_int_equal(access(temporary, F_OK), -1);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(merges_by_number, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(undoes_a_change_that_was_cut_short, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_fails_its_check_is_not_made, store_setup,
                                        store_teardown),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
