#include "measure/spectrum.h"

#include "measure/triangle.h"
#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/// Doubles in one message: 1 GiB.
enum { MESSAGE_DOUBLES = 1 << 27 };

enum { TAG_ROWS = 1, TAG_TRIANGLE = 2 };

/// Index of a triangle in the store of triangles of this rank.
enum { NO_TRIANGLE = -1 };

/// The tree over chunks as this rank sees it. It is walked twice: once to plan, which counts the
/// triangles and messages that memory is needed for, and once to work. So all memory is there
/// before the first message, and nothing that fails later keeps a rank from sending what others
/// wait for: the first failure is kept in `status` and work is skipped, not messages.
typedef struct reduction {
    const ww_tiling *tiling;
    const ww_parallel *parallel;
    ww_rows_function rows;
    void *context;
    int64_t dimension;
    int64_t chunk_tiles;        ///< tiles of a chunk, fewer in the last
    int64_t chunk_count;        ///< of the whole matrix
    int64_t own_begin, own_end; ///< chunks that this rank works on
    int64_t lent_end;           ///< tiles first_tile .. lent_end - 1 are another rank's chunk
    bool planning;              ///< count only
    int live_triangles;         ///< now in use
    int most_triangles;         ///< in use at one time
    double *triangles;          ///< [most_triangles, triangle size]
    int *unused;                ///< [most_triangles], indices of triangles not in use
    int64_t borrowing_chunk;    ///< own chunk with tiles of other ranks, or -1
    int borrowing_triangle;     ///< its triangle, factored ahead of the tree
    ww_triangle_work work;      ///< where this rank has chunks
    double *lent_rows;          ///< copy of the lent tiles, on their way
    int64_t message_count;      ///< sent by this rank
    MPI_Request *messages;      ///< [message_count of the plan]
    ww_status status;
    ww_error *error;
} reduction;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/// Units in the tiles begin .. end - 1; the last of them may be the matrix's short last one.
static int64_t units_in_tiles(const reduction *tree, int64_t begin, int64_t end)
{
    const int64_t units = tree->tiling->tile_units;
    const int64_t width = tree->tiling->width;
    return least(end * units, width) - least(begin * units, width);
}

static int64_t first_tile_of_chunk(const reduction *tree, int64_t chunk)
{
    return least(chunk * tree->chunk_tiles, tree->tiling->tile_count);
}

static int chunk_owner(const reduction *tree, int64_t chunk)
{
    return ww_tile_owner(tree->tiling, chunk * tree->chunk_tiles, tree->parallel->size);
}

/// Columns of the triangle of the chunks begin .. end - 1.
static int64_t triangle_columns(const reduction *tree, int64_t begin, int64_t end)
{
    return least(tree->dimension, units_in_tiles(tree, first_tile_of_chunk(tree, begin),
                                                 first_tile_of_chunk(tree, end)));
}

static double *triangle_at(const reduction *tree, int index)
{
    const int64_t size =
        ww_triangle_size(tree->dimension, triangle_columns(tree, 0, tree->chunk_count));
    return tree->triangles + (size_t)index * (size_t)size;
}

static int take_triangle(reduction *tree)
{
    ++tree->live_triangles;
    if (!tree->planning)
        return tree->unused[tree->most_triangles - tree->live_triangles];
    if (tree->live_triangles > tree->most_triangles)
        tree->most_triangles = tree->live_triangles;
    return 0;
}

static void give_triangle_back(reduction *tree, int index)
{
    if (!tree->planning)
        tree->unused[tree->most_triangles - tree->live_triangles] = index;
    --tree->live_triangles;
}

static void check_mpi(reduction *tree, int code)
{
    if (code == MPI_SUCCESS || tree->status != WW_OK)
        return;
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    tree->status =
        ww_fail(tree->error, WW_FAILED, "a message of the singular values failed in MPI: %s", text);
}

/// Begins to send; `data` must stay as it is until all messages are through.
static void send_doubles(reduction *tree, const double *data, int64_t count, int destination,
                         int tag)
{
    for (int64_t done = 0; done < count; done += MESSAGE_DOUBLES) {
        const int part = ww_int(least(count - done, MESSAGE_DOUBLES));
        const double began = ww_call_begin(tree->parallel->profile);
        if (!tree->planning)
            check_mpi(tree, ww_call_end(tree->parallel->profile, WW_CALL_SEND,
                                        (size_t)part * sizeof *data, began,
                                        MPI_Isend(data + done, part, MPI_DOUBLE, destination, tag,
                                                  tree->parallel->communicator,
                                                  &tree->messages[tree->message_count])));
        ++tree->message_count;
    }
}

