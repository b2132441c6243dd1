// What each paper's preset stands for.
#include "config/keys.h"

// Li & Liang 2018, section 7: hidden weights of variance 1/m, output weights of variance 1.
static const ww_preset_value li_liang[] = {
    {"data.source", "mixture"},
    {"data.mixture.classes", "10"},
    {"network.activation.kind", "relu"},
    {"network.hidden.kind", "gaussian"},
    {"network.hidden.std", "1.0"},
    {"network.hidden.scaling", "inverse-sqrt-width"},
    {"network.output.kind", "gaussian"},
    {"network.output.scale", "1.0"},
    {"network.output.scaling", "none"},
    {"loss", "cross-entropy"},
    {"loss_reduction", "mean"},
    {"training.method", "sgd"},
    {"training.batch", "16"},
    {"training.epochs", "0"},
    {"training.rate", "10.0"},
    {"training.rate_scaling", "inverse-width"},
    {"measure.quantities", "[loss, train_accuracy, test_accuracy, coupling, distance]"},
    {"measure.final", "[update_spectrum, weight_spectrum]"},
    {"gram.gradient", "last-layer"},
    {"output.checkpoint_every", "100"},
    {"output.checkpoint_minutes", "0.0"},
    {NULL, NULL},
};

// Arora et al. 2019, sections 3 and C: u = m^-1/2 sum_r a_r relu(<w_r, x>), two classes as +1 and
// -1, gradient descent on half the sum of squares. The batch is that of li-liang, should the method
// be sgd, which the paper does not use.
static const ww_preset_value arora[] = {
    {"data.source", "mixture"},
    {"data.mixture.classes", "2"},
    {"network.activation.kind", "relu"},
    {"network.hidden.kind", "gaussian"},
    {"network.hidden.std", "0.01"},
    {"network.hidden.scaling", "none"},
    {"network.output.kind", "signs"},
    {"network.output.scale", "1.0"},
    {"network.output.scaling", "inverse-sqrt-width"},
    {"loss", "squared"},
    {"loss_reduction", "sum"},
    {"training.method", "gd"},
    {"training.batch", "16"},
    {"training.epochs", "0"},
    {"training.rate", "0.001"},
    {"training.rate_scaling", "none"},
    {"measure.quantities", "[loss, train_accuracy, test_accuracy, coupling, distance]"},
    {"measure.final", "[update_spectrum, weight_spectrum]"},
    {"gram.gradient", "last-layer"},
    {"output.checkpoint_every", "100"},
    {"output.checkpoint_minutes", "0.0"},
    {NULL, NULL},
};

// Brutzkus et al. 2018, sections 2 and 5: N(x) = v . s(W x) with v = +-m^-1/2 in two halves and
// leaky ReLU s, rows of W of norm at most R = v (equation 6), hinge loss, one sample a step, until
// no sample changes a weight. The paper does not say how rows are drawn, nor its slope and rate:
// those of theorem 2's discussion are any. The number of epochs is a bound on runs that never end.
static const ww_preset_value brutzkus[] = {
    {"data.source", "separable"},
    {"data.mixture.classes", "2"},
    {"network.activation.kind", "leaky-relu"},
    {"network.activation.slope", "0.1"},
    {"network.hidden.kind", "ball"},
    {"network.hidden.std", "1.0"},
    {"network.hidden.scaling", "inverse-sqrt-width"},
    {"network.output.kind", "halves"},
    {"network.output.scale", "1.0"},
    {"network.output.scaling", "inverse-sqrt-width"},
    {"loss", "hinge"},
    {"loss_reduction", "mean"},
    {"training.method", "sgd"},
    {"training.batch", "1"},
    {"training.epochs", "1000"},
    {"training.rate", "1.0"},
    {"training.rate_scaling", "none"},
    {"measure.quantities", "[loss, train_accuracy, test_accuracy, updates, distance]"},
    {"measure.final", "[]"},
    {"gram.gradient", "last-layer"},
    {"output.checkpoint_every", "0"}, // steps are too short for that
    {"output.checkpoint_minutes", "5.0"},
    {NULL, NULL},
};

// Zou & Gu 2019, section 2 and algorithm 1: f(x) = V relu(W_L ... relu(W_1 x)), hidden weights
// N(0, 2/m), output weights N(0, 1/k), half the mean of squares, gradient descent with eta = c k /
// (L^2 m) (theorem 3.3), on samples of the unit sphere with last coordinate mu. The paper names
// neither c nor mu.
static const ww_preset_value zou_gu[] = {
    {"data.source", "sphere"},
    {"data.mixture.classes", "2"},
    {"network.activation.kind", "relu"},
    {"network.hidden.kind", "gaussian"},
    {"network.hidden.std", "1.4142135623730951"}, // sqrt(2)
    {"network.hidden.scaling", "inverse-sqrt-width"},
    {"network.output.kind", "gaussian"},
    {"network.output.scale", "1.0"},
    {"network.output.scaling", "inverse-sqrt-outputs"},
    {"loss", "squared"},
    {"loss_reduction", "mean"},
    {"training.method", "gd"},
    {"training.batch", "16"},
    {"training.epochs", "0"},
    {"training.rate", "1.0"},
    {"training.rate_scaling", "inverse-curvature"},
    {"measure.quantities", "[loss, test_loss, contraction, distance, layer_gradient_norm, "
                           "gradient_ratio, trajectory_length]"},
    {"measure.final", "[]"},
    {"gram.gradient", "all-layers"},
    {"output.checkpoint_every", "100"},
    {"output.checkpoint_minutes", "0.0"},
    {NULL, NULL},
};

static const ww_preset presets[WW_MODEL_COUNT] = {
    [WW_MODEL_LI_LIANG] =
        {"Li & Liang 2018: f_i(x) = sum_r a_ir relu(<w_r, x>), only w is trained, "
         "softmax cross entropy",
         li_liang},
    [WW_MODEL_ARORA] = {"Arora et al. 2019: u(x) = sum_r a_r relu(<w_r, x>) / sqrt(m), a_r = +1 or "
                        "-1, only w is trained, half the sum of squares, gradient descent",
                        arora},
    [WW_MODEL_BRUTZKUS] = {"Brutzkus et al. 2018: N(x) = v . s(W x) with leaky ReLU s, v = +1 / "
                           "sqrt(m) for the first half of the units and -1 / sqrt(m) for the rest, "
                           "hinge loss, one sample a step",
                           brutzkus},
    [WW_MODEL_ZOU_GU] = {"Zou & Gu 2019: f(x) = V relu(W_L ... relu(W_1 x)), L hidden layers are "
                         "trained, half the mean of squares, gradient descent",
                         zou_gu},
};

const ww_preset *ww_preset_of(ww_model model)
{
    WW_ASSERT((size_t)model < WW_MODEL_COUNT);
    return &presets[model];
}
