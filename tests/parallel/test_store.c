/// The file, written and read by all ranks: rows, checkpoints, results, record, snapshots,
/// restarts.

#include "store_support.h"
#include "widthwise/hash.h"

enum { WIDE = 1000, NARROW = 300 }; // eight tiles and three: some ranks have none of the three

static ww_tiling tiling_of(const ww_parallel *parallel, int64_t width)
{
    return ww_tiling_make(width, parallel->rank, parallel->size);
}

static void make(const store_fixture *fixture)
{
    const ww_member_layout layouts[] = {store_layout(0, WIDE), store_layout(3, NARROW)};
    const ww_provenance provenance = store_provenance();
    CHECK_OK(
        ww_store_create(fixture->path, false, &provenance, layouts, 2, &fixture->world, error));
}

static ww_store *reopen(const store_fixture *fixture, int64_t index, int64_t width,
                        const ww_tiling *tiling)
{
    const ww_member_layout layout = store_layout(index, width);
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, tiling, &store, error));
    return store;
}

/// Reopens, restores and compares; the store is left open.
static ww_store *resume(const store_fixture *fixture, const ww_tiling *tiling, int64_t expected)
{
    ww_store *store = reopen(fixture, 0, WIDE, tiling);
    int64_t step = -2;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(store_restore(store, tiling, &step, &right, notice, error));
    CHECK(right && step == expected && notice[0] == '\0');
    return store;
}

static void append(ww_store *store, int64_t step)
{
    CHECK_OK(store_append(store, step, error));
}

static void checkpoint(ww_store *store, const ww_tiling *tiling, int64_t step)
{
    CHECK_OK(store_write_checkpoint(store, tiling, step, WW_RUN_RUNNING, error));
}

/// Steps 0, 10 and 20 with rows, checkpoints of 10 and 20.
static void begin(const store_fixture *fixture, const ww_tiling *tiling)
{
    make(fixture);
    ww_store *store = resume(fixture, tiling, -1);
    append(store, 0);
    append(store, 10);
    checkpoint(store, tiling, 10);
    append(store, 20);
    checkpoint(store, tiling, 20);
    ww_store_close(store);
}

static void checkpoints_alternate_and_restore(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    begin(fixture, &tiling);
    // Each slot holds its step, value for value, at the place of its global index.
    static const char *const names[][2] = {
        {"/state/run0000/checkpoint0/hidden_weights", "/state/run0000/checkpoint0/output_weights"},
        {"/state/run0000/checkpoint1/hidden_weights", "/state/run0000/checkpoint1/output_weights"}};
    static double hidden[WIDE][STORE_DIMENSION];
    static double output[STORE_OUTPUTS][WIDE];
    for (int s = 0; s < 2; s++) {
        const int64_t step = 10 * ((int64_t)s + 1);
        bool right = true;
        store_peek(fixture->path, names[s][0], 0, hidden, sizeof hidden);
        store_peek(fixture->path, names[s][1], 0, output, sizeof output);
        for (int64_t r = 0; r < WIDE; r++) {
            for (int64_t j = 0; j < STORE_DIMENSION; j++)
                right = right && hidden[r][j] == store_hidden(r, j, step);
            for (int64_t o = 0; o < STORE_OUTPUTS; o++)
                right = right && output[o][r] == store_output(r, o, step);
        }
        CHECK(right);
    }
    ww_store *store = resume(fixture, &tiling, 20);
    CHECK(ww_store_rows(store) == 3);
    append(store, 30);
    checkpoint(store, &tiling, 30); // into the slot of step 10
    ww_store_close(store);
    store_peek(fixture->path, names[0][0], 0, hidden, sizeof hidden);
    CHECK(hidden[7][1] == store_hidden(7, 1, 30));
    store_peek(fixture->path, names[1][0], 0, hidden, sizeof hidden);
    CHECK(hidden[7][1] == store_hidden(7, 1, 20));
    store = resume(fixture, &tiling, 30);
    ww_store_close(store);
}

