/// Pre-activations of the batches to come, taken out of those of all samples, P [m, n], while a
/// tile of P is in a cache: later each of them would be a line of memory of its own.
#ifndef WIDTHWISE_TRAIN_COMING_H
#define WIDTHWISE_TRAIN_COMING_H

#include "train/activations.h"
#include "train/keeper.h"
#include "train/rows.h"

typedef struct ww_coming {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    ww_batches *batches;
    int64_t capacity, count;      ///< samples that there is room for, and that there are
    int64_t first;                ///< step of the first of these batches; -1: none is known
    int64_t *samples;             ///< [capacity], train samples
    void *values;                 ///< [local units, capacity]
    bool gathers;                 ///< they are yet to be taken out of P, in the next pass
    int64_t place, pending_place; ///< of the batch at hand and of the pending one among them
} ww_coming;

/// Room for `capacity` samples, whole batches. Free with ww_coming_free, also after a failure.
ww_status ww_coming_create(const ww_problem *problem, int64_t capacity, ww_coming *coming,
                           ww_error *error);
void ww_coming_free(ww_coming *coming);
/// Bytes that it takes. Pure.
int64_t ww_coming_bytes(const ww_problem *problem, int64_t capacity);

/// The batch at hand is that of `step`, train samples indices [B]; as ww_keeper.take_batch.
void ww_coming_take(ww_coming *coming, int64_t step, const int64_t *indices);
/// It becomes the pending one.
void ww_coming_remember(ww_coming *coming);
/// P is not any more, or will not be in the next pass, what the batches were taken out of.
void ww_coming_forget(ww_coming *coming);

/// preactivations [units, B] of the batch at hand, or of the pending one, of a tile. `all` [units,
/// n] is its part of P.
void ww_coming_get(const ww_coming *coming, ww_pass pass, ww_rows tile, const void *all,
                   void *preactivations);

#endif
