// The engines of one hidden layer: each is a step by one keeper.

#include "train/shallow.h"

#define ENGINE(name_, keeper_, takes_products_, look_, seen_tile_, reach_)                         \
    static ww_engine_cost cost_of_##name_(const ww_problem *problem)                               \
    {                                                                                              \
        return ww_shallow_cost(problem, &(keeper_));                                               \
    }                                                                                              \
    static ww_status create_##name_(const ww_problem *problem, ww_tally *tally, ww_track *track,   \
                                    void **state, ww_error *error)                                 \
    {                                                                                              \
        (void)track;                                                                               \
        return ww_shallow_create(problem, &(keeper_), tally, state, error);                        \
    }                                                                                              \
    static size_t words_of_##name_(const ww_problem *problem)                                      \
    {                                                                                              \
        return ww_shallow_words(problem, &(keeper_));                                              \
    }                                                                                              \
    static int64_t columns_of_##name_(const ww_problem *problem)                                   \
    {                                                                                              \
        return (keeper_).kept_columns != NULL ? (keeper_).kept_columns(problem) : 0;               \
    }                                                                                              \
    const ww_engine_methods ww_engine_##name_ = {                                                  \
        .name = #name_,                                                                            \
        .takes_products = (takes_products_),                                                       \
        .cost = cost_of_##name_,                                                                   \
        .create = create_##name_,                                                                  \
        .destroy = ww_shallow_destroy,                                                             \
        .step = ww_shallow_step,                                                                   \
        .settle = ww_shallow_settle,                                                               \
        .tile = ww_shallow_tile,                                                                   \
        .put_tile = ww_shallow_put_tile,                                                           \
        .output_weights = ww_shallow_output_weights,                                               \
        .output_storage = ww_shallow_output_storage,                                               \
        .probe_samples = ww_shallow_probe_samples,                                                 \
        .probe = ww_shallow_probe,                                                                 \
        .kept_columns = columns_of_##name_,                                                        \
        .kept_tile = ww_shallow_kept_tile,                                                         \
        .put_kept_tile = ww_shallow_put_kept_tile,                                                 \
        .words = words_of_##name_,                                                                 \
        .save_words = ww_shallow_save_words,                                                       \
        .load_words = ww_shallow_load_words,                                                       \
        .restored = ww_shallow_restored,                                                           \
        .outputs = ww_shallow_outputs,                                                             \
        .patterns = ww_shallow_patterns,                                                           \
        .rounding = ww_shallow_rounding,                                                           \
        .look = (look_),                                                                           \
        .seen_tile = (seen_tile_),                                                                 \
        .reach = (reach_),                                                                         \
    };

ENGINE(dense, ww_keeper_weights, false, NULL, NULL, NULL)
ENGINE(window, ww_keeper_window, false, NULL, NULL, NULL)
ENGINE(samples, ww_keeper_samples, true, ww_shallow_look, ww_shallow_tile, ww_shallow_reach)
