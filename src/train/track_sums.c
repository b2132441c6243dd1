#include "train/track_sums.h"

#include "train/kernels.h"
#include "train/layered_inside.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 2 };

// Words of sums that go through one Allreduce, where there is no single matrix of more.
static const int64_t MOST_WORDS = INT64_C(1) << 20;

struct ww_track_sums {
    const ww_problem *problem;
    double *derivatives, *inputs; // A and C of a layer, or the products of its columns and NULL
    double *first_inputs;         // C of the first layer, where it goes by pairs
    bool has_first_inputs;        // these stay the same when the batch does
    void *gradient;               // [tile units, columns]
    void *product;                // of one tile; in double `values` itself
    double *values;
    double *sizes;   // [B or columns], ranges of what is multiplied, of the rows of a product
    double *others;  // the same of its columns
    double *largest; // [B] with one hidden layer, largest derivatives of each sample
    int64_t *words;  // [word room + 1], of sums, and the terms left out
    int64_t word_room;
    ww_column_format format;
};

static double square(double x)
{
    return x * x;
}

// Costs in multiplications and additions, of all ranks together: half of them, since matrices are
// symmetric. To look for an eigenvalue takes memory more than it computes: for each matrix as long
// as so many for an entry, as measured.
bool ww_track_by_pairs(const ww_problem *problem, int64_t layer)
{
    enum { SEARCH = 50 };
    const double m = (double)problem->tiling.width, batch = (double)problem->batch;
    const double columns = (double)ww_layer_columns(problem, layer);
    const double derivatives = (m + SEARCH) * square(batch);
    // With the factor; of the first layer they are kept, or of few samples.
    const double inputs = ((layer > 1 ? m + batch / 3.0 : 0.0) + 2.0 * SEARCH) * square(batch);
    const double gradient = 2.0 * m * batch * columns;
    return derivatives + inputs <= gradient + (m + SEARCH) * square(columns);
}

static int64_t order_of(const ww_problem *problem, int64_t layer)
{
    return ww_track_by_pairs(problem, layer) ? problem->batch : ww_layer_columns(problem, layer);
}

int64_t ww_track_sums_order(const ww_problem *problem)
{
    int64_t most = 0;
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        most = order_of(problem, layer) > most ? order_of(problem, layer) : most;
    return most;
}

// ---- parts: what is summed, matrix by matrix ----------------------------------------------------

typedef enum part_kind { BY_COLUMNS, DERIVATIVES, INPUTS } part_kind;

// Of a layer by pairs, samples of two blocks that begin at `first` and `second`, not before it.
typedef struct part {
    int64_t layer;
    part_kind kind;
    int64_t first, second;
} part;

static part first_of_layer(const ww_problem *problem, int64_t layer)
{
    const bool is_by_pairs = layer <= problem->depth && ww_track_by_pairs(problem, layer);
    return (part){.layer = layer, .kind = is_by_pairs ? DERIVATIVES : BY_COLUMNS};
}

static part next_of(const ww_problem *problem, part at)
{
    if (at.kind == BY_COLUMNS)
        return first_of_layer(problem, at.layer + 1);
    at.second += WW_SAMPLE_BLOCK;
    if (at.second >= problem->batch) {
        at.first += WW_SAMPLE_BLOCK;
        at.second = at.first;
    }
    if (at.first < problem->batch)
        return at;
    if (at.kind == DERIVATIVES && at.layer > 1) // inputs of the first layer are not summed
        return (part){.layer = at.layer, .kind = INPUTS};
    return first_of_layer(problem, at.layer + 1);
}

// Rows and columns of a part, and whether it lies on the diagonal, so that one triangle is enough.
typedef struct part_shape {
    int64_t rows, columns;
    bool is_symmetric;
} part_shape;

static part_shape shape_of(const ww_problem *problem, part at)
{
    const int64_t columns = ww_layer_columns(problem, at.layer);
    if (at.kind == BY_COLUMNS)
        return (part_shape){.rows = columns, .columns = columns, .is_symmetric = true};
    return (part_shape){.rows = ww_block_size(problem->batch, at.first),
                        .columns = ww_block_size(problem->batch, at.second),
                        .is_symmetric = at.first == at.second};
}

