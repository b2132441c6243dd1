/// Whether any train sample would change a weight: the question behind ww_engine_rest.
#ifndef WIDTHWISE_TRAIN_REST_H
#define WIDTHWISE_TRAIN_REST_H

#include "train/engine.h"

/// Room to find out. Opaque.
typedef struct ww_rest_finder ww_rest_finder;

/// Not collective.
ww_status ww_rest_finder_create(const ww_problem *problem, const ww_engine_methods *methods,
                                ww_rest_finder **finder, ww_error *error);
void ww_rest_finder_free(ww_rest_finder *finder);
/// Bytes that it takes. Pure.
int64_t ww_rest_finder_bytes(const ww_problem *problem, const ww_engine_methods *methods);

/// Looks, at the weights of engine `state`. `quiet` steps in a row have changed nothing. Errors as
/// ww_engine_rest. Collective.
ww_status ww_rest_find(ww_rest_finder *finder, void *state, int64_t quiet, ww_rest *rest,
                       ww_error *error);

#endif
