/// The file, damaged in one place after another: what counts is found, what does not is said.

#include "store_support.h"

#include <signal.h>
#include <sys/resource.h>

enum { WIDTH = 1000 };

/// Bytes of a row of inputs or weights, and of all hidden weights.
static const int64_t row_bytes = (int64_t)STORE_DIMENSION * 8;
static const int64_t hidden_bytes = (int64_t)WIDTH * STORE_DIMENSION * 8;

#define SLOT0 "/state/run0000/checkpoint0/"
#define SLOT1 "/state/run0000/checkpoint1/"
#define COMMIT "/state/run0000/commit"

enum { PAGE_BYTES = 4096 };

static ww_tiling tiling_of(const store_fixture *fixture)
{
    return ww_tiling_make(WIDTH, fixture->world.rank, fixture->world.size);
}

static ww_store *reopen(const store_fixture *fixture)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_tiling tiling = tiling_of(fixture);
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
    return store;
}

static void restore_to(const store_fixture *fixture, int64_t expected, const char *said)
{
    const ww_tiling tiling = tiling_of(fixture);
    ww_store *store = reopen(fixture);
    int64_t step = -2;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(store_restore(store, &tiling, &step, &right, notice, error));
    CHECK(right && step == expected);
    CHECK(said == NULL ? notice[0] == '\0' : strstr(notice, said) != NULL);
    ww_store_close(store);
}

/// A finished run with all that a file can hold: rows 0, 10, 20; slot 0 of step 10, slot 1 of
/// step 20.
static void make_whole(const store_fixture *fixture)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_tiling tiling = tiling_of(fixture);
    const ww_provenance provenance = store_provenance();
    const double values[] = {4, 3, 2, 1};
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
    restore_to(fixture, -1, NULL);
    ww_store *store = reopen(fixture);
    store_record all;
    store_record_begin(&all, &tiling);
    CHECK_OK(ww_store_write_record(store, &all.record, error));
    store_record_end(&all);
    CHECK_OK(store_append(store, 0, error));
    CHECK_OK(store_append(store, 10, error));
    CHECK_OK(store_write_snapshot(store, &tiling, 0, error));
    CHECK_OK(store_write_checkpoint(store, &tiling, 10, WW_RUN_RUNNING, error));
    CHECK_OK(store_append(store, 20, error));
    CHECK_OK(store_write_checkpoint(store, &tiling, 20, WW_RUN_RUNNING, error));
    CHECK_OK(ww_store_write_final(store, 0, values, error));
    CHECK_OK(ww_store_write_final(store, 1, values, error));
    CHECK_OK(ww_store_write_theory(store, 0, values, error));
    CHECK_OK(ww_store_finish(store, WW_RUN_DONE, "", error));
    ww_store_close(store);
}

static void verify_fails(const store_fixture *fixture, const char *said)
{
    char report[4096];
    ww_error error = {0};
    CHECK(store_verify(fixture, report, &error) == WW_FAILED);
    CHECK(store_says(&error, said) && store_says(&error, "1 of 1 runs fail"));
    CHECK(fixture->world.rank > 0 || strstr(report, "run0000: BAD") != NULL);
}

static void verify_passes(const store_fixture *fixture, const char *said)
{
    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
    CHECK(fixture->world.rank > 0 || strstr(report, said) != NULL);
}