static int64_t words_of(const ww_problem *problem, part at)
{
    const part_shape shape = shape_of(problem, at);
    return shape.is_symmetric ? (int64_t)WORDS * shape.rows * (shape.rows + 1) / 2
                              : (int64_t)WORDS * shape.rows * shape.columns;
}

// ---- memory -------------------------------------------------------------------------------------

// Numbers that there has to be room for.
typedef struct extents {
    int64_t matrix, inputs, first_inputs; // entries of A, C and that of the first layer
    int64_t gradient, product;            // entries of a tile
    int64_t side;                         // longest side of a part
    int64_t words;
} extents;

static void raise(int64_t *most, int64_t value)
{
    *most = value > *most ? value : *most;
}

static extents extents_of(const ww_problem *problem)
{
    const int64_t batch = problem->batch, order = ww_track_sums_order(problem);
    const int64_t tile = problem->tiling.tile_units < problem->tiling.width
                             ? problem->tiling.tile_units
                             : problem->tiling.width;
    extents room = {.matrix = order * order};
    int64_t all_words = 0;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        if (!ww_track_by_pairs(problem, layer))
            raise(&room.gradient, tile * ww_layer_columns(problem, layer));
        else if (layer == 1)
            room.first_inputs = batch * batch;
        else
            room.inputs = batch * batch;
    }
    if (room.first_inputs > 0) // which are made through it
        room.product = (int64_t)ww_block_size(batch, 0) * ww_block_size(batch, 0);
    for (part at = first_of_layer(problem, 1); at.layer <= problem->depth;
         at = next_of(problem, at)) {
        const part_shape shape = shape_of(problem, at);
        raise(&room.product, shape.rows * shape.columns);
        raise(&room.side, shape.rows > shape.columns ? shape.rows : shape.columns);
        raise(&room.words, words_of(problem, at));
        all_words += words_of(problem, at);
    }
    raise(&room.words, all_words < MOST_WORDS ? all_words : MOST_WORDS);
    return room;
}

