/// What Zou & Gu (2019), and the papers that their table 1 compares with, ask of a run and promise
/// for it.
///
/// All of it is a number of the data set and the network: n samples of d coordinates, k outputs, L
/// hidden layers of m units, batches of B, the step size eta, the smallest distance phi of two
/// samples, the target epsilon of the loss. Constants that the papers leave open are 1, and hidden
/// logarithms are left out where the papers hide them: what is to be compared is how the numbers
/// change. A number beyond doubles is infinite. phi = 0 makes widths and iterations infinite; one
/// sample alone has no phi, and all that takes it is NaN.
#ifndef WIDTHWISE_ZOU_GU_H
#define WIDTHWISE_ZOU_GU_H

#include "widthwise/config.h"
#include "widthwise/data.h"

#include <stdbool.h>
#include <stdint.h>

/// What is measured of a data set for it. The same on all ranks.
typedef struct ww_zou_gu_data {
    double separation;    ///< phi; NaN for one sample
    double spectral_norm; ///< ||X||_2 of the inputs [n, d]
    // Ends of the spectra of kernels of the infinitely wide network on the samples (kernel.h); NaN
    // where they were not computed.
    double two_layer_least;  ///< lambda_0 of H (ZG proposition 3.6): one hidden layer
    double last_layer_least; ///< of L layers, gradients by the last alone: stands for K^(L) of
                             ///< table 1, which Du et al. define for smooth activations
    double all_layers_least; ///< of L layers, gradients by all: Theta_L, to which the network's own
                             ///< kernel over kernel_scale tends
    double all_layers_greatest;
} ww_zou_gu_data;

/// Measures it. phi takes n^2 d work, divided over ranks; ||X||_2 comes from Lanczos' method on X'X
/// with the relative error measure.spectral_tolerance. With `kernels` the spectra too: of up to
/// WW_ZOU_GU_ALONE samples on one rank, so that they have the same bits on any number of ranks, and
/// of more on the grid of ranks of gram.grid. Collective.
enum { WW_ZOU_GU_ALONE = 2048 };
ww_status ww_zou_gu_measure(const ww_config *config, const ww_dataset *data,
                            const ww_parallel *parallel, bool kernels, ww_zou_gu_data *measured,
                            ww_error *error);

/// Bytes that rank `rank` of `ranks` allocates for it, and additions and multiplications that it
/// makes. Pure.
void ww_zou_gu_measure_cost(const ww_config *config, const ww_dataset *shape, bool kernels,
                            int rank, int ranks, int64_t *bytes, double *flops);

/// Everything that the predictions are made from.
typedef struct ww_zou_gu_setting {
    double samples;       ///< n
    double dimension;     ///< d
    double outputs;       ///< k
    double depth;         ///< L
    double width;         ///< m
    double batch;         ///< B
    double rate;          ///< eta, of a loss that is a mean
    double target_loss;   ///< epsilon
    double expected_loss; ///< E L(W(0)), a mean over samples
    double initial_loss;  ///< L(W(0)) as measured, or the expected one; likewise
    double kernel_scale;  ///< what the network's own kernel is of Theta_L where it is wide
    ww_zou_gu_data data;
} ww_zou_gu_setting;

/// `initial_loss` is the expected one. Pure.
ww_zou_gu_setting ww_zou_gu_setting_of(const ww_config *config, const ww_dataset *data,
                                       const ww_zou_gu_data *measured);
/// What the network's own kernel at t = 0 is of Theta_L where it is wide: m s^2 g^(L - 1), with s
/// and g as below; m / k for the paper's weights. Of one layer only the signs of pre-activations
/// matter, in which all directions of a row are as likely. NaN where weights are not drawn alike in
/// all directions. Pure.
double ww_zou_gu_kernel_scale(const ww_config *config, int64_t outputs);
/// Puts the measured `loss` at the start in its place: a sum where the losses of the run are. Pure.
void ww_zou_gu_set_loss(const ww_config *config, double loss, ww_zou_gu_setting *setting);

/// The loss that is expected at the start (ZG lemma 4.3): outputs have mean 0 and E ||f(x)||^2 =
/// k s^2 g^L ||x||^2, with s the standard deviation of an output weight and g = m sigma^2 (1 +
/// slope^2) / 2 the growth of a layer, sigma that of a hidden weight: ||x||^2 for the paper's
/// weights. So E L(W(0)) = (1 / 2n) sum_i (E ||f(x_i)||^2 + ||y_i||^2), a mean whatever
/// loss_reduction is. NaN for losses other than the squared one, and weights that are not drawn so.
/// Pure.
double ww_zou_gu_expected_loss(const ww_config *config, const ww_dataset *data);

/// The largest solution m of m = factor (log m)^power, which every larger m is above of; 1 where
/// every m > 1 is above (a factor below (e / power)^power). `power` above 0. Pure.
double ww_zou_gu_solve_width(double factor, double power);

/// Where a prediction has its place in the table.
typedef enum ww_zou_gu_part {
    WW_ZOU_GU_MEASURED,
    WW_ZOU_GU_TABLE, ///< table 1: width and iterations in turn, a row of the paper each
    WW_ZOU_GU_DESCENT,
    WW_ZOU_GU_STOCHASTIC,
    WW_ZOU_GU_REGION, ///< around the start, and what happens in it
    WW_ZOU_GU_KERNEL, ///< descent on the kernel of the limit
    WW_ZOU_GU_PARTS
} ww_zou_gu_part;

typedef struct ww_zou_gu_prediction {
    ww_zou_gu_part part;
    const char *name;
    const char *source;  ///< paper and equation
    const char *formula; ///< in the symbols above
    const char *description;
    bool takes_kernels; ///< NaN without the spectra
    double (*value)(const ww_zou_gu_setting *setting);
} ww_zou_gu_prediction;

/// All of them, in the order of the table; `*count` is their number.
const ww_zou_gu_prediction *ww_zou_gu_predictions(size_t *count);

/// The one of that name, of `setting`. For tests and for the few that are needed alone.
double ww_zou_gu_predict(const ww_zou_gu_setting *setting, const char *name);

#endif