/// The hashes in the page, against the plain definition over values that never were in a file.
static void page_holds_the_defined_hashes(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    begin(fixture, &tiling);
    int64_t words[2][512];
    store_peek(fixture->path, "/state/run0000/commit", 0, words, sizeof words);
    const int64_t *page = words[0][2] > words[1][2] ? words[0] : words[1];
    CHECK(memcmp(page, "WWCOMMIT", 8) == 0 && page[1] == 1);
    CHECK(page[2] == 3); // begun, two checkpoints
    CHECK(page[3] == WW_RUN_RUNNING && page[4] == 3 && page[6] == 20);
    CHECK((uint32_t)page[511] == ww_checksum(page, 511 * sizeof *page));
    uint64_t rows = 0;
    static const char *const fields[] = {"zeta", "alpha", "loss"};
    static const int64_t sizes[] = {1, 3, 4};
    for (int64_t row = 0; row < 3; row++) {
        const int64_t step = 10 * row;
        rows +=
            ww_hash_block(&step, 8, ww_hash_name("/runs/run0000/trajectory/step"), (uint64_t)row);
        int64_t place = 0;
        for (int f = 0; f < 3; f++) {
            char name[64];
            double values[4];
            snprintf(name, sizeof name, "/runs/run0000/trajectory/%s", fields[f]);
            for (int64_t i = 0; i < sizes[f]; i++)
                values[i] = store_value(step, place++);
            rows += ww_hash_block(values, (size_t)sizes[f] * 8, ww_hash_name(name), (uint64_t)row);
        }
    }
    CHECK((uint64_t)page[5] == rows);
    uint64_t slot = 0;
    for (int64_t tile = 0; tile < tiling.tile_count; tile++) {
        const int64_t units = ww_tile_size(&tiling, tile);
        const size_t most = (size_t)tiling.tile_units * STORE_COLUMNS;
        double *block = calloc(most, sizeof *block);
        for (int64_t u = 0; u < units; u++)
            for (int64_t j = 0; j < STORE_DIMENSION; j++)
                block[u * STORE_DIMENSION + j] = store_hidden(tile * tiling.tile_units + u, j, 20);
        slot += ww_hash_block(block, (size_t)(units * STORE_DIMENSION) * 8,
                              ww_hash_name("/state/run0000/checkpoint1/hidden_weights"),
                              (uint64_t)tile);
        for (int64_t o = 0; o < STORE_OUTPUTS; o++)
            for (int64_t u = 0; u < units; u++)
                block[o * units + u] = store_output(tile * tiling.tile_units + u, o, 20);
        slot += ww_hash_block(block, (size_t)(units * STORE_OUTPUTS) * 8,
                              ww_hash_name("/state/run0000/checkpoint1/output_weights"),
                              (uint64_t)tile);
        for (int64_t u = 0; u < units; u++)
            for (int64_t j = 0; j < STORE_COLUMNS; j++)
                block[u * STORE_COLUMNS + j] = store_state(tile * tiling.tile_units + u, j, 20);
        slot +=
            ww_hash_block(block, (size_t)(units * STORE_COLUMNS) * 8,
                          ww_hash_name("/state/run0000/checkpoint1/engine_state"), (uint64_t)tile);
        free(block);
    }
    const double carry[] = {store_value(20, 100), store_value(20, 101)};
    slot += ww_hash_block(carry, sizeof carry, ww_hash_name("/state/run0000/checkpoint1/carry"), 0);
    CHECK(page[48] == 1 && page[49] == 20 && (uint64_t)page[50] == slot);
    CHECK(page[51] == 3 && (uint64_t)page[52] == rows);
    CHECK(page[32] == 1 && page[33] == 10 && page[35] == 2);
    CHECK(page[39] == 10 && page[55] == 20); // steps of the last rows
}

/// Training that is found at rest goes back: the last checkpoint counts, though the one before is
/// of a later step.
static void checkpoint_of_an_earlier_step_counts(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    begin(fixture, &tiling);
    ww_store *store = resume(fixture, &tiling, 20);
    CHECK_OK(store_write_checkpoint(store, &tiling, 15, WW_RUN_RUNNING, error));
    ww_store_close(store);
    store = resume(fixture, &tiling, 15);
    CHECK(ww_store_rows(store) == 3);
    CHECK_OK(store_write_checkpoint(store, &tiling, 40, WW_RUN_RUNNING, error));
    ww_store_close(store);
    ww_store_close(resume(fixture, &tiling, 40));
}