enum { ARRAYS = 10 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char pairs[] = "inner products between the samples of a batch";
    static const char what[] = "the norms of an update";
    const extents room = extents_of(problem);
    const size_t size = ww_layered_methods_of(problem)->size;
    const ww_allocation arrays[] = {
        {offsetof(ww_track_sums, derivatives), (size_t)room.matrix, sizeof(double), pairs},
        {offsetof(ww_track_sums, inputs), (size_t)room.inputs, sizeof(double), pairs},
        {offsetof(ww_track_sums, first_inputs), (size_t)room.first_inputs, sizeof(double), pairs},
        {offsetof(ww_track_sums, gradient), (size_t)room.gradient, size, what},
        {offsetof(ww_track_sums, product), ww_problem_is_single(problem) ? (size_t)room.product : 0,
         size, what},
        {offsetof(ww_track_sums, values), (size_t)room.product, sizeof(double), what},
        {offsetof(ww_track_sums, sizes), (size_t)room.side, sizeof(double), what},
        {offsetof(ww_track_sums, others), (size_t)room.side, sizeof(double), what},
        {offsetof(ww_track_sums, largest), problem->depth == 1 ? (size_t)problem->batch : 0,
         sizeof(double), what},
        {offsetof(ww_track_sums, words), (size_t)room.words + 1, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_track_sums_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_column_format_bytes(extents_of(problem).side);
}

double ww_track_sums_flops(const ww_problem *problem)
{
    const double units = (double)problem->tiling.local_units;
    double flops = 0.0;
    for (part at = first_of_layer(problem, 1); at.layer <= problem->depth;
         at = next_of(problem, at)) {
        const part_shape shape = shape_of(problem, at);
        flops +=
            (shape.is_symmetric ? 1.0 : 2.0) * units * (double)shape.rows * (double)shape.columns;
        if (at.kind == BY_COLUMNS)
            flops += 2.0 * units * (double)problem->batch * (double)shape.columns;
    }
    return flops;
}

ww_status ww_track_sums_create(const ww_problem *problem, ww_track_sums **sums, ww_error *error)
{
    ww_allocation list[ARRAYS];
    const extents room = extents_of(problem);
    list_arrays(problem, list);
    *sums = NULL;
    ww_track_sums *made = ww_allocate(1, sizeof *made, "the norms of an update", error);
    if (made == NULL)
        return WW_FAILED;
    made->problem = problem;
    made->word_room = room.words;
    ww_status status = ww_allocate_all(made, list, ARRAYS, error);
    if (status == WW_OK)
        status = ww_column_format_create(&made->format, room.side, problem->tiling.tile_count,
                                         WORDS, error);
    if (status == WW_OK)
        *sums = made;
    else
        ww_track_sums_free(made);
    return status;
}

void ww_track_sums_free(ww_track_sums *sums)
{
    if (sums == NULL)
        return;
    free(sums->derivatives);
    free(sums->inputs);
    free(sums->first_inputs);
    free(sums->gradient);
    free(sums->product);
    free(sums->values);
    free(sums->sizes);
    free(sums->others);
    free(sums->largest);
    free(sums->words);
    ww_column_format_free(&sums->format);
    free(sums);
}

// ---- sums ---------------------------------------------------------------------------------------

typedef struct view {
    ww_track_sums *sums;
    ww_layered *network;
    ww_layered_block *const *blocks;
} view;

static ww_layered_block *block_at(const view *self, int64_t start)
{
    return self->blocks[start / WW_SAMPLE_BLOCK];
}

// What a part is made of, of the samples of one block: rows of this rank.
static void *factor_of(const view *self, part at, int64_t start)
{
    const ww_layered_block *block = block_at(self, start);
    if (at.kind == DERIVATIVES)
        return block->derivatives[at.layer - 1];
    const int64_t own = ww_layered_first_row(self->sums->problem, at.layer - 1);
    return ww_layered_at(self->network->methods, block->activations[at.layer - 2],
                         own * block->samples);
}

// Largest magnitudes of the samples of a block, of all units.
static void find_block_sizes(const view *self, part at, int64_t start, double *sizes)
{
    const ww_layered_block *block = block_at(self, start);
    if (at.kind == DERIVATIVES) {
        memcpy(sizes, block->largest + (at.layer - 1) * block->samples,
               (size_t)block->samples * sizeof *sizes);
        return;
    }
    for (int64_t i = 0; i < block->samples; i++)
        sizes[i] = 0.0;
    self->network->methods->find_largest(block->activations[at.layer - 2],
                                         self->sums->problem->tiling.width, block->samples, sizes);
}

// Bounds of the gradients by the weights of each column: by what is largest of a sample.
static void find_column_sizes(const view *self, int64_t layer, double *sizes)
{
    const ww_problem *problem = self->sums->problem;
    for (int64_t i = 0; i < ww_layer_columns(problem, layer); i++)
        sizes[i] = 0.0;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const ww_layered_block *block = block_at(self, start);
        self->network->methods->add_sizes(block, layer,
                                          block->largest + (layer - 1) * block->samples, sizes);
    }
}

// The ranges of a part: those of its rows in `sizes`, and those of its columns in the format. A
// term is one tile's part, so below the number of its units times the largest of both.
static ww_status set_ranges(const view *self, part at, ww_error *error)
{
    ww_track_sums *sums = self->sums;
    const part_shape shape = shape_of(sums->problem, at);
    const double *columns = sums->sizes;
    if (at.kind == BY_COLUMNS)
        find_column_sizes(self, at.layer, sums->sizes);
    else
        find_block_sizes(self, at, at.first, sums->sizes);
    if (!shape.is_symmetric) {
        find_block_sizes(self, at, at.second, sums->others);
        columns = sums->others;
    }
    for (int64_t i = 0; i < shape.rows; i++)
        if (!(sums->sizes[i] < HUGE_VAL))
            return ww_fail(error, WW_DIVERGED,
                           "an activation or a gradient by a hidden layer is not finite; a smaller "
                           "training.rate may help");
    int exponent = 0;
    (void)frexp((double)sums->problem->tiling.tile_units, &exponent);
    // One more, since rounding may lift a term above the product of its factors.
    ww_column_format_set(&sums->format, shape.columns, columns, exponent + 1);
    return WW_OK;
}

// A tile's part of the gradient by a layer's weights.
static void find_gradient(const view *self, int64_t layer, ww_rows rows)
{
    for (int64_t start = 0; start < self->sums->problem->batch; start += WW_SAMPLE_BLOCK)
        self->network->methods->find_gradient(block_at(self, start), layer, rows, start > 0,
                                              self->sums->gradient);
}

// A tile's part of a matrix, into `values`.
static void multiply_tile(const view *self, part at, const part_shape *shape, ww_rows rows)
{
    ww_track_sums *sums = self->sums;
    const ww_layered_methods *methods = self->network->methods;
    void *product = ww_problem_is_single(sums->problem) ? sums->product : sums->values;
    if (at.kind == BY_COLUMNS) {
        find_gradient(self, at.layer, rows);
        methods->square(sums->gradient, shape->columns, rows.units, product, sums->values);
        return;
    }
    const void *left =
        ww_layered_at(methods, factor_of(self, at, at.first), rows.first * shape->rows);
    if (at.first == at.second) {
        methods->square(left, shape->columns, rows.units, product, sums->values);
        return;
    }
    const void *right =
        ww_layered_at(methods, factor_of(self, at, at.second), rows.first * shape->columns);
    methods->multiply(left, shape->rows, right, shape->columns, rows.units, product, sums->values);
}

// Adds this rank's tiles to the words of a part; counts the terms left out.
static ww_status add_part(const view *self, part at, int64_t *words, int64_t *rejected,
                          ww_error *error)
{
    ww_track_sums *sums = self->sums;
    const ww_problem *problem = sums->problem;
    const part_shape shape = shape_of(problem, at);
    WW_TRY(set_ranges(self, at, error));
    memset(words, 0, (size_t)words_of(problem, at) * sizeof *words);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        multiply_tile(self, at, &shape, ww_tile_rows(problem, tile));
        ww_layered_scale_rows(sums->sizes, shape.rows, shape.columns, shape.is_symmetric, -1,
                              sums->values);
        *rejected += shape.is_symmetric
                         ? ww_column_sum_add_upper(&sums->format, sums->values, words)
                         : ww_column_sum_add(&sums->format, sums->values, shape.rows, words);
    }
    return WW_OK;
}

