// Predictions of Zou & Gu 2019 and of those that their table 1 compares with, as functions of the
// setting.

#include "widthwise/zou_gu.h"

#include <math.h>
#include <string.h>

double ww_zou_gu_solve_width(double factor, double power)
{
    // With t = log m: t - power log t = log factor, which has its least value at t = power.
    const double target = log(factor);
    if (isnan(factor) || isinf(factor))
        return factor;
    if (!(target >= power - power * log(power)))
        return 1.0;
    // Convex, and the start is right of the larger root: Newton's method comes down to it.
    double t = fmax(4.0 * power, 2.0 * (fabs(target) + power));
    while (t - power * log(t) < target)
        t *= 2.0;
    for (int i = 0; i < 200; i++) {
        const double slope = 1.0 - power / t;
        if (!(slope > 0.0))
            break;
        const double next = t - (t - power * log(t) - target) / slope;
        if (!(next < t))
            break;
        t = next;
    }
    return exp(t);
}

// log(1 / epsilon); a loss of 1 or more takes no iterations.
static double accuracy_of(const ww_zou_gu_setting *setting)
{
    return fmax(0.0, -log(setting->target_loss));
}

#define SYMBOL(name) const double name __attribute__((unused))

// A function of the setting in the papers' symbols; `accuracy` is log(1 / epsilon), `loss` L(W(0)),
// X ||X||_2.
#define VALUE(name, expression)                                                                    \
    static double name(const ww_zou_gu_setting *setting)                                           \
    {                                                                                              \
        const ww_zou_gu_data *data = &setting->data;                                               \
        SYMBOL(n) = setting->samples;                                                              \
        SYMBOL(d) = setting->dimension;                                                            \
        SYMBOL(k) = setting->outputs;                                                              \
        SYMBOL(L) = setting->depth;                                                                \
        SYMBOL(m) = setting->width;                                                                \
        SYMBOL(B) = setting->batch;                                                                \
        SYMBOL(eta) = setting->rate;                                                               \
        SYMBOL(accuracy) = accuracy_of(setting);                                                   \
        SYMBOL(loss) = setting->initial_loss;                                                      \
        SYMBOL(phi) = data->separation;                                                            \
        SYMBOL(X) = data->spectral_norm;                                                           \
        SYMBOL(lambda_0) = data->two_layer_least;                                                  \
        SYMBOL(lambda_K) = data->last_layer_least;                                                 \
        return (expression);                                                                       \
    }

VALUE(separation, phi)
VALUE(data_spectral_norm, X)
VALUE(two_layer_lambda_min, lambda_0)
VALUE(last_layer_lambda_min, lambda_K)
VALUE(all_layers_lambda_min, data->all_layers_least)
VALUE(all_layers_lambda_max, data->all_layers_greatest)

VALUE(du_width, pow(n, 6) / pow(lambda_0, 4))
VALUE(du_iterations, pow(n / lambda_0, 2) * accuracy)
VALUE(wu_iterations, n / lambda_0 * accuracy)
VALUE(oymak_width, pow(X, 6) * n / pow(lambda_0, 4))
VALUE(oymak_iterations, pow(X, 2) * accuracy / lambda_0)
VALUE(du_deep_width, exp2(L) * pow(n / lambda_K, 4))
VALUE(du_deep_iterations, exp2(L) * pow(n / lambda_K, 2) * accuracy)
VALUE(allen_zhu_width, pow(n, 24) * k * pow(L, 12) / pow(phi, 8))
VALUE(allen_zhu_iterations, pow(n, 6) * pow(L / phi, 2) * accuracy)
VALUE(zou_gu_width, pow(n, 8) * k * pow(L, 12) / pow(phi, 4))
VALUE(zou_gu_iterations, pow(n *L, 2) * accuracy / phi)

