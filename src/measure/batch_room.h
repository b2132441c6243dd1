/// The batch of the coming step, for the parts of a survey that look at it.
#ifndef WIDTHWISE_MEASURE_BATCH_ROOM_H
#define WIDTHWISE_MEASURE_BATCH_ROOM_H

#include "train/output_sum.h"

typedef struct ww_batch_room {
    bool in_place;     ///< gd: the batch is the train set itself
    ww_samples batch;  ///< inputs [B, d], labels [B] and targets [B, k] of the coming step
    int64_t *indices;  ///< [B]
    double *outputs;   ///< [B, k]
    double *gradients; ///< [B, k], derivative of the loss by each output
    double *terms;     ///< [local tiles, 2]: squared norms of true and pseudo gradient
    ww_output_sum sum;
} ww_batch_room;

/// Room for a batch; a failed creation is freed too. Not collective.
ww_status ww_batch_room_create(ww_batch_room *room, const ww_problem *problem, ww_error *error);
void ww_batch_room_free(ww_batch_room *room);
/// Bytes of that room. Pure.
int64_t ww_batch_room_bytes(const ww_problem *problem);

/// Fills in the batch of step `step`.
void ww_batch_room_gather(ww_batch_room *room, const ww_problem *problem, ww_batches *batches,
                          int64_t step);

#endif
