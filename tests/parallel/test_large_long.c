/// Large objects: arrays of more than 4 GiB a rank, and of more than 2^31 numbers, written, read,
/// summed and copied. Needs some 20 GB of disk (in TMPDIR) and 9 GB of memory; skipped where they
/// are not there.

#include "store_support.h"

#include <sys/statvfs.h>

enum { DIMENSION = 1030, OUTPUTS = 3 };

static const int64_t GIB = (int64_t)1 << 30;

/// Whether disk and memory are enough, the same on all ranks; says what is not.
static bool have(const store_fixture *fixture, int64_t disk, int64_t memory)
{
    int64_t enough = 1;
    if (fixture->world.rank == 0) {
        struct statvfs info;
        const int64_t room =
            statvfs(fixture->folder, &info) == 0 ? (int64_t)(info.f_bavail * info.f_frsize) : 0;
        long long available = 0; // kB
        char line[256];
        FILE *file = fopen("/proc/meminfo", "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            if (sscanf(line, "MemAvailable: %lld kB", &available) == 1)
                break;
        if (file != NULL)
            fclose(file);
        enough = room > disk + GIB && (int64_t)available * 1024 > memory + GIB;
        if (!enough)
            fprintf(stderr,
                    "skipped: needs %.1f GiB of disk and %.1f GiB of memory, there are %.1f and "
                    "%.1f\n",
                    (double)disk / (double)GIB, (double)memory / (double)GIB,
                    (double)room / (double)GIB, (double)available / 1048576.0);
    }
    MPI_Bcast(&enough, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
    return enough == 1;
}

/// Any two places and steps have unlike values.
static double weight(int64_t unit, int64_t input, int64_t step)
{
    return (double)(unit * DIMENSION + input) + 0.25 * (double)step;
}

static double output_weight(int64_t unit, int64_t output, int64_t step)
{
    return -(double)(unit * OUTPUTS + output) - 0.25 * (double)step;
}

/// Weights that are made when they are asked for.
typedef struct made_weights {
    ww_tiling tiling;
    int64_t step;
    double *tile, *output;
    ww_weights_source source;
} made_weights;

static const double *make_tile(void *context, int64_t layer, int64_t tile)
{
    made_weights *self = context;
    (void)layer;
    const int64_t units = ww_tile_size(&self->tiling, tile);
    for (int64_t u = 0; u < units; u++)
        for (int64_t j = 0; j < DIMENSION; j++)
            self->tile[u * DIMENSION + j] =
                weight(tile * self->tiling.tile_units + u, j, self->step);
    return self->tile;
}

static void begin_weights(made_weights *self, const ww_tiling *tiling, int64_t step)
{
    *self = (made_weights){.tiling = *tiling, .step = step};
    self->tile = calloc((size_t)tiling->tile_units * DIMENSION, sizeof(double));
    self->output = calloc((size_t)tiling->local_units * OUTPUTS, sizeof(double));
    for (int64_t u = 0; u < tiling->local_units; u++)
        for (int64_t o = 0; o < OUTPUTS; o++)
            self->output[u * OUTPUTS + o] = output_weight(tiling->first_unit + u, o, step);
    self->source =
        (ww_weights_source){.tile = make_tile, .context = self, .output_weights = self->output};
}

static void end_weights(made_weights *self)
{
    free(self->tile);
    free(self->output);
}

static ww_member_layout large_layout(int64_t width, size_t snapshots)
{
    ww_member_layout layout = store_layout(0, width);
    layout.dimension = DIMENSION;
    layout.outputs = OUTPUTS;
    layout.record = 0;
    layout.snapshot_count = snapshots;
    layout.carry_count = 0;
    layout.state_columns = 0;
    layout.trains_output = false;
    return layout;
}

static ww_store *make_file(const store_fixture *fixture, const ww_member_layout *layout,
                           const ww_tiling *tiling)
{
    const ww_provenance provenance = store_provenance();
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, layout, 1, &fixture->world, error));
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, layout, &fixture->world, tiling, &store, error));
    return store;
}

static void write_step(ww_store *store, const ww_tiling *tiling, int64_t step)
{
    made_weights weights;
    begin_weights(&weights, tiling, step);
    CHECK_OK(ww_store_checkpoint(store, step, &weights.source, WW_RUN_RUNNING, error));
    end_weights(&weights);
}

/// Numbers of a dataset at some places, straight from the file, against what they ought to be.
static void look(const store_fixture *fixture, const char *dataset, int64_t plane, int64_t width,
                 int64_t step)
{
    bool right = true;
    for (int64_t i = 0; i < 64 && fixture->world.rank == 0; i++) {
        const int64_t unit = i < 63 ? width / 63 * i : width - 1;
        const int64_t input = i * 61 % DIMENSION;
        double value = NAN;
        store_peek(fixture->path, dataset, ((plane * width + unit) * DIMENSION + input) * 8, &value,
                   sizeof value);
        right = right && value == weight(unit, input, step);
    }
    CHECK(right);
}

static void verify(const store_fixture *fixture, const char *says)
{
    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
    CHECK(fixture->world.rank != 0 || strstr(report, says) != NULL);
}