// Puts a block of a matrix of order `order`, values [rows, columns], where it belongs; of a
// symmetric one what is on and above its diagonal.
static void place(const part_shape *shape, const double *values, int64_t order, double *corner)
{
    for (int64_t i = 0; i < shape->rows; i++) {
        const int64_t from = shape->is_symmetric ? i : 0;
        memcpy(corner + i * order + from, values + i * shape->columns + from,
               (size_t)(shape->columns - from) * sizeof *values);
    }
}

// Once words are summed over ranks: the part comes to its place in A or C.
static ww_status take_part(const view *self, part at, const int64_t *words, ww_error *error)
{
    ww_track_sums *sums = self->sums;
    const part_shape shape = shape_of(sums->problem, at);
    const int64_t order = order_of(sums->problem, at.layer);
    double *matrix = at.kind == INPUTS ? sums->inputs : sums->derivatives;
    WW_TRY(set_ranges(self, at, error));
    if (shape.is_symmetric)
        ww_column_sum_upper_values(&sums->format, words, sums->values);
    else
        ww_column_sum_values(&sums->format, words, shape.rows, sums->values);
    ww_layered_scale_rows(sums->sizes, shape.rows, shape.columns, shape.is_symmetric, 1,
                          sums->values);
    place(&shape, sums->values, order, matrix + at.first * order + at.second);
    return WW_OK;
}