static void another_number_of_ranks_goes_on(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    begin(fixture, &tiling);
    // Rank 0 alone, then all but rank 0 (where there are any), then all again.
    for (int group = 0; group < 2; group++) {
        const bool member = group == 0 ? fixture->world.rank == 0
                                       : fixture->world.rank > 0 || fixture->world.size == 1;
        MPI_Comm part = MPI_COMM_NULL;
        MPI_Comm_split(MPI_COMM_WORLD, member ? 0 : MPI_UNDEFINED, 0, &part);
        bool right = true;
        if (member) {
            ww_error error = {0};
            ww_parallel parallel = {0};
            ww_store *store = NULL;
            int64_t step = -2;
            char notice[STORE_PATH];
            const ww_member_layout layout = store_layout(0, WIDE);
            right = ww_parallel_create(part, &parallel, &error) == WW_OK;
            const ww_tiling own = tiling_of(&parallel, WIDE);
            right = right &&
                    ww_store_open(fixture->path, &layout, &parallel, &own, &store, &error) == WW_OK;
            bool equal = false;
            right = right && store_restore(store, &own, &step, &equal, notice, &error) == WW_OK;
            right = right && equal && step == 20 + 10 * group && notice[0] == '\0';
            right = right && store_append(store, step + 10, &error) == WW_OK;
            right = right &&
                    store_write_checkpoint(store, &own, step + 10, WW_RUN_STOPPED, &error) == WW_OK;
            ww_store_close(store);
            ww_parallel_destroy(&parallel);
            MPI_Comm_free(&part);
            if (!right)
                fprintf(stderr, "%s\n", error.message);
        }
        CHECK(right);
    }
    ww_store *store = resume(fixture, &tiling, 40);
    CHECK(ww_store_rows(store) == 5);
    ww_store_close(store);
    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
}

static void rows_roll_back(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    begin(fixture, &tiling);
    ww_store *store = resume(fixture, &tiling, 20);
    append(store, 30);
    append(store, 40);
    CHECK_OK(ww_store_commit_rows(store, error));
    append(store, 50);
    // Pending rows count for those who ask the store, in the order of the layout's fields.
    double values[STORE_RECORDS];
    int64_t steps[STORE_RECORDS];
    CHECK(ww_store_rows(store) == 6);
    CHECK_OK(ww_store_read_scalar(store, 0, values, error));
    CHECK_OK(ww_store_read_steps(store, steps, error));
    for (int64_t i = 0; i < 6; i++)
        CHECK(steps[i] == 10 * i && values[i] == store_value(10 * i, 0));
    ww_store_close(
        store); // as a job that dies: the pending row is lost, two committed ones go back
    ww_file_summary summary = {0};
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(summary.members[0].rows == 5 && summary.members[0].last_step == 40);
    ww_file_summary_free(&summary);
    store = resume(fixture, &tiling, 20);
    CHECK(ww_store_rows(store) == 3);
    ww_store_close(store);
    double matrix[STORE_RECORDS][4];
    store_peek(fixture->path, "/runs/run0000/trajectory/step", 0, steps, sizeof steps);
    store_peek(fixture->path, "/runs/run0000/trajectory/loss", 0, matrix, sizeof matrix);
    for (int64_t i = 0; i < STORE_RECORDS; i++)
        for (int64_t c = 0; c < 4; c++)
            CHECK(i < 3 ? steps[i] == 10 * i && matrix[i][c] == store_value(10 * i, 4 + c)
                        : steps[i] == -1 && isnan(matrix[i][c]));
    store = resume(fixture, &tiling, 20);
    for (int64_t step = 30; step <= 60; step += 10)
        append(store, step);
    checkpoint(store, &tiling, 60);
    CHECK(ww_store_rows(store) == STORE_RECORDS);
    ww_store_close(store);
    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
}

static void write_results(ww_store *store)
{
    const double spectrum[] = {4, 3, 2, 1};
    const double answer = 42;
    const double bound = 0.5;
    CHECK_OK(ww_store_write_final(store, 0, spectrum, error));
    CHECK_OK(ww_store_write_final(store, 1, &answer, error));
    CHECK_OK(ww_store_write_theory(store, 0, &bound, error));
}