static void newest_slot(void **state)
{
    const store_fixture *fixture = *state;
    // The first tile, the last unit, the last output weight, the carry.
    const struct {
        const char *dataset;
        int64_t skip;
    } places[] = {{SLOT1 "hidden_weights", 0},
                  {SLOT1 "hidden_weights", hidden_bytes - 1},
                  {SLOT1 "output_weights", STORE_OUTPUTS * WIDTH * 8 - 1},
                  {SLOT1 "engine_state", STORE_COLUMNS * WIDTH * 8 - 1},
                  {SLOT1 "carry", 8}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_whole(fixture);
        store_damage(fixture, places[i].dataset, places[i].skip);
        verify_fails(fixture, "newest checkpoint (slot 1, step 20) DAMAGED; newest good "
                              "checkpoint: slot 0, step 10");
        restore_to(fixture, 10,
                   "the checkpoint of step 20 of run0000 (slot 1) fails its checksum, "
                   "going back to the one of step 10 (slot 0)");
        // It is forgotten then, and the next checkpoint goes there.
        verify_passes(fixture, "2 records to step 10 ok; newest good checkpoint: slot 0, step 10");
        restore_to(fixture, 10, NULL);
    }
    const ww_tiling tiling = tiling_of(fixture);
    ww_store *store = reopen(fixture);
    CHECK_OK(store_append(store, 30, error));
    CHECK_OK(store_write_checkpoint(store, &tiling, 30, WW_RUN_RUNNING, error));
    ww_store_close(store);
    verify_passes(fixture, "newest good checkpoint: slot 1, step 30; spare checkpoint: slot 0");
}

static void spare_slot(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    store_damage(fixture, SLOT0 "hidden_weights", 77);
    verify_passes(fixture, "spare checkpoint: slot 0, step 10 not whole");
    restore_to(fixture, 20, NULL);
}

static void restore_fails(const store_fixture *fixture)
{
    const ww_tiling tiling = tiling_of(fixture);
    ww_store *store = reopen(fixture);
    int64_t step = -2;
    bool right = true;
    char notice[STORE_PATH];
    ww_error error = {0};
    CHECK(store_restore(store, &tiling, &step, &right, notice, &error) == WW_FAILED);
    CHECK(store_says(&error, "no checkpoint of run0000 is whole") && step == -1);
    ww_store_close(store);
}

static void both_slots(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    store_damage(fixture, SLOT0 "hidden_weights", 77);
    store_damage(fixture, SLOT1 "hidden_weights", 77);
    verify_fails(fixture, "NO GOOD CHECKPOINT");
    restore_fails(fixture);
    // Also where the older page knows rows that went when a restart went back.
    make_whole(fixture);
    store_damage(fixture, SLOT1 "hidden_weights", 77);
    restore_to(fixture, 10, "fails its checksum");
    store_damage(fixture, SLOT0 "hidden_weights", 77);
    verify_fails(fixture, "NO GOOD CHECKPOINT;");
    restore_fails(fixture);
}

/// The page that counts and the other one.
static int newest_page(const store_fixture *fixture, int64_t words[2][512])
{
    store_peek(fixture->path, COMMIT, 0, words, 2 * (size_t)PAGE_BYTES);
    return words[1][2] > words[0][2] ? 1 : 0;
}

static void newest_page_torn(void **state)
{
    const store_fixture *fixture = *state;
    int64_t before[2][512];
    int64_t after[2][512];
    make_whole(fixture);
    const int torn = newest_page(fixture, before);
    store_damage(fixture, COMMIT, torn * (int64_t)PAGE_BYTES + (int64_t)8 * 32);
    verify_passes(fixture, "running or interrupted; one commit page does not check");
    restore_to(fixture, 20, "one of the two commit pages of run0000 does not check");
    newest_page(fixture, after);
    CHECK(memcmp(before[1 - torn], after[1 - torn], PAGE_BYTES) == 0); // stood upon: not touched
    CHECK(after[torn][2] == before[1 - torn][2] + 1 && after[torn][17] == 1);
}

