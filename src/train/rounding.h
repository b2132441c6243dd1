/// How far what an engine believes may be from what its weights say, by rounding alone (lazy.md).
#ifndef WIDTHWISE_TRAIN_ROUNDING_H
#define WIDTHWISE_TRAIN_ROUNDING_H

/// An engine's pre-activation of unit r on x and <w_r, x> as computed from the weights that it
/// makes differ by `pairs` u size_r ||x|| at most, with u the unit roundoff of training. size_r is
/// ||w_r(0)||, and what the terms that w_r is made of besides come to (ww_engine_methods.reach), or
/// ||w_r|| of an engine that keeps the weights; plus the lengths of `steps` steps of the unit.
typedef struct ww_rounding {
    double pairs;
    double steps;
    double carried; ///< steps that outputs were carried over instead of being made anew
} ww_rounding;

#endif