static void results_record_and_snapshots(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    make(fixture);
    ww_store *store = resume(fixture, &tiling, -1);
    CHECK(!ww_store_has_record(store));
    store_record all;
    store_record_begin(&all, &tiling);
    CHECK_OK(ww_store_write_record(store, &all.record, error));
    CHECK(ww_store_has_record(store));
    append(store, 10);
    CHECK_OK(store_write_snapshot(store, &tiling, 0, error));
    checkpoint(store, &tiling, 10);
    CHECK_OK(store_write_snapshot(store, &tiling, 1, error));
    write_results(store);
    CHECK_OK(ww_store_finish(store, WW_RUN_DONE, "", error));
    ww_store_close(store);

    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
    CHECK(fixture->world.rank > 0 || strstr(report, "run0000: good: done") != NULL);
    CHECK(fixture->world.rank > 0 || strstr(report, "2 of 2 snapshots ok") != NULL);
    CHECK(fixture->world.rank > 0 ||
          strstr(report, "run0003: good: not begun; no records yet; no checkpoint yet; ") != NULL);
    ww_file_summary summary = {0};
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    const ww_member_summary *member = &summary.members[0];
    CHECK(summary.schema_version == WW_SCHEMA_VERSION && summary.member_count == 2);
    CHECK(summary.attempt_count == 1 && strcmp(summary.newest.host, "node1") == 0);
    CHECK(member->state == WW_RUN_DONE && member->rows == 1 && member->last_step == 10);
    CHECK(member->final_valid && member->theory_valid && member->record_valid);
    CHECK(member->snapshots == 2 && member->slot_valid[0] && !member->slot_valid[1]);
    CHECK(strcmp(member->config_text, "name: test\n") == 0 && strcmp(member->label, "seed=1") == 0);
    CHECK(summary.members[1].index == 3 && summary.members[1].state == WW_RUN_WAITING);
    ww_file_summary_free(&summary);

    // The record and a snapshot, value for value.
    double *inputs = calloc((size_t)STORE_TRAIN * STORE_DIMENSION, sizeof *inputs);
    int64_t labels[STORE_TRAIN];
    int64_t batches[(STORE_STEPS + 1) * STORE_BATCH];
    static double hidden[2][WIDE][STORE_DIMENSION];
    static double output[STORE_OUTPUTS][WIDE];
    store_peek(fixture->path, "/record/run0000/train_inputs", 0, inputs,
               (size_t)STORE_TRAIN * STORE_DIMENSION * sizeof *inputs);
    store_peek(fixture->path, "/record/run0000/train_labels", 0, labels, sizeof labels);
    store_peek(fixture->path, "/record/run0000/batches", 0, batches, sizeof batches);
    CHECK(memcmp(inputs, all.train_inputs, (size_t)STORE_TRAIN * STORE_DIMENSION * 8) == 0);
    CHECK(memcmp(labels, all.train_labels, sizeof labels) == 0);
    for (int64_t step = 0; step <= STORE_STEPS; step++) {
        int64_t expected[STORE_BATCH];
        store_batch(NULL, step, expected);
        CHECK(memcmp(batches + step * STORE_BATCH, expected, sizeof expected) == 0);
    }
    store_peek(fixture->path, "/record/run0000/train_components", 0, labels, sizeof labels);
    CHECK(memcmp(labels, all.train_labels, sizeof labels) == 0);
    store_peek(fixture->path, "/record/run0000/test_inputs", 0, inputs,
               (size_t)STORE_TEST * STORE_DIMENSION * sizeof *inputs);
    store_peek(fixture->path, "/record/run0000/test_labels", 0, labels, (size_t)STORE_TEST * 8);
    CHECK(memcmp(inputs, all.test_inputs, (size_t)STORE_TEST * STORE_DIMENSION * 8) == 0);
    CHECK(memcmp(labels, all.test_labels, (size_t)STORE_TEST * 8) == 0);
    free(inputs);
    store_record_end(&all);
    bool right = true;
    store_peek(fixture->path, "/snapshots/run0000/hidden_weights", 0, hidden, sizeof hidden);
    for (int64_t s = 0; s < 2; s++)
        for (int64_t i = 0; i < (int64_t)WIDE * STORE_DIMENSION; i++)
            right = right &&
                    hidden[s][i / STORE_DIMENSION][i % STORE_DIMENSION] ==
                        store_hidden(i / STORE_DIMENSION, i % STORE_DIMENSION, store_snapshots[s]);
    CHECK(right);
    static double outputs[2][STORE_OUTPUTS][WIDE];
    store_peek(fixture->path, "/snapshots/run0000/output_weights", 0, outputs, sizeof outputs);
    for (int64_t s = 0; s < 2; s++)
        for (int64_t o = 0; o < STORE_OUTPUTS; o++)
            for (int64_t r = 0; r < WIDE; r++)
                right = right && outputs[s][o][r] == store_output(r, o, store_snapshots[s]);
    CHECK(right);
    store_peek(fixture->path, "/record/run0000/initial_hidden_weights", 0, hidden[0],
               sizeof hidden[0]);
    store_peek(fixture->path, "/record/run0000/initial_output_weights", 0, output, sizeof output);
    for (int64_t r = 0; r < WIDE; r++)
        right = right && hidden[0][r][4] == store_hidden(r, 4, 0) &&
                output[2][r] == store_output(r, 2, 0);
    CHECK(right);

    // A restart takes back what came after the checkpoint: results and the second snapshot.
    store = resume(fixture, &tiling, 10);
    CHECK(ww_store_has_record(store));
    ww_store_close(store);
    double spectrum[4];
    int64_t steps[2];
    store_peek(fixture->path, "/runs/run0000/final/spectrum", 0, spectrum, sizeof spectrum);
    store_peek(fixture->path, "/snapshots/run0000/step", 0, steps, sizeof steps);
    CHECK(isnan(spectrum[0]) && isnan(spectrum[3]) && steps[0] == 10 && steps[1] == -1);
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(!summary.members[0].final_valid && !summary.members[0].theory_valid);
    CHECK(summary.members[0].record_valid && summary.members[0].snapshots == 1);
    CHECK(summary.members[0].state == WW_RUN_RUNNING);
    ww_file_summary_free(&summary);
    // It may offer the first snapshot again (nothing happens), and goes on with the second.
    store = resume(fixture, &tiling, 10);
    CHECK_OK(store_write_snapshot(store, &tiling, 0, error));
    CHECK_OK(store_write_snapshot(store, &tiling, 1, error));
    const double answer = 42;
    CHECK_OK(ww_store_write_final(store, 1, &answer, error)); // one of two: final does not count
    CHECK_OK(ww_store_finish(store, WW_RUN_DIVERGED, "the loss is not finite", error));
    ww_store_close(store);
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(!summary.members[0].final_valid && summary.members[0].snapshots == 2);
    CHECK(summary.members[0].state == WW_RUN_DIVERGED);
    ww_file_summary_free(&summary);
    CHECK_OK(store_verify(fixture, report, error));
}