/// Reads or writes all of slot 0 behind the store's back.
static void slot_bytes(const store_fixture *fixture, bool put, char *bytes)
{
    static const char *const names[] = {SLOT0 "hidden_weights", SLOT0 "output_weights",
                                        SLOT0 "engine_state", SLOT0 "carry"};
    static const size_t sizes[] = {(size_t)WIDTH * STORE_DIMENSION * 8,
                                   (size_t)WIDTH * STORE_OUTPUTS * 8,
                                   (size_t)WIDTH * STORE_COLUMNS * 8, (size_t)STORE_CARRY * 8};
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < 4 && fixture->world.rank == 0; i++) {
        const int64_t offset = store_offset(fixture->path, names[i]);
        const int file = open(fixture->path, O_RDWR);
        const ssize_t moved =
            put ? pwrite(file, bytes, sizes[i], offset) : pread(file, bytes, sizes[i], offset);
        if (moved != (ssize_t)sizes[i])
            MPI_Abort(MPI_COMM_WORLD, 1);
        bytes += sizes[i];
        close(file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

/// The newest page checks, but only the older one names a checkpoint whose data are whole: the next
/// generation skips one, because the page stood upon must not be overwritten.
static void older_page_alone_is_right(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(fixture);
    int64_t before[2][512];
    int64_t after[2][512];
    char *bytes =
        calloc((size_t)WIDTH * (STORE_DIMENSION + STORE_OUTPUTS + STORE_COLUMNS) + STORE_CARRY, 8);
    make_whole(fixture);
    slot_bytes(fixture, false, bytes); // step 10
    ww_store *store = reopen(fixture);
    CHECK_OK(store_write_checkpoint(store, &tiling, 30, WW_RUN_RUNNING, error));
    ww_store_close(store);
    slot_bytes(fixture, true, bytes);
    free(bytes);
    store_damage(fixture, SLOT1 "hidden_weights", 0);
    const int newest = newest_page(fixture, before);
    restore_to(fixture, 10,
               "the checkpoint of step 30 of run0000 (slot 0) fails its checksum, "
               "going back to the one of step 10 (slot 0)");
    CHECK(newest_page(fixture, after) == newest);
    CHECK(after[newest][2] == before[newest][2] + 2);
    CHECK(memcmp(before[1 - newest], after[1 - newest], PAGE_BYTES) == 0);
    restore_to(fixture, 10, NULL);
}

static void both_pages(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    store_damage(fixture, COMMIT, 100);
    store_damage(fixture, COMMIT, PAGE_BYTES + 100);
    verify_fails(fixture, "NEITHER COMMIT PAGE CHECKS");
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_tiling tiling = tiling_of(fixture);
    ww_store *store = NULL;
    ww_error refusal = {0};
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &refusal) ==
          WW_FAILED);
    CHECK(store == NULL && store_says(&refusal, "neither commit page of run0000 checks"));
    ww_file_summary summary = {0};
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(!summary.members[0].page_valid[0] && !summary.members[0].page_valid[1]);
    ww_file_summary_free(&summary);
}

static void committed_data(void **state)
{
    const store_fixture *fixture = *state;
    const struct {
        const char *dataset;
        int64_t skip;
        const char *said;
    } places[] = {
        {"/runs/run0000/trajectory/step", 16, "3 records to step 20 DAMAGED"},
        {"/runs/run0000/trajectory/loss", (int64_t)2 * 32 + 31, "3 records to step 20 DAMAGED"},
        {"/runs/run0000/final/spectrum", 31, "final results DAMAGED"},
        {"/runs/run0000/theory/bound", 0, "predictions DAMAGED"},
        {"/record/run0000/train_inputs", 2400 * row_bytes, "record DAMAGED"},
        {"/record/run0000/test_labels", 0, "record DAMAGED"},
        {"/record/run0000/batches", (int64_t)STORE_STEPS * STORE_BATCH * 8 - 1, "record DAMAGED"},
        {"/record/run0000/initial_hidden_weights", 999, "record DAMAGED"},
        {"/record/run0000/initial_output_weights", 999, "record DAMAGED"},
        {"/snapshots/run0000/step", 0, "1 of 2 snapshots DAMAGED"},
        {"/snapshots/run0000/hidden_weights", hidden_bytes - 1, "1 of 2 snapshots DAMAGED"},
        {"/snapshots/run0000/output_weights", 0, "1 of 2 snapshots DAMAGED"}};
    make_whole(fixture);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        verify_passes(fixture, "final results ok; predictions ok; record ok; 1 of 2 snapshots ok");
        store_damage(fixture, places[i].dataset, places[i].skip);
        verify_fails(fixture, places[i].said);
        store_damage(fixture, places[i].dataset, places[i].skip); // turns the bit back
    }
    // What does not count may be anything.
    store_damage(fixture, "/runs/run0000/trajectory/loss", (int64_t)3 * 32);
    store_damage(fixture, "/snapshots/run0000/hidden_weights", hidden_bytes);
    verify_passes(fixture, "final results ok");
}