static void receive_doubles(reduction *tree, double *data, int64_t count, int source, int tag)
{
    for (int64_t done = 0; done < count; done += MESSAGE_DOUBLES) {
        const int part = ww_int(least(count - done, MESSAGE_DOUBLES));
        const double began = ww_call_begin(tree->parallel->profile);
        check_mpi(tree, ww_call_end(tree->parallel->profile, WW_CALL_RECEIVE,
                                    (size_t)part * sizeof *data, began,
                                    MPI_Recv(data + done, part, MPI_DOUBLE, source, tag,
                                             tree->parallel->communicator, MPI_STATUS_IGNORE)));
    }
}

static void finish_messages(reduction *tree)
{
    check_mpi(tree, MPI_Waitall(ww_int(tree->message_count), tree->messages, MPI_STATUSES_IGNORE));
}

/// Rows of one tile of this rank. They are all there, or tree->status says why not.
static void read_tile(reduction *tree, int64_t tile, double *rows)
{
    if (tree->status != WW_OK)
        return;
    tree->status = tree->rows(tree->context, tile, rows, tree->error);
    const int64_t count = ww_tile_size(tree->tiling, tile) * tree->dimension;
    for (int64_t i = 0; i < count && tree->status == WW_OK; ++i) {
        if (isfinite(rows[i]))
            continue;
        const int64_t row = tile * tree->tiling->tile_units + i / tree->dimension;
        const int64_t column = i % tree->dimension;
        tree->status = ww_fail(
            tree->error, WW_FAILED,
            "a matrix whose singular values are asked for is not finite in row %" PRId64
            ", column %" PRId64 "; lower training.rate, or leave spectra out of measure.final",
            row, column);
    }
}

/// Rows of the tiles begin .. end - 1 of this rank, one below the other.
static void read_tiles(reduction *tree, int64_t begin, int64_t end, double *rows)
{
    for (int64_t tile = begin; tile < end; ++tile)
        read_tile(tree, tile, rows + units_in_tiles(tree, begin, tile) * tree->dimension);
}

/// Begins to send the first tiles of this rank to the owner of the chunk that they are part of.
static void lend_rows(reduction *tree)
{
    const int64_t begin = tree->tiling->first_tile;
    if (tree->lent_end == begin)
        return;
    const int64_t count = units_in_tiles(tree, begin, tree->lent_end) * tree->dimension;
    if (!tree->planning) {
        read_tiles(tree, begin, tree->lent_end, tree->lent_rows);
        if (tree->status != WW_OK) // or the borrower would complain too, less precisely
            memset(tree->lent_rows, 0, (size_t)count * sizeof *tree->lent_rows);
    }
    send_doubles(tree, tree->lent_rows, count, chunk_owner(tree, begin / tree->chunk_tiles),
                 TAG_ROWS);
}

/// Triangle of the rows of one own chunk.
static int factor_chunk(reduction *tree, int64_t chunk)
{
    const int triangle = take_triangle(tree);
    if (tree->planning)
        return triangle;
    const int64_t begin = first_tile_of_chunk(tree, chunk);
    const int64_t end = first_tile_of_chunk(tree, chunk + 1);
    const int64_t own_end = least(end, tree->tiling->first_tile + tree->tiling->local_tiles);
    read_tiles(tree, begin, own_end, tree->work.stage);
    for (int64_t tile = own_end; tile < end;) { // the tiles of one other rank after the other
        const int owner = ww_tile_owner(tree->tiling, tile, tree->parallel->size);
        int64_t next = tile + 1;
        while (next < end && ww_tile_owner(tree->tiling, next, tree->parallel->size) == owner)
            ++next;
        receive_doubles(tree,
                        tree->work.stage + units_in_tiles(tree, begin, tile) * tree->dimension,
                        units_in_tiles(tree, tile, next) * tree->dimension, owner, TAG_ROWS);
        tile = next;
    }
    if (tree->status == WW_OK)
        ww_triangle_factor(&tree->work, ww_int(units_in_tiles(tree, begin, end)),
                           triangle_at(tree, triangle));
    // Lets messages on their way proceed: the receiver may be waiting.
    int done = 0;
    check_mpi(tree,
              MPI_Testall(ww_int(tree->message_count), tree->messages, &done, MPI_STATUSES_IGNORE));
    return triangle;
}