static void members_are_independent(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling wide = tiling_of(&fixture->world, WIDE);
    const ww_tiling narrow = tiling_of(&fixture->world, NARROW);
    begin(fixture, &wide);
    ww_store *store = reopen(fixture, 3, NARROW, &narrow);
    append(store, 0);
    CHECK_OK(store_write_checkpoint(store, &narrow, 5, WW_RUN_STOPPED, error));
    ww_store_close(store);
    store = reopen(fixture, 3, NARROW, &narrow);
    int64_t step = -2;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(store_restore(store, &narrow, &step, &right, notice, error));
    CHECK(right && step == 5 && notice[0] == '\0' && ww_store_rows(store) == 1);
    ww_store_close(store);
    store = resume(fixture, &wide, 20);
    ww_store_close(store);
}

static void another_layout_is_refused(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world, WIDE);
    make(fixture);
    ww_member_layout layout = store_layout(0, WIDE);
    ww_store *store = NULL;
    ww_error error = {0};
    layout.records = 9;
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store == NULL && store_says(&error, "extents [7] where the configuration asks for [9]"));
    layout = store_layout(0, WIDE);
    layout.trajectory_count = 2;
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store_says(&error, "/runs/run0000/trajectory/loss that the configuration does not"));
    layout = store_layout(0, WIDE);
    layout.state_columns++; // as another engine would have
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store_says(&error, "engine_state has extents [1000, 6] where the configuration asks"));
    layout.state_columns = 0;
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store_says(&error, "checkpoint0/engine_state that the engine of this configuration"));
    layout = store_layout(1, WIDE);
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store_says(&error, "/runs/run0001/config is missing"));
}

/// Every rank is a start of its own and wants the same file at the same moment.
static void one_of_many_starts_makes_the_file(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = store_layout(0, WIDE);
    const ww_provenance provenance = store_provenance();
    ww_parallel alone = {0};
    CHECK_OK(ww_parallel_create(MPI_COMM_SELF, &alone, error));
    for (int round = 0; round < 20; round++) {
        char path[STORE_PATH + 16];
        snprintf(path, sizeof path, "%s-%d", fixture->path, round);
        ww_error refusal = {0};
        MPI_Barrier(MPI_COMM_WORLD);
        const ww_status status =
            ww_store_create(path, false, &provenance, &layout, 1, &alone, &refusal);
        CHECK(status == WW_OK || strstr(refusal.message, "exists already") != NULL ||
              strstr(refusal.message, "is being made by another job") != NULL);
        int made = status == WW_OK;
        MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
        CHECK(made == 1);
    }
    ww_parallel_destroy(&alone);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoints_alternate_and_restore, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(page_holds_the_defined_hashes, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(another_number_of_ranks_goes_on, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(rows_roll_back, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(checkpoint_of_an_earlier_step_counts, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(results_record_and_snapshots, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(members_are_independent, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(another_layout_is_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(one_of_many_starts_makes_the_file, store_setup,
                                        store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
