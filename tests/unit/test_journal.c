/// The undo journal, and changes of structure that are cut short; one rank.

#include "store/hdf5_tools.h"
#include "store/journal.h"
#include "store/transaction.h"
#include "store_support.h"

#include <errno.h>
#include <sys/wait.h>

enum { FILE_BYTES = 3 * 1024 * 1024 + 77, MARK_OFFSET = 4000, WIDTH = 2000 };

typedef struct content {
    unsigned char *bytes;
    size_t size;
} content;

static content read_all(const char *path)
{
    content found = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    found.size = (size_t)ftell(file);
    rewind(file);
    found.bytes = malloc(found.size + 1);
    assert_non_null(found.bytes);
    assert_int_equal(fread(found.bytes, 1, found.size, file), found.size);
    fclose(file);
    return found;
}

static void write_all(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static bool same(const content *a, const content *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/// Bytes by a rule, different for each `seed`.
static void make_file(const char *path, unsigned seed, size_t size)
{
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    uint32_t word = seed * 2654435761U + 1U;
    for (size_t i = 0; i < size; i++) {
        word = word * 1664525U + 1013904223U;
        bytes[i] = (unsigned char)(word >> 24);
    }
    write_all(path, bytes, size);
    free(bytes);
}

static ww_journal_mark mark_of(const char *path)
{
    ww_journal_mark mark = {.offset = MARK_OFFSET};
    const int file = open(path, O_RDONLY);
    assert_int_equal(pread(file, mark.words, sizeof mark.words, MARK_OFFSET), sizeof mark.words);
    close(file);
    return mark;
}

static const ww_extent kept[] = {{70000, 4096}, {1 << 20, 1 << 20}, {FILE_BYTES - 10, 10}};

static void begin(const store_fixture *fixture)
{
    make_file(fixture->path, 1, FILE_BYTES);
    const ww_journal_mark mark = mark_of(fixture->path);
    CHECK_OK(ww_journal_begin(fixture->path, kept, 3, &mark, error));
    assert_true(ww_journal_exists(fixture->path));
}

/// Overwrites everything but the kept extents and the mark, and changes the size.
static void spoil(const char *path, size_t size)
{
    content file = read_all(path);
    unsigned char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    memset(bytes, 0x5a, size);
    for (size_t i = 0; i < 3; i++)
        memcpy(bytes + kept[i].offset, file.bytes + kept[i].offset, (size_t)kept[i].bytes);
    memcpy(bytes + MARK_OFFSET, file.bytes + MARK_OFFSET, 16);
    write_all(path, bytes, size);
    free(bytes);
    free(file.bytes);
}

static void puts_everything_back(void **state)
{
    const store_fixture *fixture = *state;
    make_file(fixture->path, 1, FILE_BYTES);
    const content before = read_all(fixture->path);
    begin(fixture);
    spoil(fixture->path, FILE_BYTES + 100000);
    bool recovered = false;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_true(recovered && !ww_journal_exists(fixture->path));
    const content after = read_all(fixture->path);
    assert_true(same(&before, &after));
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_false(recovered);
    free(before.bytes);
    free(after.bytes);
}

static void is_small_where_much_is_kept(void **state)
{
    const store_fixture *fixture = *state;
    begin(fixture);
    char name[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", fixture->path);
    struct stat journal;
    assert_int_equal(stat(name, &journal), 0);
    assert_in_range(journal.st_size, FILE_BYTES - 4096 - (1 << 20) - 10,
                    FILE_BYTES - 4096 - (1 << 20) + 1000);
}

static void damaged_journal_is_refused(void **state)
{
    const store_fixture *fixture = *state;
    begin(fixture);
    char name[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", fixture->path);
    const content journal = read_all(name);
    spoil(fixture->path, FILE_BYTES);
    const content spoiled = read_all(fixture->path);
    const size_t places[] = {0,
                             9,
                             17,
                             30,
                             40,
                             50,
                             60,
                             100,
                             130,
                             5000,
                             journal.size / 2,
                             journal.size - 1,
                             journal.size - 9};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        unsigned char *bytes = malloc(journal.size);
        assert_non_null(bytes);
        memcpy(bytes, journal.bytes, journal.size);
        bytes[places[i]] ^= 0x20U;
        write_all(name, bytes, journal.size);
        bool recovered = true;
        ww_error refusal = {0};
        assert_int_equal(ww_journal_recover(fixture->path, &recovered, &refusal), WW_FAILED);
        assert_true(store_says(&refusal, ".undo is damaged"));
        write_all(name, journal.bytes, places[i]); // cut off
        assert_int_equal(ww_journal_recover(fixture->path, &recovered, &refusal), WW_FAILED);
        assert_false(recovered);
        const content after = read_all(fixture->path);
        assert_true(same(&spoiled, &after));
        free(after.bytes);
        free(bytes);
    }
    write_all(name, journal.bytes, journal.size);
    bool recovered = false;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_true(recovered);
    free(journal.bytes);
    free(spoiled.bytes);
}

static void another_file_is_left_alone(void **state)
{
    const store_fixture *fixture = *state;
    begin(fixture);
    make_file(fixture->path, 2, FILE_BYTES);
    const content before = read_all(fixture->path);
    bool recovered = true;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_true(!recovered && !ww_journal_exists(fixture->path));
    const content after = read_all(fixture->path);
    assert_true(same(&before, &after));
    free(before.bytes);
    free(after.bytes);
}

static void copy_file(const char *from, const char *to)
{
    const content file = read_all(from);
    write_all(to, file.bytes, file.size);
    free(file.bytes);
}

/// Recovers, and expects that the journal undoes nothing and goes.
static void undoes_nothing(const store_fixture *fixture)
{
    const content before = read_all(fixture->path);
    bool recovered = true;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_true(!recovered && !ww_journal_exists(fixture->path));
    const content after = read_all(fixture->path);
    assert_true(same(&before, &after));
    free(before.bytes);
    free(after.bytes);
}

/// Journals that come back after their change counted, or meet the file as it was before.
static void stale_journal_undoes_nothing(void **state)
{
    const store_fixture *fixture = *state;
    char name[STORE_PATH + 8];
    char saved[STORE_PATH + 8];
    char backup[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", fixture->path);
    snprintf(saved, sizeof saved, "%s.saved", fixture->path);
    snprintf(backup, sizeof backup, "%s.backup", fixture->path);
    make_file(fixture->path, 1, FILE_BYTES);
    copy_file(fixture->path, backup);
    const ww_journal_mark before = mark_of(fixture->path);
    CHECK_OK(ww_journal_begin(fixture->path, kept, 3, &before, error));
    copy_file(name, saved);
    const ww_journal_mark during = mark_of(fixture->path);
    assert_true(during.words[0] == before.words[0] && during.words[1] != before.words[1]);
    spoil(fixture->path, FILE_BYTES + 500);
    CHECK_OK(ww_journal_end(fixture->path, &before, error));
    assert_false(ww_journal_exists(fixture->path));
    const ww_journal_mark done = mark_of(fixture->path);
    assert_true(done.words[0] == before.words[0] && done.words[1] != before.words[1] &&
                done.words[1] != during.words[1]);
    // The removal was lost, or the file has come back under a name where a journal was left.
    copy_file(saved, name);
    undoes_nothing(fixture);
    // The journal beside a backup from before the change.
    copy_file(saved, name);
    copy_file(backup, fixture->path);
    undoes_nothing(fixture);
    // And during another change, which has a journal of its own.
    const ww_journal_mark again = mark_of(fixture->path);
    CHECK_OK(ww_journal_begin(fixture->path, kept, 3, &again, error));
    copy_file(saved, name);
    undoes_nothing(fixture);
}

/// The journal stands beside the file, whatever link leads there.
static void links_lead_to_one_journal(void **state)
{
    const store_fixture *fixture = *state;
    char link[STORE_PATH + 16];
    snprintf(link, sizeof link, "%s/elsewhere", fixture->folder);
    assert_int_equal(mkdir(link, 0700), 0);
    snprintf(link, sizeof link, "%s/elsewhere/link.h5", fixture->folder);
    assert_int_equal(symlink(fixture->path, link), 0);
    make_file(fixture->path, 1, FILE_BYTES);
    const content before = read_all(fixture->path);
    const ww_journal_mark mark = mark_of(link);
    CHECK_OK(ww_journal_begin(link, kept, 3, &mark, error));
    assert_true(ww_journal_exists(link) && ww_journal_exists(fixture->path));
    char name[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", fixture->path);
    assert_int_equal(access(name, F_OK), 0);
    spoil(fixture->path, FILE_BYTES);
    bool recovered = false;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_true(recovered && !ww_journal_exists(link));
    const content after = read_all(fixture->path);
    assert_true(same(&before, &after));
    free(before.bytes);
    free(after.bytes);
}

static void half_written_journal_goes(void **state)
{
    const store_fixture *fixture = *state;
    make_file(fixture->path, 1, 100);
    char name[STORE_PATH + 16];
    snprintf(name, sizeof name, "%s.undo.tmp", fixture->path);
    write_all(name, (const unsigned char *)"half", 4);
    bool recovered = true;
    CHECK_OK(ww_journal_recover(fixture->path, &recovered, error));
    assert_false(recovered);
    assert_int_equal(access(name, F_OK), -1);
}

/// Layout of the file under test with another number of steps.
static ww_member_layout layout_of(int64_t steps)
{
    static const ww_fact steps_60[] = {{.name = "steps",
                                        .description = "Steps",
                                        .units = "steps",
                                        .is_integer = true,
                                        .integer = 60,
                                        .changes = true}};
    static const ww_fact steps_90[] = {{.name = "steps",
                                        .description = "Steps",
                                        .units = "steps",
                                        .is_integer = true,
                                        .integer = 90,
                                        .changes = true}};
    ww_member_layout layout = store_layout(0, WIDTH);
    layout.config_text = steps == STORE_STEPS ? "steps: 60\n" : "steps: 90\nlonger: true\n";
    layout.steps = steps;
    layout.records = 1 + steps / 10;
    layout.facts = steps == STORE_STEPS ? steps_60 : steps_90;
    layout.fact_count = 1;
    return layout;
}

static ww_status create(const store_fixture *fixture, ww_error *error)
{
    const ww_member_layout layout = layout_of(STORE_STEPS);
    const ww_provenance provenance = store_provenance();
    return ww_store_create(fixture->path, false, &provenance, &layout, 1, &fixture->world, error);
}

typedef struct cut_work {
    int replaced; ///< datasets that are replaced before the end
    bool dies;
} cut_work;

static const char *const columns[] = {"/runs/run0000/trajectory/step",
                                      "/runs/run0000/trajectory/zeta",
                                      "/runs/run0000/trajectory/alpha"};

/// Replaces some datasets; then fails, or the process ends without a word.
static ww_status work_cut_short(void *context, hid_t file, const char *file_name, ww_error *error)
{
    const cut_work *cut = context;
    for (int i = 0; i < cut->replaced; i++) {
        char path[STORE_PATH];
        snprintf(path, sizeof path, "%s", columns[i]);
        const ww_plan_item item = {.path = path,
                                   .type = i == 0 ? WW_PLAN_INTEGER : WW_PLAN_REAL,
                                   .rank = i == 2 ? 2 : 1,
                                   .extent = {50000, 3},
                                   .description = "Longer",
                                   .units = "1",
                                   .fill = WW_PLAN_BLANK};
        WW_TRY(ww_transaction_replace(file, file_name, &item, true, error));
    }
    if (cut->dies) {
        H5Fflush(file, H5F_SCOPE_GLOBAL);
        _exit(0);
    }
    return ww_fail(error, WW_FAILED, "enough");
}

/// Replaces a dataset, and keeps a copy of the journal of that.
static ww_status work_and_keep_journal(void *context, hid_t file, const char *file_name,
                                       ww_error *error)
{
    char name[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", file_name);
    copy_file(name, context);
    cut_work cut = {.replaced = 2, .dies = false};
    (void)work_cut_short(&cut, file, file_name, error);
    return WW_OK;
}

/// A job that died when its change counted, and before its journal was gone.
static void change_that_counts_stays(void **state)
{
    const store_fixture *fixture = *state;
    CHECK_OK(create(fixture, error));
    char name[STORE_PATH + 8];
    char saved[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s.undo", fixture->path);
    snprintf(saved, sizeof saved, "%s.saved", fixture->path);
    const ww_transaction transaction = {.touched = columns,
                                        .count = 3,
                                        .bytes = 1000,
                                        .work = work_and_keep_journal,
                                        .context = saved};
    CHECK_OK(ww_transaction_run(fixture->path, &transaction, error));
    const content done = read_all(fixture->path);
    copy_file(saved, name);
    ww_store_lock lock = {0};
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &lock, error));
    assert_false(lock.recovered);
    ww_store_unlock(&lock);
    assert_false(ww_journal_exists(fixture->path));
    const content after = read_all(fixture->path);
    assert_true(same(&done, &after));
    CHECK_OK(ww_store_check_structure(fixture->path, &fixture->world, error));
    free(done.bytes);
    free(after.bytes);
}

static void cut_short_is_undone(void **state)
{
    const store_fixture *fixture = *state;
    CHECK_OK(create(fixture, error));
    const content before = read_all(fixture->path);
    for (int round = 0; round < 8; round++) {
        cut_work cut = {.replaced = round % 4, .dies = round >= 4};
        const ww_transaction transaction = {
            .touched = columns, .count = 3, .bytes = 1000, .work = work_cut_short, .context = &cut};
        ww_error refusal = {0};
        if (cut.dies) {
            const pid_t child = fork();
            if (child == 0) {
                (void)ww_transaction_run(fixture->path, &transaction, &refusal);
                _exit(1);
            }
            int status = 1;
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_int_equal(status, 0);
        } else {
            // It fails by itself: then it is undone at once.
            assert_int_equal(ww_transaction_run(fixture->path, &transaction, &refusal), WW_FAILED);
            assert_true(store_says(&refusal, "enough; nothing was changed"));
            const content left = read_all(fixture->path);
            assert_true(same(&before, &left) && !ww_journal_exists(fixture->path));
            free(left.bytes);
            continue;
        }
        ww_file_summary summary;
        assert_int_equal(ww_store_summarize(fixture->path, &summary, &refusal), WW_FAILED);
        assert_true(store_says(&refusal, "is being changed, or such a change was cut short"));
        if (round % 2 == 0) {
            bool recovered = false;
            CHECK_OK(ww_store_recover(fixture->path, &fixture->world, &recovered, error));
            assert_true(recovered);
        } else {
            ww_store_lock lock = {0};
            CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &lock, error));
            assert_true(lock.recovered);
            ww_store_unlock(&lock);
        }
        const content after = read_all(fixture->path);
        assert_true(same(&before, &after));
        free(after.bytes);
    }
    free(before.bytes);
}

static void batch_of(void *context, size_t member, int64_t step, int64_t *indices)
{
    assert_int_equal(member, 0);
    store_batch(context, step, indices);
}

static ww_status reshape(const store_fixture *fixture, int64_t steps, ww_error *error)
{
    const ww_member_layout layout = layout_of(steps);
    const ww_store_changes changes = {.layouts = &layout, .count = 1, .batch = batch_of};
    return ww_store_reshape(fixture->path, &changes, &fixture->world, error);
}

/// Longer, shorter again, and to what it is already.
static void reshaped_member_opens(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = ww_tiling_make(WIDTH, 0, 1);
    CHECK_OK(create(fixture, error));
    const int64_t steps[] = {STORE_STEPS, 90, 90, STORE_STEPS};
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(reshape(fixture, steps[i], error));
        const ww_member_layout layout = layout_of(steps[i]);
        const ww_member_layout other = layout_of(150 - steps[i]);
        ww_store *store = NULL;
        ww_error refusal = {0};
        assert_int_equal(
            ww_store_open(fixture->path, &other, &fixture->world, &tiling, &store, &refusal),
            WW_FAILED);
        CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
        if (i == 0) {
            store_record record;
            store_record_begin(&record, &tiling);
            CHECK_OK(ww_store_write_record(store, &record.record, error));
            store_record_end(&record);
            for (int64_t step = 0; step <= 30; step += 10)
                CHECK_OK(store_append(store, step, error));
            CHECK_OK(store_write_checkpoint(store, &tiling, 30, WW_RUN_STOPPED, error));
        }
        int64_t step = -1;
        bool right = false;
        char notice[STORE_PATH];
        CHECK_OK(store_restore(store, &tiling, &step, &right, notice, error));
        assert_true(right && step == 30 && notice[0] == '\0' && ww_store_rows(store) == 4);
        double zeta[4];
        CHECK_OK(ww_store_read_scalar(store, 0, zeta, error));
        for (int64_t row = 0; row < 4; row++)
            assert_true(zeta[row] == store_value(10 * row, 0));
        ww_store_close(store);
        char report[4096];
        CHECK_OK(store_verify(fixture, report, error));
        assert_non_null(strstr(report, "record ok"));
        int64_t batch[STORE_BATCH];
        int64_t expected[STORE_BATCH];
        store_batch(NULL, steps[i], expected);
        store_peek(fixture->path, "/record/run0000/batches", steps[i] * (int64_t)sizeof batch,
                   batch, sizeof batch);
        assert_memory_equal(batch, expected, sizeof batch);
    }
    ww_error refusal = {0};
    assert_int_equal(reshape(fixture, 20, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "already made 30 steps"));
    ww_member_layout wider = layout_of(90);
    wider.width++;
    const ww_store_changes changes = {.layouts = &wider, .count = 1, .batch = batch_of};
    assert_int_equal(ww_store_reshape(fixture->path, &changes, &fixture->world, &refusal),
                     WW_FAILED);
    assert_true(store_says(&refusal, "is not what the configuration gives now"));
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(puts_everything_back, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(is_small_where_much_is_kept, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(damaged_journal_is_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(another_file_is_left_alone, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(stale_journal_undoes_nothing, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(links_lead_to_one_journal, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(change_that_counts_stays, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(half_written_journal_goes, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(cut_short_is_undone, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(reshaped_member_opens, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
