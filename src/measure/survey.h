/// One pass over the tiles that gathers what quantities need: over those of one hidden layer with
/// what its engines have in common (survey.c), over several layers through the network of the
/// engine `layers` (survey_layers.c).
#ifndef WIDTHWISE_MEASURE_SURVEY_H
#define WIDTHWISE_MEASURE_SURVEY_H

#include "widthwise/measure.h"
#include "widthwise/train.h"

/// What a quantity needs; a survey gathers the union.
enum {
    WW_NEED_TRAIN_OUTPUTS = 1 << 0,
    WW_NEED_TEST_OUTPUTS = 1 << 1,
    WW_NEED_TRAIN_PATTERNS = 1 << 2, ///< compared with t = 0
    WW_NEED_TEST_PATTERNS = 1 << 3,
    WW_NEED_PSEUDO_OUTPUTS = 1 << 4, ///< of the pseudo network g on the test set
    WW_NEED_MOVEMENT = 1 << 5,
    WW_NEED_V_MAX = 1 << 7,         ///< with WW_NEED_TRAIN_OUTPUTS
    WW_NEED_GRADIENTS = 1 << 6,     ///< true and pseudo, on the batch of the coming step
    WW_NEED_WEIGHTS = 1 << 8,       ///< norm of the weights, and alignment with the separator
    WW_NEED_TRAIN_MOVERS = 1 << 9,  ///< units that a sample would move; with WW_NEED_TRAIN_OUTPUTS
    WW_NEED_OUTPUT_RATIO = 1 << 10, ///< of output weights to those at t = 0
    // With the engine `layers` only:
    WW_NEED_LAYER_GRADIENTS = 1 << 11, ///< of the whole train loss, by each hidden layer; with
                                       ///< WW_NEED_TRAIN_OUTPUTS
    WW_NEED_SPECTRAL = 1 << 12,        ///< norms of W_l(t) - W_l(0): keeps a copy of W(0)
    WW_NEED_NEAREST = 1 << 13,         ///< phi
    // With one hidden layer only:
    WW_NEED_TEST_REACH = 1 << 14 ///< pairs that the movement of their unit may have changed
};

/// Outputs and pattern changes on one set of samples.
typedef struct ww_surveyed_samples {
    const ww_samples *samples;
    double *outputs;        ///< [n, k] f(x), or NULL
    double *pseudo_outputs; ///< [n, k] g(x), or NULL
    int64_t *movers;        ///< [n] units that a gradient by this sample would move, were it not 0
                            ///< (train/tally.h); NULL where nobody asked, or all samples move some
    int64_t changed_pairs;  ///< (unit, sample) pairs whose pattern differs from t = 0
    int64_t changed_units;  ///< units with at least one such pair
    int64_t risky_pairs; ///< of the test set, pairs with |<w_r(0), x>| <= ||w_r(t) - w_r(0)|| ||x||
} ww_surveyed_samples;

/// One hidden layer.
typedef struct ww_surveyed_layer {
    double movement_squared;  ///< ||W_l(t) - W_l(0)||_F^2
    double spectral_distance; ///< ||W_l(t) - W_l(0)||_2
    double gradient_squared;  ///< ||gradient of the whole train loss by W_l||_F^2
    int64_t train_changes;    ///< (unit, train sample) pairs whose pattern differs from t = 0
    int64_t test_changes;     ///< (unit, test sample) pairs
} ww_surveyed_layer;

/// All sums are over all units of all ranks, the same on every rank; units are those of all hidden
/// layers. With one hidden layer arrays stand in the room of the origin (measure/gathering.h),
/// until the next survey.
typedef struct ww_survey {
    const ww_problem *problem;
    int64_t step;
    ww_surveyed_samples train, test;
    double movement_squared;   ///< ||W(t) - W(0)||_F^2
    double initial_squared;    ///< ||W(0)||_F^2
    double row_movement;       ///< max_r ||w_r(t) - w_r(0)||
    double v_max;              ///< largest |p_ab v_iab| on the train set (LL section 5.1)
    double batch_loss;         ///< loss on the batch
    double gradient_squared;   ///< ||true gradient on the batch||_F^2
    double pseudo_squared;     ///< ||pseudo gradient on the batch||_F^2
    int64_t equal_units;       ///< units whose true and pseudo gradient are the same
    int64_t large_units;       ///< units whose pseudo gradient is above the threshold in norm
    double weight_squared;     ///< ||W(t)||_F^2
    double alignment;          ///< <W(t), W*>, rows of W* +w* where v_r(0) >= 0 and -w* elsewhere
                               ///< (BR section 5.1); NaN without a separator
    double least_ratio;        ///< smallest v_t / v_0 of an output weight that began other than 0
    double largest_ratio;      ///< the largest; both 1 where output weights are not trained
    const ww_tally *tally;     ///< of the engine; NULL for losses that have none
    ww_surveyed_layer *layers; ///< [L]
    const ww_track *track;     ///< of the engine; NULL where nothing asked for it
    double nearest;            ///< phi
    struct ww_gathering *own_room; ///< of one hidden layer, where the origin has none for it
} ww_survey;

/// Makes the survey of what `needs` asks for at the engine's current step; `origin` was made for
/// the same needs. Collective.
ww_status ww_survey_make(const ww_problem *problem, const ww_origin *origin, ww_engine *engine,
                         ww_batches *batches, unsigned needs, ww_survey *survey, ww_error *error);
void ww_survey_free(ww_survey *survey);

/// What has to be looked at for `needs`: a leaky unit moves by every sample unless its output
/// weight is 0, and output weights that are not trained stay as they are. Pure.
unsigned ww_survey_looks_at(const ww_problem *problem, unsigned needs);

/// Bytes that such a survey has allocated at most beside the origin, and additions and
/// multiplications of its matrix products, both on this rank. Needs the shape of the problem only.
/// Pure.
void ww_survey_cost(const ww_problem *problem, unsigned needs, int64_t *bytes, double *flops);

#endif