/// A restart keeps no damaged row and no damaged snapshot: it goes back to before the damage.
static void damage_before_checkpoints(void **state)
{
    const store_fixture *fixture = *state;
    const struct {
        const char *dataset;
        int64_t skip, step;
        const char *said;
    } places[] = {
        // Between both checkpoints; the step of the last row too, from which nothing is taken.
        {"/runs/run0000/trajectory/loss", (int64_t)2 * 32 + 31, 10,
         "the records before the checkpoint of step 20 of run0000 fail their checksum, going back "
         "to the one of step 10 (slot 0)"},
        {"/runs/run0000/trajectory/step", (int64_t)2 * 8 + 6, 10,
         "the records before the checkpoint of step 20"},
        // Before both.
        {"/runs/run0000/trajectory/alpha", 0, -1, "so the run begins anew from step 0"},
        {"/runs/run0000/trajectory/step", 15, -1, "so the run begins anew from step 0"},
        {"/snapshots/run0000/hidden_weights", 99, -1,
         "the snapshots before the checkpoint of step 20 of run0000 fail their checksum and no "
         "older checkpoint lies before the damage"}};
    const ww_tiling tiling = tiling_of(fixture);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_whole(fixture);
        store_damage(fixture, places[i].dataset, places[i].skip);
        restore_to(fixture, places[i].step, places[i].said);
        restore_to(fixture, places[i].step, NULL);
        ww_store *store = reopen(fixture);
        CHECK(ww_store_rows(store) == (places[i].step < 0 ? 0 : 2));
        for (int64_t step = places[i].step < 0 ? 0 : 20; step <= 30; step += 10)
            CHECK_OK(store_append(store, step, error));
        if (places[i].step < 0)
            CHECK_OK(store_write_snapshot(store, &tiling, 0, error));
        CHECK_OK(store_write_checkpoint(store, &tiling, 30, WW_RUN_RUNNING, error));
        ww_store_close(store);
        verify_passes(fixture, "4 records to step 30 ok; newest good checkpoint: slot");
        restore_to(fixture, 30, NULL);
    }
    // Whose weights were read and fail is no reason to use damaged rows.
    make_whole(fixture);
    store_damage(fixture, "/runs/run0000/trajectory/loss", (int64_t)2 * 32);
    store_damage(fixture, SLOT0 "hidden_weights", 77);
    restore_to(fixture, -1, "the records before the checkpoint of step 20");
}

