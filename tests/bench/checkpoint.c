/// How fast checkpoints are written, beside plain MPI-IO and beside the disk itself.
///
///     mpirun -n 2 build/release/tests/bench_checkpoint [GIGABYTES [REPEATS [FOLDER]]]
///
/// Three ways take turns in one run, each on its own file in FOLDER (default: the current one) and
/// on the same numbers in memory:
///     checkpoint  ww_store_checkpoint: a slot with its hash, synced, and the commit page, synced
///     MPI-IO      each rank its half by MPI_File_write_at in calls below 1 GiB, then MPI_File_sync
///     pwrite      the same by write calls of 8 MiB and fsync: what the disk gives
/// The first two turns write where nothing was yet, both checkpoint slots once; all others write
/// over what is there, as a run does. Prints every turn, and medians and ratios with their spread.

#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/parallel.h"
#include "widthwise/store.h"

#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIMENSION = 784, OUTPUTS = 10, FIRST_TURNS = 2, MOST_TURNS = 64, WAYS = 3 };
static const int64_t CALL_BYTES = (int64_t)1 << 29;
static const int64_t WRITE_BYTES = (int64_t)8 << 20;
static const char *const way_names[WAYS] = {"checkpoint", "MPI-IO", "pwrite"};

typedef struct bench {
    ww_parallel parallel;
    ww_tiling tiling;
    ww_store *store;
    double *hidden, *output; ///< of this rank
    int64_t bytes;           ///< of all ranks in one turn
    MPI_File file;           ///< of MPI-IO
    int descriptor;          ///< of pwrite
    int64_t steps;           ///< checkpoints made
} bench;

