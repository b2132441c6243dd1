/// The inside of the keeper `samples` (keep_samples.c): what stands for the weights, and how it
/// goes into checkpoints and comes out of them (keep_samples_state.c).
#ifndef WIDTHWISE_TRAIN_KEEP_SAMPLES_H
#define WIDTHWISE_TRAIN_KEEP_SAMPLES_H

#include "train/activations.h"
#include "train/coming.h"
#include "train/moves.h"
#include "train/panel_inputs.h"
#include "train/pattern_sums.h"
#include "train/sample_products.h"

typedef struct ww_keep_samples {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    int64_t samples;      ///< n
    void *preactivations; ///< P [local units, n]
    void *coefficients;   ///< C, by tile [n, units]; or
    ww_pattern_sums sums; ///< what it is made of
    ww_panel_inputs base; ///< what all samples of a block come to together, of leaky units
    double *base_room;    ///< [n]
    uint8_t *tile_active, *tile_patterns; ///< [tile units, n], and packed
    const ww_sample_products *products;   ///< K, of the problem
    ww_moves moves;                       ///< of small batches, whose samples are train samples
    bool is_full;                         ///< the columns go into P with the pending update
    ww_panel_inputs rows;   ///< K of columns that go into P, or of a block of a large batch
    ww_panel_inputs inputs; ///< X, for the weights
    ww_coming coming;       ///< P of the batches to come
    int64_t *batch;         ///< [B], samples of a large batch
    int64_t *pending;       ///< [B], those of its pending update
    double *room;           ///< [rows at once, n], rows of K
    double *drawn;          ///< [threads, tile units, d], W(0) of a tile
    void *turned;           ///< [threads, tile units, n], C of a tile
    void *tile;             ///< [threads, tile units, d], W of a tile
} ww_keep_samples;

/// P of some units [units, n].
static inline void *ww_keep_samples_preactivations(const ww_keep_samples *self, ww_rows rows)
{
    return ww_place(self->methods, self->preactivations, rows.first * self->samples);
}

/// Their C, by tile [n, units]; where it is kept as it is.
static inline void *ww_keep_samples_coefficients(const ww_keep_samples *self, ww_rows rows)
{
    return ww_place(self->methods, self->coefficients, rows.first * self->samples);
}

/// Puts all columns that there are into P and C. There is no pending update.
void ww_keep_samples_apply_all(void *state);

/// As the methods in keeper.h.
int64_t ww_keep_samples_kept_columns(const ww_problem *problem);
void ww_keep_samples_kept_tile(void *state, int64_t step, ww_rows tile, double *values);
void ww_keep_samples_put_kept_tile(void *state, ww_rows tile, const double *values);
size_t ww_keep_samples_words(const ww_problem *problem);
void ww_keep_samples_save_words(const void *state, double *values);
void ww_keep_samples_load_words(void *state, const double *values);
void ww_keep_samples_restored(void *state, int64_t step, bool has_kept);

#endif
