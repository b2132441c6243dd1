/// The inside of the engines of one hidden layer, which differ in how they keep the hidden weights
/// (keeper.h): a step, and the work on tiles of units, in either precision, on any number of
/// threads.
#ifndef WIDTHWISE_TRAIN_SHALLOW_H
#define WIDTHWISE_TRAIN_SHALLOW_H

#include "train/activations.h"
#include "train/engine.h"
#include "train/keeper.h"
#include "train/step.h"

/// What one thread works with. Numbers in void pointers are of the precision of training.
typedef struct ww_shallow_room {
    void *preactivations; ///< [tile units, block]; then activations
    void *coefficients;   ///< [tile units, block], of the pending update
    void *partial;        ///< [block, k], one tile's outputs, twice with pairs
    double *outputs;      ///< [block, k], the same widened; `partial` itself in double
    double *values;       ///< [tile units, block], activations widened, where the tally wants them
    double *extras;       ///< [block, extras], those of a tile
    uint8_t *active;      ///< [tile units, block]
    void *tables;         ///< of WW_PATTERN_ROOM_BYTES, for a keeper that takes patterns
    ww_output_sum sum;    ///< of the tiles of this thread; none for the first
} ww_shallow_room;

/// What gradients are summed up in where that goes by sections: shallow_sections.c.
typedef struct ww_section_sums ww_section_sums;

typedef struct ww_shallow {
    const ww_problem *problem;
    const ww_keeper *keeper;
    void *kept;
    const ww_activation_methods *methods;
    ww_batches *batches;
    int64_t pattern_bytes;     ///< bytes of one unit's patterns on a batch
    double *output_weights;    ///< [local units, k]
    void *narrow_weights;      ///< the same in the precision of training; themselves in double
    uint8_t *patterns;         ///< [local units, pattern_bytes]: active in the last forward pass
    int64_t *indices;          ///< [B], samples of the batch
    int64_t *labels;           ///< [B]
    double *targets;           ///< [B, k], where the data have them
    void *gradients;           ///< [B, k], of the pending update
    void *output_updates;      ///< [local units, k], where output weights are trained
    double *tile;              ///< [threads, tile units, d or what is kept], those asked for
    ww_shallow_room *rooms;    ///< [threads]
    bool by_patterns;          ///< whether the keeper moves by patterns
    bool is_stale;             ///< whether there is a pending update
    ww_section_sums *sections; ///< NULL: updates go to the weights block by block
    ww_step step;
} ww_shallow;

/// The functions of an engine (ww_engine_methods), of which some are told the keeper.
ww_engine_cost ww_shallow_cost(const ww_problem *problem, const ww_keeper *keeper);
ww_status ww_shallow_create(const ww_problem *problem, const ww_keeper *keeper, ww_tally *tally,
                            void **state, ww_error *error);
void ww_shallow_destroy(void *state);
ww_status ww_shallow_step(void *state, int64_t step, int64_t request, int64_t *requests,
                          double *batch_loss, ww_error *error);
ww_rounding ww_shallow_rounding(const void *state, int64_t steps);
void ww_shallow_settle(void *state);
const double *ww_shallow_tile(void *state, int worker, int64_t tile);
void ww_shallow_put_tile(void *state, int64_t tile, const double *values);
const double *ww_shallow_output_weights(void *state);
double *ww_shallow_output_storage(void *state);
int64_t ww_shallow_probe_samples(const ww_problem *problem);
void ww_shallow_probe(void *state, const int64_t *indices, ww_output_sum *sum);
const double *ww_shallow_kept_tile(void *state, int64_t step, int64_t tile);
void ww_shallow_put_kept_tile(void *state, int64_t tile, const double *values);
size_t ww_shallow_words(const ww_problem *problem, const ww_keeper *keeper);
void ww_shallow_save_words(void *state, double *words);
void ww_shallow_load_words(void *state, const double *words);
void ww_shallow_restored(void *state, int64_t step, bool has_kept);
const double *ww_shallow_outputs(void *state);
void ww_shallow_patterns(void *state, uint8_t *patterns, int64_t stride);
ww_status ww_shallow_look(void *state, int64_t step, const int64_t *indices, int64_t *seen,
                          ww_error *error);
void ww_shallow_reach(void *state, int64_t tile, const double *lengths, double *reach);

/// Whether the batch is of one block of samples (WW_SAMPLE_BLOCK). Pure.
bool ww_shallow_is_one_block(const ww_problem *problem);

/// Applies the pending update to all tiles, where there is one.
void ww_shallow_update(ww_shallow *self);

/// The same, and then adds the outputs of all tiles on the batch at hand to the step's sum.
void ww_shallow_pass(ww_shallow *self);

/// Applies the pending update by sections of samples: sums of each are added up, over the ranks of
/// the column too, as order-independent integers, and go to the weights at once. Where a sum is out
/// of range weights become NaN, so that the next forward pass diverges on all ranks. Collective
/// over the column.
ww_status ww_shallow_update_by_sections(ww_shallow *self, ww_error *error);
/// Room for it; NULL, and WW_OK, where there is one section. Not collective.
ww_status ww_section_sums_create(const ww_problem *problem, ww_section_sums **sums,
                                 ww_error *error);
void ww_section_sums_free(ww_section_sums *sums);
/// Bytes that it takes. Pure.
int64_t ww_section_sums_bytes(const ww_problem *problem);

/// Derivatives of the loss by the pre-activations of a tile on a block of the pending batch, into
/// the room's coefficients.
void ww_shallow_find_coefficients(const ww_shallow *self, ww_shallow_room *room, ww_rows tile,
                                  int64_t start, int64_t count);
/// updates [units, k] = -eta activations^T gradients on such a block, or that added to them, by the
/// hidden weights as they are.
void ww_shallow_find_output_updates(ww_shallow *self, ww_shallow_room *room, ww_rows tile,
                                    int64_t start, int64_t count, bool adds, void *updates);
/// Where updates of the output weights of a tile wait, and what adds them to these where they are
/// trained. Output weights move after the hidden ones: each of the two by the other as it was (BR
/// section 5).
void *ww_shallow_output_updates(const ww_shallow *self, ww_rows tile);
void ww_shallow_move_output_weights(ww_shallow *self, ww_rows tile);

/// Adds the outputs of all tiles on the batch at hand to `sum`, in the shape of a step. There is no
/// pending update. Patterns stay those of the last step, or become those of the batch where `sees`.
void ww_shallow_add_outputs(ww_shallow *self, ww_output_sum *sum, bool sees);

#endif