static void stop_unless(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_checkpoint: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void stop_on(ww_status status, const ww_error *error)
{
    stop_unless(status == WW_OK, error->message);
}

static const double *tile_of(void *context, int64_t layer, int64_t tile)
{
    const bench *self = context;
    (void)layer;
    return self->hidden + (tile - self->tiling.first_tile) * self->tiling.tile_units * DIMENSION;
}

static void write_checkpoint(bench *self)
{
    ww_error error = {0};
    const ww_weights_source source = {
        .tile = tile_of, .context = self, .output_weights = self->output};
    stop_on(ww_store_checkpoint(self->store, self->steps++, &source, WW_RUN_RUNNING, &error),
            &error);
}

/// Where this rank writes in turn `turn` of the plain ways: two places in turn, like the slots.
static int64_t place(const bench *self, int turn, int64_t *bytes)
{
    const int64_t row = DIMENSION * (int64_t)sizeof(double);
    *bytes = self->tiling.local_units * row;
    return (turn % 2 * self->tiling.width + self->tiling.first_unit) * row;
}

static void write_mpi(bench *self, int turn)
{
    int64_t bytes = 0;
    const int64_t start = place(self, turn, &bytes);
    for (int64_t done = 0; done < bytes; done += CALL_BYTES) {
        const int64_t part = bytes - done < CALL_BYTES ? bytes - done : CALL_BYTES;
        stop_unless(MPI_File_write_at(self->file, start + done, (char *)self->hidden + done,
                                      ww_int(part), MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS,
                    "MPI_File_write_at failed");
    }
    stop_unless(MPI_File_sync(self->file) == MPI_SUCCESS, "MPI_File_sync failed");
}

static void write_plain(bench *self, int turn)
{
    int64_t bytes = 0;
    const int64_t start = place(self, turn, &bytes);
    for (int64_t done = 0; done < bytes; done += WRITE_BYTES) {
        const int64_t part = bytes - done < WRITE_BYTES ? bytes - done : WRITE_BYTES;
        stop_unless(pwrite(self->descriptor, (char *)self->hidden + done, (size_t)part,
                           start + done) == part,
                    "pwrite failed");
    }
    stop_unless(fsync(self->descriptor) == 0, "fsync failed");
}

/// Bytes a second of one turn, from the moment all begin to the moment all are done.
static double turn_rate(bench *self, int way, int turn)
{
    MPI_Barrier(self->parallel.communicator);
    const double began = ww_seconds();
    if (way == 0)
        write_checkpoint(self);
    else if (way == 1)
        write_mpi(self, turn);
    else
        write_plain(self, turn);
    MPI_Barrier(self->parallel.communicator);
    return (double)self->bytes / (ww_seconds() - began);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/// Lowest, median and highest of `count` values, which are sorted.
static void spread_of(double *values, int count, double spread[3])
{
    qsort(values, (size_t)count, sizeof *values, compare);
    spread[0] = values[0];
    spread[1] = 0.5 * (values[(count - 1) / 2] + values[count / 2]);
    spread[2] = values[count - 1];
}

static void report(double rates[WAYS][MOST_TURNS], const char *title, int begin, int end)
{
    double spread[3];
    double values[MOST_TURNS];
    const int count = end - begin;
    printf("%s, median of %d (lowest to highest):\n", title, count);
    for (int way = 0; way < WAYS; way++) {
        memcpy(values, rates[way] + begin, (size_t)count * sizeof *values);
        spread_of(values, count, spread);
        printf("  %-24s %7.0f MB/s  (%.0f to %.0f)\n", way_names[way], spread[1] * 1e-6,
               spread[0] * 1e-6, spread[2] * 1e-6);
    }
    for (int way = 1; way < WAYS; way++) {
        for (int turn = 0; turn < count; turn++)
            values[turn] = rates[0][begin + turn] / rates[way][begin + turn];
        spread_of(values, count, spread);
        printf("  checkpoint / %-11s %7.2f       (%.2f to %.2f)\n", way_names[way], spread[1],
               spread[0], spread[2]);
    }
}

static char *path_in(const char *folder, const char *name)
{
    char *path = ww_format(NULL, "%s/bench-checkpoint-%s", folder, name);
    stop_unless(path != NULL, "out of memory");
    return path;
}

static void open_store(bench *self, const char *path, int64_t width)
{
    ww_error error = {0};
    const ww_field loss = {.name = "loss", .description = "None", .units = "1", .source = ""};
    const ww_member_layout layout = {.config_text = "name: bench\n",
                                     .label = "",
                                     .width = width,
                                     .depth = 1,
                                     .dimension = DIMENSION,
                                     .outputs = OUTPUTS,
                                     .train = 1,
                                     .test = 1,
                                     .batch = 1,
                                     .steps = 1,
                                     .records = 1,
                                     .trajectory = &loss,
                                     .trajectory_count = 1};
    const ww_provenance provenance = {.ranks = 1};
    stop_on(ww_store_create(path, true, &provenance, &layout, 1, &self->parallel, &error), &error);
    stop_on(ww_store_open(path, &layout, &self->parallel, &self->tiling, &self->store, &error),
            &error);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    ww_error error = {0};
    bench self = {0};
    stop_on(ww_parallel_create(MPI_COMM_WORLD, &self.parallel, &error), &error);
    const double gigabytes = count > 1 ? strtod(words[1], NULL) : 4.0;
    const long repeats = count > 2 ? strtol(words[2], NULL, 10) : 7;
    const char *folder = count > 3 ? words[3] : ".";
    stop_unless(gigabytes > 0.0 && repeats >= 1 && repeats + FIRST_TURNS <= MOST_TURNS,
                "usage: bench_checkpoint [GIGABYTES [REPEATS [FOLDER]]]");
    const int64_t width = (int64_t)(gigabytes * 1e9) / (DIMENSION * (int64_t)sizeof(double));
    self.tiling = ww_tiling_make(width, self.parallel.rank, self.parallel.size);
    const size_t values = (size_t)self.tiling.local_units * DIMENSION;
    self.hidden = ww_allocate(values, sizeof(double), "weights", &error);
    self.output =
        ww_allocate((size_t)self.tiling.local_units * OUTPUTS, sizeof(double), "weights", &error);
    stop_unless(self.hidden != NULL && self.output != NULL, error.message);
    for (size_t i = 0; i < values; i++)
        self.hidden[i] = 1.0 / (double)(i + 1);
    self.bytes = width * DIMENSION * (int64_t)sizeof(double);

    char *paths[WAYS] = {path_in(folder, "store.h5"), path_in(folder, "mpi"),
                         path_in(folder, "plain")};
    open_store(&self, paths[0], width);
    stop_unless(MPI_File_open(self.parallel.communicator, paths[1],
                              MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL,
                              &self.file) == MPI_SUCCESS,
                "MPI_File_open failed");
    self.descriptor = open(paths[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    stop_unless(self.descriptor >= 0, "cannot open the file of pwrite");

    const bool speaks = self.parallel.rank == 0;
    const int turns = FIRST_TURNS + (int)repeats;
    double rates[WAYS][MOST_TURNS];
    if (speaks)
        printf("%.3g GB on %d ranks, MB/s\n  turn %12s %12s %12s\n", (double)self.bytes * 1e-9,
               self.parallel.size, way_names[0], way_names[1], way_names[2]);
    for (int turn = 0; turn < turns; turn++) {
        for (int i = 0; i < WAYS; i++) { // another one begins each time
            const int way = (turn + i) % WAYS;
            rates[way][turn] = turn_rate(&self, way, turn);
        }
        if (speaks)
            printf("  %4d %12.0f %12.0f %12.0f%s\n", turn, rates[0][turn] * 1e-6,
                   rates[1][turn] * 1e-6, rates[2][turn] * 1e-6,
                   turn < FIRST_TURNS ? "  first" : "");
    }
    ww_store_close(self.store);
    MPI_File_close(&self.file);
    close(self.descriptor);
    if (speaks) {
        report(rates, "written for the first time", 0, FIRST_TURNS);
        report(rates, "written over", FIRST_TURNS, turns);
    }
    for (int way = 0; way < WAYS; way++) {
        if (speaks)
            (void)unlink(paths[way]);
        free(paths[way]);
    }
    free(self.hidden);
    free(self.output);
    ww_parallel_destroy(&self.parallel);
    MPI_Finalize();
    return 0;
}
