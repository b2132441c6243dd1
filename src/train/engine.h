/// The interface behind which engines stand.
#ifndef WIDTHWISE_TRAIN_ENGINE_H
#define WIDTHWISE_TRAIN_ENGINE_H

#include "widthwise/train.h"

/// What an engine does. `state` is its own. The meaning of each is that of ww_engine_* in train.h.
typedef struct ww_engine_methods {
    const char *name;
    ww_engine_cost (*cost)(const ww_problem *problem);
    ww_status (*create)(const ww_problem *problem, void **state, ww_error *error);
    void (*destroy)(void *state);
    ww_status (*step)(void *state, int64_t step, int64_t request, int64_t *requests,
                      double *batch_loss, ww_error *error);
    const double *(*tile)(void *state, int64_t tile);
    const double *(*output_weights)(const void *state);
    void (*storage)(void *state, double **hidden_weights, double **output_weights);
    void (*restored)(void *state);
} ww_engine_methods;

extern const ww_engine_methods ww_engine_dense;

#endif
