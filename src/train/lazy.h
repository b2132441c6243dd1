/// The inside of the engine `lazy`: its state, and what moves the outputs from step to step.
#ifndef WIDTHWISE_TRAIN_LAZY_H
#define WIDTHWISE_TRAIN_LAZY_H

#include "train/engine.h"
#include "train/lazy_full.h"
#include "train/lazy_scan.h"
#include "train/output_sum.h"

/// A pattern that has changed, and p.
typedef struct ww_lazy_change_made {
    int64_t sample, unit;
    double value;
} ww_lazy_change_made;

/// Words that travel with the products: terms out of range, requests, and what windows learn from.
enum {
    WW_LAZY_REJECTED,
    WW_LAZY_FAILED,
    WW_LAZY_REQUESTS,
    WW_LAZY_LOOKS,
    WW_LAZY_CHANGES,
    WW_LAZY_LEFT_OUT,
    WW_LAZY_FOLDS,
    WW_LAZY_WORDS
};

typedef struct ww_lazy {
    const ww_problem *problem;
    ww_lazy_pairs pairs;
    ww_lazy_counts counts;
    ww_lazy_course course;
    ww_lazy_scan scan;
    ww_lazy_full full;
    ww_batches *batches;
    ww_tally *tally;      ///< borrowed; NULL: none
    ww_sum_format format; ///< of what changes do to the outputs in this step
    double longest_row;   ///< largest ||K_i||_2
    double start_size;    ///< about the largest |p(0)|
    int64_t samples, words;
    bool has_outputs; ///< those of the step before are there, and its update is pending
    bool has_window;
    bool has_counts;
    bool needs_active, has_active; ///< `active` is to be known, and is
    bool was_full;                 ///< steps were full ones in what has been put
    double *outputs;               ///< u [n, k]
    double *factors;               ///< f [k, stride], of the pending update
    double *before;                ///< R before it [k, stride]
    double *moves;                 ///< of the outputs whose rows of N this rank has [rows, k]
    int64_t *sums;                 ///< [words], or those of all outputs
    int64_t *active;               ///< units that are active on each sample, of all ranks [n]
    int64_t *columns;              ///< samples whose f is not 0 [column count]
    int64_t column_count;
    int64_t *indices, *labels; ///< of the batch that was seen last [B], as all of these
    double *targets, *seen, *gradients;
    double *extras;      ///< of the tally [B, extras]
    ww_lazy_entry *work; ///< the pairs of a step, by sample [look count]; there is room for `room`
    ww_lazy_change_made *changes; ///< and those of them that have changed, likewise [change count]
    int64_t *found;               ///< how many of each few pairs have
    int64_t room, look_count, change_count;
    int64_t bent_count;   ///< changes whose unit is to be brought up to date, at the beginning
    int64_t *ends;        ///< [n + 1]
    double *coefficients; ///< [threads, tile units, n]
    double *tile;         ///< [threads, tile units, d or what is kept]
    double window_idle, window_folds; ///< looks that found no change, and folds: of all ranks, in
                                      ///< this window
    ww_panel_inputs inputs;           ///< X
} ww_lazy;

/// Outputs on the batch that is looked at.
void ww_lazy_see_batch(ww_lazy *self);

/// Units of a tile, from the first of this rank on.
ww_rows ww_lazy_rows_of(const ww_lazy *self, int64_t tile);
/// The weights of a tile by sums of updates totals [k, stride], in the memory of a worker.
const double *ww_lazy_make_tile(const ww_lazy *self, const double *totals, int worker,
                                int64_t tile);

/// What an audit asks for: as the methods in engine.h.
const double *ww_lazy_seen_outputs(void *state);
void ww_lazy_seen_patterns(void *state, uint8_t *bits, int64_t stride);
ww_rounding ww_lazy_rounding(const void *state, int64_t steps);
ww_status ww_lazy_look(void *state, int64_t step_number, const int64_t *indices, int64_t *seen,
                       ww_error *error);
const double *ww_lazy_seen_tile(void *state, int worker, int64_t tile);
void ww_lazy_find_reach(void *state, int64_t tile, const double *lengths, double *reach);

/// `columns`, of the pending update.
void ww_lazy_find_columns(ww_lazy *self);

/// The outputs at the start, in an Allreduce, and another one for `active`. As ww_engine_step
/// otherwise.
ww_status ww_lazy_find_first_outputs(ww_lazy *self, int64_t request, int64_t *requests,
                                     ww_error *error);

/// Brings the outputs from the step before to step `step`: by the pending update, and by the
/// patterns that change with it. One Allreduce, an exchange of changes where there are some, and
/// more where a window begins or N is made anew. As ww_engine_step otherwise.
ww_status ww_lazy_move_outputs(ww_lazy *self, int64_t step, int64_t request, int64_t *requests,
                               ww_error *error);

#endif