/// Triangle of the chunks begin .. end - 1, on the rank that owns the first of them; NO_TRIANGLE on
/// the others. All ranks visit the nodes in the same order, each those that it has a part in, and
/// sends do not block: so messages between two ranks match, and no rank waits in a circle.
static int reduce(reduction *tree, int64_t begin, int64_t end)
{
    if (begin >= tree->own_end || end <= tree->own_begin)
        return NO_TRIANGLE;
    if (end - begin == 1)
        return begin == tree->borrowing_chunk ? tree->borrowing_triangle
                                              : factor_chunk(tree, begin);
    int64_t half = 1; // the largest power of two below the number of chunks
    while (2 * half < end - begin)
        half *= 2;
    const int64_t middle = begin + half;
    const int upper = reduce(tree, begin, middle);
    int lower = reduce(tree, middle, end);

    const int rank = tree->parallel->rank;
    const int upper_owner = chunk_owner(tree, begin);
    const int lower_owner = chunk_owner(tree, middle);
    const int64_t columns = triangle_columns(tree, middle, end);
    const int64_t size = ww_triangle_size(tree->dimension, columns);
    if (rank != upper_owner) {
        if (rank == lower_owner)
            send_doubles(tree, triangle_at(tree, lower), size, upper_owner, TAG_TRIANGLE);
        return NO_TRIANGLE; // one that was sent stays in use
    }
    if (rank != lower_owner) {
        lower = take_triangle(tree);
        if (!tree->planning)
            receive_doubles(tree, triangle_at(tree, lower), size, lower_owner, TAG_TRIANGLE);
    }
    if (!tree->planning && tree->status == WW_OK)
        ww_triangle_combine(&tree->work, triangle_at(tree, upper), triangle_at(tree, lower),
                            ww_int(columns));
    give_triangle_back(tree, lower);
    return upper;
}

/// From this rank's rows to the triangle of all, on the rank that owns the first chunk. Rows that
/// lie on the wrong rank are sent first, and the chunks that wait for them done first: no rank
/// waits for a whole share of work of another.
static int reduce_all(reduction *tree)
{
    lend_rows(tree);
    if (tree->borrowing_chunk >= 0)
        tree->borrowing_triangle = factor_chunk(tree, tree->borrowing_chunk);
    return reduce(tree, 0, tree->chunk_count);
}

/// The tree, as far as it follows from sizes.
static ww_status describe(reduction *tree, int *chunk_rows)
{
    const ww_tiling *tiling = tree->tiling;
    int ignored = 0;
    WW_TRY(ww_to_int(tree->dimension, "the dimension of the inputs", &ignored, tree->error));
    tree->chunk_tiles = (2 * tree->dimension + tiling->tile_units - 1) / tiling->tile_units;
    tree->chunk_count = (tiling->tile_count + tree->chunk_tiles - 1) / tree->chunk_tiles;
    WW_TRY(ww_to_int(units_in_tiles(tree, 0, first_tile_of_chunk(tree, 1)),
                     "the number of rows in one step of the singular values", chunk_rows,
                     tree->error));

    const int64_t first = tiling->first_tile;
    const int64_t end = first + tiling->local_tiles;
    tree->own_begin = (first + tree->chunk_tiles - 1) / tree->chunk_tiles;
    tree->own_end = (end + tree->chunk_tiles - 1) / tree->chunk_tiles;
    tree->lent_end =
        tiling->local_tiles == 0 ? first : least(end, tree->own_begin * tree->chunk_tiles);
    const bool borrows = tree->own_end > tree->own_begin && // its last chunk ends on another rank
                         first_tile_of_chunk(tree, tree->own_end) > end;
    tree->borrowing_chunk = borrows ? tree->own_end - 1 : -1;
    return WW_OK;
}

enum { TREE_ARRAYS = 4 };