/// Where a restart puts weights, on one rank.
typedef struct read_weights {
    ww_tiling tiling;
    double *hidden;
} read_weights;

static void put_tile(void *context, int64_t layer, int64_t tile, const double *values)
{
    read_weights *self = context;
    (void)layer;
    memcpy(self->hidden + tile * self->tiling.tile_units * DIMENSION, values,
           (size_t)(ww_tile_size(&self->tiling, tile) * DIMENSION) * sizeof *values);
}

/// More than 4 GiB on one rank: checkpoint, snapshot, restore, all compared.
static void weights_of_one_rank(void **state)
{
    const store_fixture *fixture = *state;
    if (fixture->world.size > 1 || !have(fixture, 10 * GIB, 5 * GIB)) {
        skip();
        return;
    }
    const int64_t width = (4 * GIB + GIB / 8) / (DIMENSION * 8);
    const ww_tiling tiling = ww_tiling_make(width, 0, 1);
    const ww_member_layout layout = large_layout(width, 2);
    ww_store *store = make_file(fixture, &layout, &tiling);
    made_weights weights;
    begin_weights(&weights, &tiling, 10);
    CHECK_OK(ww_store_snapshot(store, 0, &weights.source, error));
    end_weights(&weights);
    write_step(store, &tiling, 12);
    ww_store_close(store);
    look(fixture, "/state/run0000/checkpoint0/hidden_weights", 0, width, 12);
    look(fixture, "/snapshots/run0000/hidden_weights", 0, width, 10);
    verify(fixture, "step 12");

    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
    double *hidden = calloc((size_t)width * DIMENSION, sizeof *hidden);
    double *output = calloc((size_t)width * OUTPUTS, sizeof *output);
    double carry = 0.0;
    read_weights read = {tiling, hidden};
    const ww_weights_target target = {put_tile, &read, output, &carry, NULL};
    int64_t step = -1;
    char notice[STORE_PATH];
    CHECK(hidden != NULL && output != NULL);
    CHECK_OK(ww_store_restore(store, &target, &step, notice, sizeof notice, error));
    CHECK(step == 12 && notice[0] == '\0');
    bool right = true;
    for (int64_t u = 0; u < width; u++) {
        for (int64_t j = 0; j < DIMENSION; j++)
            right = right && hidden[u * DIMENSION + j] == weight(u, j, 12);
        for (int64_t o = 0; o < OUTPUTS; o++)
            right = right && output[u * OUTPUTS + o] == output_weight(u, o, 12);
    }
    CHECK(right);
    free(hidden);
    free(output);
    ww_store_close(store);
}

/// A dataset of more than 2^31 numbers, more than 4 GiB of it on each of two ranks.
static void numbers_over_2_31(void **state)
{
    const store_fixture *fixture = *state;
    if (fixture->world.size != 2 || !have(fixture, 18 * GIB, GIB)) {
        skip();
        return;
    }
    const int64_t width = ((int64_t)1 << 31) / DIMENSION + 1000;
    const ww_tiling tiling = ww_tiling_make(width, fixture->world.rank, 2);
    const ww_member_layout layout = large_layout(width, 0);
    ww_store *store = make_file(fixture, &layout, &tiling);
    write_step(store, &tiling, 7);
    ww_store_close(store);
    look(fixture, "/state/run0000/checkpoint0/hidden_weights", 0, width, 7);
    verify(fixture, "step 7");
    // A bit beyond 2^31 numbers is under the hash too.
    store_damage(fixture, "/state/run0000/checkpoint0/hidden_weights", (width * DIMENSION - 5) * 8);
    char report[4096];
    ww_error error = {0};
    CHECK(store_verify(fixture, report, &error) == WW_FAILED);
    CHECK(store_says(&error, "DAMAGED"));
}

/// Sums of more than 2^29 words, and a copy of more than 2^32 bytes.
static void sums_and_copies(void **state)
{
    const store_fixture *fixture = *state;
    const int64_t count = ((int64_t)1 << 29) + 7;
    const int64_t size = fixture->world.size;
    if (!have(fixture, 0, size * count * 8)) {
        skip();
        return;
    }
    int64_t *words = calloc((size_t)count, sizeof *words);
    CHECK(words != NULL);
    for (int64_t i = 0; i < count; i++)
        words[i] = i * 0x10001 + fixture->world.rank;
    CHECK_OK(ww_sum_words(&fixture->world, words, (size_t)count, error));
    bool right = true;
    for (int64_t i = 0; i < count; i++)
        right = right && words[i] == size * i * 0x10001 + size * (size - 1) / 2;
    CHECK(right);
    for (int64_t i = 0; i < count; i++)
        words[i] = fixture->world.rank == size - 1 ? ~i : 0;
    CHECK_OK(
        ww_broadcast(&fixture->world, words, (size_t)count * sizeof *words, (int)size - 1, error));
    for (int64_t i = 0; i < count; i++)
        right = right && words[i] == ~i;
    CHECK(right);
    free(words);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_of_one_rank, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(numbers_over_2_31, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(sums_and_copies, store_setup, store_teardown),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
