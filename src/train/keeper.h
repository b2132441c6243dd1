/// How an engine of one hidden layer keeps what it trains: the hidden weights themselves, or what
/// they come to on samples. A keeper makes the pre-activations of a batch and takes the updates of
/// steps; all else is the same whatever the keeper (shallow.h).
///
/// The update of a step is pending until the next pass over the tiles, in which it goes before the
/// pre-activations of the next batch, tile by tile; or until someone asks for the weights, which
/// must give the same bits. Functions that are given a tile work on it alone, from any thread.
/// Numbers in void pointers are of the precision of training. Only `create` can fail, and none is
/// collective.
#ifndef WIDTHWISE_TRAIN_KEEPER_H
#define WIDTHWISE_TRAIN_KEEPER_H

#include "train/rounding.h"
#include "train/rows.h"

/// What pre-activations are made for.
typedef enum ww_pass {
    WW_PASS_FORWARD, ///< the batch at hand
    WW_PASS_UPDATE   ///< that of the pending update, by the weights before it
} ww_pass;

typedef struct ww_keeper {
    const char *name;
    /// Adds bytes of what takes the place of the weights, bytes of the rest, and the additions and
    /// multiplications of a step.
    void (*cost)(const ww_problem *problem, ww_engine_cost *cost);
    /// At the initial weights. On failure what there is goes to `destroy`.
    ww_status (*create)(const ww_problem *problem, void **state, ww_error *error);
    void (*destroy)(void *state);
    /// The batch at hand is that of step `step`, train samples indices [B]; of a step of -1 it only
    /// serves to look at outputs.
    void (*take_batch)(void *state, int64_t step, const int64_t *indices);
    /// Makes ready for the work of all tiles on a block of samples, `count` from `start` on, of a
    /// batch of several blocks (WW_SAMPLE_BLOCK). NULL: there are none (WW_WINDOW_BATCH).
    void (*take_block)(void *state, ww_pass pass, int64_t start, int64_t count);
    /// preactivations [units, count] of a tile on these samples: a block, or the whole batch.
    void (*preactivate)(void *state, ww_pass pass, ww_rows tile, int64_t start, int64_t count,
                        void *preactivations);
    /// The batch at hand becomes that of the pending update, with derivatives of its loss by the
    /// outputs gradients [B, k].
    void (*remember)(void *state, const double *gradients);
    /// Moves a tile by the part of the pending update that these samples have: derivatives of the
    /// loss by its pre-activations, coefficients [units, count].
    void (*move)(void *state, ww_rows tile, int64_t start, int64_t count, const void *coefficients);
    /// The same to other rows [units, d] in the place of the tile's weights; and adds rows [units,
    /// d] to its weights. NULL: never asked for (ww_problem.sections).
    void (*move_rows)(void *state, ww_rows tile, int64_t start, int64_t count,
                      const void *coefficients, void *rows);
    void (*add_rows)(void *state, ww_rows tile, const void *rows);
    /// Instead of `move`, where the keeper takes patterns (a pure question; NULL: never):
    /// `patterns` [units, count] of these samples in the last forward pass, a bit a sample,
    /// `stride` bytes apart. `room` is of WW_PATTERN_ROOM_BYTES.
    bool (*takes_patterns)(const ww_problem *problem);
    void (*move_by_patterns)(void *state, ww_rows tile, int64_t start, int64_t count,
                             const uint8_t *patterns, int64_t stride, void *room);
    /// For a batch of one block: moves, and then pre-activations of the batch at hand, in one go.
    /// NULL: the two above, one after the other.
    void (*advance)(void *state, ww_rows tile, const void *coefficients, void *preactivations);
    /// All tiles have moved by the pending update.
    void (*moved)(void *state);
    /// Puts what is still collected of moves into what is kept, of all tiles. There is no pending
    /// update. NULL: nothing ever is.
    void (*apply_all)(void *state);
    /// Then: hidden weights of a tile, [units, d], with all moves in them, for worker `worker` of
    /// ww_for_each; valid until it asks for the next one, or another function is called.
    const void *(*tile)(void *state, int worker, ww_rows tile);
    /// Replaces them by values [units, d].
    void (*put_tile)(void *state, ww_rows tile, const double *values);
    /// Columns of what is kept beside the weights, for a checkpoint; NULL: none. What there is of a
    /// tile after `step` steps, into values [units, columns]; and back.
    int64_t (*kept_columns)(const ww_problem *problem);
    void (*kept_tile)(void *state, int64_t step, ww_rows tile, double *values);
    void (*put_kept_tile)(void *state, ww_rows tile, const double *values);
    /// Numbers that it keeps once, the same on all ranks; NULL: none. Out of it, and back before
    /// `restored`.
    size_t (*words)(const ww_problem *problem);
    void (*save_words)(const void *state, double *words);
    void (*load_words)(void *state, const double *words);
    /// The weights that were put are those of `step`, and so is what was kept beside them, unless
    /// `has_kept` is false: then it is made anew from the weights as they are.
    void (*restored)(void *state, int64_t step, bool has_kept);
    /// As of ww_engine_methods; `reach` is NULL where the weights are kept.
    ww_rounding (*rounding)(const ww_problem *problem, int64_t steps);
    void (*reach)(void *state, ww_rows tile, const double *lengths, double *reach);
} ww_keeper;

/// Puts the initial weights of all tiles of this rank, values [units, d]; threads put different
/// tiles at once. WW_FAILED: no memory.
ww_status ww_put_initial_tiles(const ww_problem *problem,
                               void (*put)(void *state, ww_rows tile, const double *values),
                               void *state, ww_error *error);

/// The same with what they come to on the train samples, preactivations [units, n], in the
/// precision of training.
ww_status ww_put_initial_preactivations(const ww_problem *problem,
                                        void (*put)(void *state, ww_rows tile,
                                                    const void *preactivations),
                                        void *state, ww_error *error);

/// Rows of weights of `size` bytes a number that stay in a cache of their core from one use to the
/// next. Pure.
int64_t ww_piece_units(const ww_problem *problem, size_t size);

extern const ww_keeper ww_keeper_weights;
extern const ww_keeper ww_keeper_window;
extern const ww_keeper ww_keeper_samples;

#endif