/// Goes through the tree to count, and lists the memory that this rank will need for it.
static ww_status plan_memory(reduction *tree, ww_allocation list[TREE_ARRAYS])
{
    tree->planning = true;
    reduce_all(tree);
    tree->planning = false;
    int ignored = 0;
    WW_TRY(ww_to_int(tree->message_count, "the number of messages of the singular values", &ignored,
                     tree->error));
    const char *what = "the triangles of the singular values";
    const int64_t columns = triangle_columns(tree, 0, tree->chunk_count);
    const size_t size = (size_t)ww_triangle_size(tree->dimension, columns);
    const size_t most = (size_t)tree->most_triangles;
    const size_t lent = (size_t)units_in_tiles(tree, tree->tiling->first_tile, tree->lent_end);
    const size_t messages = (size_t)tree->message_count;
    const ww_allocation arrays[] = {
        {offsetof(reduction, triangles), most, size * sizeof(double), what},
        {offsetof(reduction, unused), most, sizeof *tree->unused, what},
        {offsetof(reduction, messages), messages, sizeof(MPI_Request), what},
        {offsetof(reduction, lent_rows), lent, (size_t)tree->dimension * sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == TREE_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
    return WW_OK;
}

/// All memory that this rank will need.
static ww_status allocate(reduction *tree, int chunk_rows)
{
    ww_allocation list[TREE_ARRAYS];
    WW_TRY(plan_memory(tree, list));
    WW_TRY(ww_allocate_all(tree, list, TREE_ARRAYS, tree->error));
    for (int i = 0; i < tree->most_triangles; ++i)
        tree->unused[i] = i;
    for (int64_t i = 0; i < tree->message_count; ++i)
        tree->messages[i] = MPI_REQUEST_NULL;
    tree->live_triangles = 0;
    tree->message_count = 0;
    if (tree->own_end > tree->own_begin)
        WW_TRY(ww_triangle_work_create((int)tree->dimension, chunk_rows, &tree->work, tree->error));
    return WW_OK;
}

static void release(reduction *tree)
{
    free(tree->triangles);
    free(tree->unused);
    free(tree->messages);
    free(tree->lent_rows);
    ww_triangle_work_free(&tree->work);
}

/// Everything up to the values on the owner of the first chunk.
static void reduce_and_solve(reduction *tree, double *values)
{
    const int root = reduce_all(tree);
    if (root != NO_TRIANGLE && tree->status == WW_OK)
        tree->status = ww_triangle_singular_values(
            &tree->work, triangle_at(tree, root),
            ww_int(triangle_columns(tree, 0, tree->chunk_count)), values, tree->error);
    finish_messages(tree);
}

ww_status ww_singular_values(const ww_tiling *tiling, int64_t dimension, ww_rows_function rows,
                             void *context, const ww_parallel *parallel, double *values,
                             ww_error *error)
{
    WW_ASSERT(dimension >= 1 && tiling->width >= 1);
    reduction tree = {.tiling = tiling,
                      .parallel = parallel,
                      .rows = rows,
                      .context = context,
                      .dimension = dimension,
                      .error = error};
    int chunk_rows = 0;
    WW_TRY(describe(&tree, &chunk_rows)); // the same on all ranks
    ww_status status = ww_agree(parallel, allocate(&tree, chunk_rows), error);
    if (status == WW_OK) {
        reduce_and_solve(&tree, values);
        status = ww_agree(parallel, tree.status, error);
    }
    release(&tree);
    WW_TRY(status);
    return ww_broadcast(parallel, values, (size_t)least(tiling->width, dimension) * sizeof *values,
                        chunk_owner(&tree, 0), error);
}

ww_status ww_singular_values_cost(const ww_tiling *tiling, int64_t dimension,
                                  const ww_parallel *parallel, int64_t *bytes, double *flops,
                                  ww_error *error)
{
    reduction tree = {
        .tiling = tiling, .parallel = parallel, .dimension = dimension, .error = error};
    int chunk_rows = 0;
    WW_TRY(describe(&tree, &chunk_rows));
    ww_allocation list[TREE_ARRAYS];
    WW_TRY(plan_memory(&tree, list));
    const double d = (double)dimension;
    const double chunks = (double)(tree.own_end - tree.own_begin);
    *bytes = ww_allocation_bytes(list, TREE_ARRAYS);
    *flops = 0.0;
    if (chunks <= 0.0)
        return WW_OK;
    *bytes += ww_triangle_work_bytes((int)dimension, chunk_rows);
    // Householder QR of a chunk of r rows takes 2 r d^2 - 2 d^3 / 3, that of two triangles 2 d^3 /
    // 3 (done without use of all their zeroes, by up to 2 d^3), bidiagonalisation at the end 8 d^3
    // / 3.
    *flops = chunks * (2.0 * chunk_rows * d * d - 2.0 / 3.0 * d * d * d + 2.0 * d * d * d) +
             8.0 / 3.0 * d * d * d;
    return WW_OK;
}