// C of the first layer, whose inputs every rank has in full.
static void find_first_inputs(const view *self)
{
    ww_track_sums *sums = self->sums;
    const int64_t batch = sums->problem->batch;
    void *product = ww_problem_is_single(sums->problem) ? sums->product : sums->values;
    if (sums->has_first_inputs)
        return;
    for (int64_t first = 0; first < batch; first += WW_SAMPLE_BLOCK)
        for (int64_t second = first; second < batch; second += WW_SAMPLE_BLOCK) {
            const part_shape shape = {.rows = ww_block_size(batch, first),
                                      .columns = ww_block_size(batch, second),
                                      .is_symmetric = first == second};
            self->network->methods->multiply_inputs(block_at(self, first), block_at(self, second),
                                                    product, sums->values);
            place(&shape, sums->values, batch, sums->first_inputs + first * batch + second);
        }
    sums->has_first_inputs = sums->problem->config->training.method == WW_METHOD_GD;
}

static ww_status look_at(const view *self, int64_t layer, ww_track_look look, void *context,
                         ww_error *error)
{
    ww_track_sums *sums = self->sums;
    const double *inputs = NULL;
    if (ww_track_by_pairs(sums->problem, layer)) {
        inputs = layer == 1 ? sums->first_inputs : sums->inputs;
        if (layer == 1)
            find_first_inputs(self);
    }
    return look(context, layer, order_of(sums->problem, layer), sums->derivatives, inputs, error);
}

// With one hidden layer the backward pass takes no other rank: the largest derivatives are agreed
// on here, of all blocks at once.
static ww_status agree_on_derivatives(const view *self, ww_error *error)
{
    const ww_problem *problem = self->sums->problem;
    if (problem->depth > 1)
        return WW_OK;
    double *largest = self->sums->largest;
    for (int64_t i = 0; i < problem->batch; i++)
        largest[i] = 0.0;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK)
        self->network->methods->find_largest(block_at(self, start)->derivatives[0],
                                             problem->tiling.local_units,
                                             block_at(self, start)->samples, largest + start);
    WW_TRY(ww_layered_agree_largest(self->network, problem->batch, largest, error));
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK)
        memcpy(block_at(self, start)->largest, largest + start,
               (size_t)block_at(self, start)->samples * sizeof *largest);
    return WW_OK;
}

ww_status ww_track_sums_find(ww_track_sums *sums, ww_layered *network,
                             ww_layered_block *const *blocks, ww_track_look look, void *context,
                             ww_error *error)
{
    const ww_problem *problem = sums->problem;
    const view self = {.sums = sums, .network = network, .blocks = blocks};
    WW_TRY(agree_on_derivatives(&self, error));
    for (part at = first_of_layer(problem, 1); at.layer <= problem->depth;) {
        const part begin = at;
        int64_t used = 0, rejected = 0;
        for (; at.layer <= problem->depth && used + words_of(problem, at) <= sums->word_room;
             at = next_of(problem, at)) {
            WW_TRY(add_part(&self, at, sums->words + used, &rejected, error));
            used += words_of(problem, at);
        }
        sums->words[used] = rejected; // summed along with the rest
        WW_TRY(ww_sum_words(problem->parallel, sums->words, (size_t)used + 1, error));
        if (sums->words[used] > 0)
            return ww_fail(error, WW_DIVERGED,
                           "an inner product of derivatives or activations of two samples is not "
                           "finite; a smaller training.rate may help");
        used = 0;
        for (part taken = begin; taken.layer != at.layer || taken.kind != at.kind ||
                                 taken.first != at.first || taken.second != at.second;) {
            WW_TRY(take_part(&self, taken, sums->words + used, error));
            used += words_of(problem, taken);
            const part next = next_of(problem, taken);
            if (next.layer != taken.layer)
                WW_TRY(look_at(&self, taken.layer, look, context, error));
            taken = next;
        }
    }
    return WW_OK;
}