VALUE(gd_width, ww_zou_gu_solve_width(pow(n, 8) * k * pow(L, 12) / pow(phi, 4), 3.0))
VALUE(gd_rate, k / (L * L * m))
VALUE(gd_width_gain, pow(n, 16) / pow(phi, 4))
VALUE(gd_iterations_gain, pow(n, 4) / phi)
VALUE(two_layer_gd_width, ww_zou_gu_solve_width(pow(n, 8) * k / pow(phi, 4), 3.0))
VALUE(two_layer_gd_rate, k / m)
VALUE(two_layer_gd_iterations, pow(n, 2) * accuracy / phi)
VALUE(lambda_min_bound, phi / pow(n, 2))
VALUE(lambda_min_constant, pow(n, 2) * lambda_0 / phi)
VALUE(du_width_by_separation, pow(n, 14) / pow(phi, 4))
VALUE(du_iterations_by_separation, pow(n, 6) / pow(phi, 2) * accuracy)
VALUE(oymak_width_by_separation, pow(n, 9) * pow(X, 6) / pow(phi, 4))
VALUE(oymak_iterations_by_separation, pow(n *X, 2) * accuracy / phi)
VALUE(oymak_width_gain, pow(X, 6) * n)
VALUE(oymak_iterations_gain, pow(X, 2))

VALUE(sgd_width,
      ww_zou_gu_solve_width(pow(n, 17) * k * pow(L, 12) / (pow(B, 4) * pow(phi, 8)), 3.0))
VALUE(sgd_rate, k / pow(n, 3) * B * phi / (m * log(m)))
VALUE(sgd_iterations, pow(n, 5) * pow(L * accuracy / phi, 2) * log(m) / B)
VALUE(allen_zhu_sgd_width, pow(n, 24) * pow(L, 12) * B * k / pow(phi, 8))
VALUE(allen_zhu_sgd_iterations, pow(n, 7) * pow(L / phi, 2) * accuracy / B)
VALUE(sgd_width_gain, pow(n, 7) * pow(B, 5))
VALUE(sgd_iterations_gain, pow(n, 2))
VALUE(two_layer_sgd_width, ww_zou_gu_solve_width(pow(k, 2.5) * pow(n, 11) / (pow(phi, 5) * B), 3.0))
VALUE(two_layer_sgd_iterations, pow(n, 5) / pow(phi, 2) * log(m) * accuracy / B)
VALUE(two_layer_sgd_width_by_depth,
      ww_zou_gu_solve_width(pow(n, 17) * k / (pow(B, 4) * pow(phi, 8)), 3.0))

VALUE(region_radius, pow(phi / log(m), 1.5) / (pow(n, 3) * pow(L, 6)))
VALUE(gradient_bound, m / k * phi / pow(n, 2))
VALUE(gradient_failure, exp(-m / d * phi / n))
VALUE(trajectory_bound, sqrt(k / m * log(n) / phi) * n)
VALUE(trajectory_bound_by_loss, sqrt(k / m * loss / phi) * n)
VALUE(allen_zhu_trajectory_bound, sqrt(k / m) * pow(n, 3) * loss / phi)
VALUE(start_loss_width, L *log(n *L))
VALUE(start_loss_bound, log(n))
VALUE(start_loss_expected, setting->expected_loss)
VALUE(smooth_radius_least, pow(k / (m * L * log(m)), 1.5))
VALUE(smooth_radius_most, 1.0 / (pow(L, 4.5) * pow(log(m), 1.5)))
VALUE(loss_contraction_bound, 1.0 - m / k * phi * eta / pow(n, 2))
VALUE(iterations_at_rate, k / m * pow(n, 2) * accuracy / (phi * eta))

VALUE(kernel_contraction, pow(1.0 - setting->kernel_scale * eta * data->all_layers_least / n, 2))
VALUE(kernel_stable_rate, 2.0 * n / (setting->kernel_scale * data->all_layers_greatest))

#define PREDICTION(part_, name_, source_, formula_, what_)                                         \
    {                                                                                              \
        .part = WW_ZOU_GU_##part_, .name = #name_, .source = (source_), .formula = (formula_),     \
        .description = formula_ ": " what_ ".", .value = (name_)                                   \
    }
#define OF_KERNELS(part_, name_, source_, formula_, what_)                                         \
    {                                                                                              \
        .part = WW_ZOU_GU_##part_, .name = #name_, .source = (source_), .formula = (formula_),     \
        .description = formula_ ": " what_ ".", .takes_kernels = true, .value = (name_)            \
    }
#define ONES ", constants 1"
#define NO_LOGARITHMS ", constants and hidden logarithms 1"