/// Bits turned round while the run goes on: it does not end as if all were well, and a restart
/// makes anew what was damaged.
static void damage_under_the_feet(void **state)
{
    const store_fixture *fixture = *state;
    const struct {
        const char *dataset;
        int64_t skip;
        const char *said;
        int64_t step; ///< that a restart goes on from
    } places[] = {
        {"/runs/run0000/trajectory/step", 5, "the records fail their checksum", -1},
        {"/runs/run0000/trajectory/zeta", 23, "the records fail their checksum", 10},
        {"/runs/run0000/final/answer", 2, "the final results fail their checksum", 20},
        {"/runs/run0000/theory/bound", 3, "the predictions fail their checksum", 20},
        {"/record/run0000/initial_hidden_weights", hidden_bytes - 1, "what was recorded for a", 20},
        {"/snapshots/run0000/hidden_weights", hidden_bytes - 1, "the snapshots fail", -1},
        {SLOT1 "hidden_weights", hidden_bytes - 1, "the newest checkpoint fail", 10}};
    const ww_run_state ends[] = {WW_RUN_DONE, WW_RUN_DIVERGED};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_whole(fixture);
        restore_to(fixture, 20, NULL);
        ww_store *store = reopen(fixture);
        const double values[] = {4, 3, 2, 1};
        CHECK_OK(store_append(store, 30, error)); // pending until the end
        CHECK_OK(ww_store_write_final(store, 0, values, error));
        CHECK_OK(ww_store_write_final(store, 1, values, error));
        CHECK_OK(ww_store_write_theory(store, 0, values, error));
        store_damage(fixture, places[i].dataset, places[i].skip);
        ww_error refusal = {0};
        CHECK(ww_store_finish(store, ends[i % 2], "", &refusal) == WW_FAILED);
        CHECK(store_says(&refusal, places[i].said) && store_says(&refusal, "widthwise resume"));
        ww_store_close(store);
        ww_file_summary summary = {0};
        CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
        CHECK(summary.members[0].state == WW_RUN_RUNNING && !summary.members[0].final_valid);
        CHECK(summary.members[0].rows == 3);
        ww_file_summary_free(&summary);
        const bool said = places[i].step < 20;
        restore_to(fixture, places[i].step, said ? "fail" : NULL);
    }
}

/// What was recorded for a replay is found to be damaged, and can be written again.
static void damaged_record(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(fixture);
    make_whole(fixture);
    for (int damaged = 0; damaged < 2; damaged++) {
        if (damaged == 1)
            store_damage(fixture, "/record/run0000/batches", 99);
        ww_store *store = reopen(fixture);
        bool holds = damaged == 1;
        CHECK_OK(ww_store_check_record(store, &holds, error));
        CHECK(holds == (damaged == 0));
        if (!holds) {
            store_record all;
            store_record_begin(&all, &tiling);
            CHECK_OK(ww_store_write_record(store, &all.record, error));
            store_record_end(&all);
        }
        ww_store_close(store);
        verify_passes(fixture, "record ok");
    }
    restore_to(fixture, 20, NULL);
}

/// One rank cannot write: all get its sentence, nobody hangs, and what was committed stands.
static void failed_write(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(fixture);
    make_whole(fixture);
    ww_store *store = reopen(fixture);
    // The last rank that owns a tile may write below the spare slot only.
    int failing = fixture->world.size - 1;
    const bool fails = fixture->world.rank == failing;
    const int64_t limit = store_offset(fixture->path, SLOT0 "hidden_weights");
    struct rlimit old;
    struct rlimit low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = (rlim_t)limit;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ww_error refusal = {0};
    MPI_Barrier(MPI_COMM_WORLD);
    if (fails)
        setrlimit(RLIMIT_FSIZE, &low);
    const ww_status status = store_write_checkpoint(store, &tiling, 30, WW_RUN_RUNNING, &refusal);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    CHECK(status == WW_FAILED);
    CHECK(store_says(&refusal, "cannot write " SLOT0 "hidden_weights: File too large; what was "
                               "committed before is intact"));
    // The store itself can go on once there is room.
    CHECK_OK(store_append(store, 30, error));
    CHECK_OK(store_write_checkpoint(store, &tiling, 30, WW_RUN_RUNNING, error));
    ww_store_close(store);
    verify_passes(fixture, "newest good checkpoint: slot 0, step 30; spare checkpoint: slot 1, "
                           "step 20");
    restore_to(fixture, 30, NULL);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newest_slot, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(spare_slot, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(both_slots, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(newest_page_torn, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(older_page_alone_is_right, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(both_pages, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(committed_data, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(damage_before_checkpoints, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(damage_under_the_feet, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(damaged_record, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(failed_write, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