static const ww_zou_gu_prediction predictions[] = {
    PREDICTION(MEASURED, separation, "ZG assumption 3.2", "phi",
               "smallest distance between two train samples, measured"),
    PREDICTION(MEASURED, data_spectral_norm, "ZG table 1", "||X||_2",
               "spectral norm of the train inputs [n, d], measured to measure.spectral_tolerance"),
    OF_KERNELS(MEASURED, two_layer_lambda_min, "ZG proposition 3.6", "lambda_0",
               "smallest eigenvalue of the Gram matrix H of one hidden layer on the train set"),
    OF_KERNELS(MEASURED, last_layer_lambda_min, "ZG table 1", "lambda_min(K^(L))",
               "smallest eigenvalue of the depth-L ReLU kernel of the last hidden layer, which "
               "stands for K^(L), defined for smooth activations"),
    OF_KERNELS(MEASURED, all_layers_lambda_min, "ZG section 4.1", "lambda_min(Theta_L)",
               "smallest eigenvalue of the depth-L ReLU kernel of all hidden layers, to which k / "
               "m times the network's own kernel tends, with the paper's weights"),
    OF_KERNELS(MEASURED, all_layers_lambda_max, "ZG section 4.1", "lambda_max(Theta_L)",
               "largest eigenvalue of the depth-L ReLU kernel of all hidden layers"),

    OF_KERNELS(TABLE, du_width, "ZG table 1, Du et al. [11]", "n^6 / lambda_0^4",
               "width asked for" ONES),
    OF_KERNELS(TABLE, du_iterations, "ZG table 1, Du et al. [11]",
               "n^2 log(1/epsilon) / lambda_0^2", "iterations to a loss of epsilon" ONES),
    {WW_ZOU_GU_TABLE, "wu_width", "ZG table 1, Wu et al. [19]", "n^6 / lambda_0^4",
     "n^6 / lambda_0^4: width asked for" ONES ".", true, du_width},
    OF_KERNELS(TABLE, wu_iterations, "ZG table 1, Wu et al. [19]", "n log(1/epsilon) / lambda_0",
               "iterations to a loss of epsilon" ONES),
    OF_KERNELS(TABLE, oymak_width, "ZG table 1, Oymak & Soltanolkotabi [17]",
               "n ||X||_2^6 / lambda_0^4", "width asked for" ONES),
    OF_KERNELS(TABLE, oymak_iterations, "ZG table 1, Oymak & Soltanolkotabi [17]",
               "||X||_2^2 log(1/epsilon) / lambda_0", "iterations to a loss of epsilon" ONES),
    OF_KERNELS(TABLE, du_deep_width, "ZG table 1, Du et al. [9]", "2^L n^4 / lambda_min(K^(L))^4",
               "width asked for (of smooth activations)" ONES ", that of 2^O(L) included"),
    OF_KERNELS(TABLE, du_deep_iterations, "ZG table 1, Du et al. [9]",
               "2^L n^2 log(1/epsilon) / lambda_min(K^(L))^2",
               "iterations to a loss of epsilon (of smooth activations)" ONES
               ", that of 2^O(L) included"),
    PREDICTION(TABLE, allen_zhu_width, "ZG table 1, Allen-Zhu et al. [2]", "k n^24 L^12 / phi^8",
               "width asked for" NO_LOGARITHMS),
    PREDICTION(TABLE, allen_zhu_iterations, "ZG table 1, Allen-Zhu et al. [2]",
               "n^6 L^2 log(1/epsilon) / phi^2", "iterations to a loss of epsilon" ONES),
    PREDICTION(TABLE, zou_gu_width, "ZG table 1, this paper", "k n^8 L^12 / phi^4",
               "width asked for" NO_LOGARITHMS),
    PREDICTION(TABLE, zou_gu_iterations, "ZG table 1, this paper, and theorem 3.3",
               "n^2 L^2 log(1/epsilon) / phi", "iterations to a loss of epsilon" ONES),

    PREDICTION(DESCENT, gd_width, "ZG theorem 3.3, equation (3.1)",
               "m = k n^8 L^12 log^3(m) / phi^4", "width asked for, solved for m" ONES),
    PREDICTION(DESCENT, gd_rate, "ZG theorem 3.3", "k / (L^2 m)",
               "step size at the run's width m" ONES),
    PREDICTION(DESCENT, gd_width_gain, "ZG remark 3.4", "n^16 / phi^4",
               "factor by which Allen-Zhu et al. [2] ask for more width" NO_LOGARITHMS),
    PREDICTION(DESCENT, gd_iterations_gain, "ZG remark 3.4", "n^4 / phi",
               "factor by which Allen-Zhu et al. [2] take more iterations" ONES),
    PREDICTION(DESCENT, two_layer_gd_width, "ZG corollary 3.5", "m = k n^8 log^3(m) / phi^4",
               "width asked for with one hidden layer, solved for m" ONES),
    PREDICTION(DESCENT, two_layer_gd_rate, "ZG corollary 3.5", "k / m",
               "step size at the run's width m with one hidden layer" ONES),
    PREDICTION(DESCENT, two_layer_gd_iterations, "ZG corollary 3.5", "n^2 log(1/epsilon) / phi",
               "iterations to a loss of epsilon with one hidden layer" ONES),
    PREDICTION(DESCENT, lambda_min_bound, "ZG proposition 3.6", "phi / n^2",
               "lower bound on lambda_0" ONES),
    OF_KERNELS(DESCENT, lambda_min_constant, "ZG proposition 3.6", "lambda_0 n^2 / phi",
               "largest constant C of lambda_0 >= C phi / n^2 on these data"),
    PREDICTION(DESCENT, du_width_by_separation, "ZG remark 3.7, Du et al. [11]", "n^14 / phi^4",
               "width asked for where lambda_0 is phi / n^2" ONES),
    PREDICTION(DESCENT, du_iterations_by_separation, "ZG remark 3.7, Du et al. [11]",
               "n^6 log(1/epsilon) / phi^2", "iterations where lambda_0 is phi / n^2" ONES),
    PREDICTION(DESCENT, oymak_width_by_separation, "ZG remark 3.7, Oymak & Soltanolkotabi [17]",
               "n^9 ||X||_2^6 / phi^4", "width asked for where lambda_0 is phi / n^2" ONES),
    PREDICTION(DESCENT, oymak_iterations_by_separation,
               "ZG remark 3.7, Oymak & Soltanolkotabi [17]", "n^2 ||X||_2^2 log(1/epsilon) / phi",
               "iterations where lambda_0 is phi / n^2" ONES),
    PREDICTION(DESCENT, oymak_width_gain, "ZG remark 3.7", "n ||X||_2^6",
               "factor by which Oymak & Soltanolkotabi [17] ask for more width than corollary "
               "3.5, with one output" NO_LOGARITHMS),
    PREDICTION(DESCENT, oymak_iterations_gain, "ZG remark 3.7", "||X||_2^2",
               "factor by which Oymak & Soltanolkotabi [17] take more iterations than corollary "
               "3.5" ONES),

    PREDICTION(STOCHASTIC, sgd_width, "ZG theorem 3.8, equation (3.2)",
               "m = k n^17 L^12 log^3(m) / (B^4 phi^8)", "width asked for, solved for m" ONES),
    PREDICTION(STOCHASTIC, sgd_rate, "ZG theorems 3.8 and 3.10", "k B phi / (n^3 m log(m))",
               "step size at the run's width m" ONES),
    PREDICTION(STOCHASTIC, sgd_iterations, "ZG theorem 3.8",
               "n^5 L^2 log(m) log^2(1/epsilon) / (B phi^2)",
               "iterations to an expected loss of epsilon at the run's width m" ONES),
    PREDICTION(STOCHASTIC, allen_zhu_sgd_width, "ZG remark 3.9, Allen-Zhu et al. [2]",
               "n^24 L^12 B k / phi^8", "width asked for" NO_LOGARITHMS),
    PREDICTION(STOCHASTIC, allen_zhu_sgd_iterations, "ZG remark 3.9, Allen-Zhu et al. [2]",
               "n^7 L^2 log(1/epsilon) / (B phi^2)",
               "iterations to a loss of epsilon" NO_LOGARITHMS),
    PREDICTION(STOCHASTIC, sgd_width_gain, "ZG remark 3.9", "n^7 B^5",
               "factor by which Allen-Zhu et al. [2] ask for more width" NO_LOGARITHMS),
    PREDICTION(STOCHASTIC, sgd_iterations_gain, "ZG remark 3.9", "n^2",
               "factor by which Allen-Zhu et al. [2] take more iterations" NO_LOGARITHMS),
    PREDICTION(STOCHASTIC, two_layer_sgd_width, "ZG theorem 3.10",
               "m = k^(5/2) n^11 log^3(m) / (phi^5 B)",
               "width asked for with one hidden layer, solved for m" ONES),
    PREDICTION(STOCHASTIC, two_layer_sgd_iterations, "ZG theorem 3.10",
               "n^5 log(m) log(1/epsilon) / (B phi^2)",
               "iterations to a loss of epsilon with one hidden layer, at the run's width m" ONES),
    PREDICTION(STOCHASTIC, two_layer_sgd_width_by_depth, "ZG remark 3.11",
               "m = k n^17 log^3(m) / (B^4 phi^8)",
               "width that theorem 3.8 asks for with one hidden layer, solved for m" ONES),

    PREDICTION(REGION, region_radius, "ZG lemma 4.1", "tau = phi^(3/2) / (n^3 L^6 log^(3/2)(m))",
               "distance from the start, in spectral norm and each layer, up to which the lemmas "
               "hold" ONES),
    PREDICTION(REGION, gradient_bound, "ZG lemma 4.1", "m phi / (k n^2)",
               "lower bound on ||grad L||_F^2 / L within region_radius of the start" ONES),
    PREDICTION(REGION, gradient_failure, "ZG lemma 4.1", "exp(-m phi / (d n))",
               "probability with which the bound on the gradient may fail" ONES),
    PREDICTION(REGION, trajectory_bound, "ZG lemma 4.2", "sqrt(k n^2 log(n) / (m phi))",
               "bound on ||W_l(t) - W_l(0)||_2" ONES),
    PREDICTION(REGION, trajectory_bound_by_loss, "ZG equation (4.1)",
               "sqrt(k n^2 L(W(0)) / (m phi))",
               "bound on the length of the trajectory, with the measured loss at the start where "
               "there is one, else the expected" ONES),
    PREDICTION(
        REGION, allen_zhu_trajectory_bound, "ZG section 4.1", "sqrt(k n^6 L(W(0))^2 / (m phi^2))",
        "bound of Allen-Zhu et al. [2] on the length of the trajectory, with the same loss" ONES),
    PREDICTION(REGION, start_loss_width, "ZG lemma 4.3", "L log(n L)",
               "width from which the loss at the start is bounded" ONES),
    PREDICTION(REGION, start_loss_bound, "ZG lemmas 4.2 and 4.3", "log(n)",
               "bound on the loss at the start, with the logarithm that lemma 4.2 has" ONES),
    PREDICTION(REGION, start_loss_expected, "ZG lemma 4.3",
               "(1 / 2n) sum_i (E ||f(x_i)||^2 + ||y_i||^2)",
               "expected loss at the start, a mean over samples; E ||f(x)||^2 is ||x||^2 for the "
               "paper's weights, whatever the width"),
    PREDICTION(REGION, smooth_radius_least, "ZG lemma 4.4",
               "k^(3/2) / (m^(3/2) L^(3/2) log^(3/2)(m))",
               "least radius tau for which the loss is semi-smooth" ONES),
    PREDICTION(REGION, smooth_radius_most, "ZG lemma 4.4", "1 / (L^4.5 log^(3/2)(m))",
               "largest radius tau for which the loss is semi-smooth" ONES),
    PREDICTION(REGION, loss_contraction_bound, "ZG lemma 4.5", "1 - m phi eta / (k n^2)",
               "what a step multiplies the loss by at most, at the run's step size" ONES),
    PREDICTION(REGION, iterations_at_rate, "ZG equation (4.3)",
               "k n^2 log(1/epsilon) / (m phi eta)",
               "iterations to a loss of epsilon at the run's step size" ONES),

    OF_KERNELS(KERNEL, kernel_contraction, "ZG section 4.1",
               "(1 - eta c lambda_min(Theta_L) / n)^2",
               "what a step multiplies the loss by in the end where the network follows its limit, "
               "c Theta_L; c is m / k for the paper's weights, and follows from those of the run"),
    OF_KERNELS(KERNEL, kernel_stable_rate, "ZG section 4.1", "2 n / (c lambda_max(Theta_L))",
               "step size above which descent on the kernel of the limit, c Theta_L, grows"),
};
enum { COUNT = sizeof predictions / sizeof predictions[0] };

const ww_zou_gu_prediction *ww_zou_gu_predictions(size_t *count)
{
    *count = COUNT;
    return predictions;
}

double ww_zou_gu_predict(const ww_zou_gu_setting *setting, const char *name)
{
    double value = (double)NAN;
    bool is_known = false;
    for (size_t i = 0; i < COUNT && !is_known; i++) {
        is_known = strcmp(predictions[i].name, name) == 0;
        if (is_known)
            value = predictions[i].value(setting);
    }
    WW_ASSERT(is_known);
    return value;
}
