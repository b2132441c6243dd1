/// The kernel of the network that is infinitely wide, as a function of two inputs.
///
/// Equation (3) of Arora et al. is H_ij = x_i.x_j (pi - theta_ij) / (2 pi) for ReLU and inputs of
/// norm 1, with theta_ij the angle between x_i and x_j. Here inputs have any norm, the negative
/// side of the activation any slope a, and the network any number L of hidden layers:
///
///   L = 1         H_ij = x_i.x_j [a + (1 - a)^2 (pi - theta) / (2 pi)], on the diagonal
///                 ||x||^2 (1 + a^2) / 2
///   L > 1         hidden weights have variance 2 / ((1 + a^2) m), which keeps norms from layer to
///                 layer. With theta_l the angle after l layers (theta_0 = theta) and
///                 A(theta) = a + (1 - a)^2 (pi - theta) / (2 pi), the covariance of two
///                 derivatives,
///                   cos theta_l+1 = 2 / (1 + a^2) [a cos theta_l + (1 - a)^2 (sin theta_l +
///                                   (pi - theta_l) cos theta_l) / (2 pi)]      (arc-cosine, order
///                                   1)
///                 K = ||x_i|| ||x_j|| cos theta_L-1 A(theta_L-1): the gradient by the last hidden
///                 layer alone. This is K^(L) of Du et al. written for ReLU, a stand-in: they
///                 define it for smooth activations.
///   all_layers    the sum over l = 1 .. L of the gradient by layer l,
///                 ||x_i|| ||x_j|| cos theta_l-1 (prod_{k=l}^{L-1} A(theta_k-1) / A(0))
///                 A(theta_L-1)
///
/// The last is, as it stands, the limit Theta_L of k / m times the kernel <df_c(x_i), df_c(x_j)> by
/// all hidden weights of the network of ZG section 2, with W_l ~ N(0, 2/m) and V ~ N(0, 1/k): the
/// terms are the products <x_l-1,i , x_l-1,j> of a layer's inputs and those of the derivatives by
/// its pre-activations, which lose a factor A / A(0) with each layer that they pass. For L = 1 it
/// is H.
///
/// Rounding makes x.x exceed 1, and an arc cosine near 1 loses half of the digits. So it is angles,
/// not cosines, that go from layer to layer, and the angle of two inputs whose cosine is near 1 or
/// -1 comes from the difference or the sum of the unit vectors. Inputs that are equal up to a
/// positive factor have angle 0 exactly: the kernel is then as singular as it should be. A zero
/// vector has kernel 0 with every input.
#ifndef WIDTHWISE_KERNEL_H
#define WIDTHWISE_KERNEL_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ww_kernel {
    int64_t depth;         ///< L >= 1, hidden layers
    double negative_slope; ///< a, of the activation; 0 for ReLU
    bool all_layers;       ///< gradients by all hidden layers, not by the last one alone
} ww_kernel;

/// The kernel of inputs `left` [d] and `right` [d]: slow and obvious, what all else is tested
/// against. Pure.
double ww_kernel_value(const ww_kernel *kernel, const double *left, const double *right,
                       int64_t dimension);

/// out [p, c] = K(rows, inputs) coefficients, for rows [p, d], inputs [n, d] and coefficients
/// [n, c], all row-major and replicated: rows are divided over ranks, the result is again
/// replicated. With coefficients H^-1 y it predicts at `rows` what an infinitely wide network
/// learns from `inputs`. K is made in blocks and never whole. WW_USAGE: a kernel too large for a
/// double, or a shape beyond what BLAS counts. Collective.
ww_status ww_kernel_apply(const ww_kernel *kernel, const double *rows, int64_t row_count,
                          const double *inputs, int64_t input_count, int64_t dimension,
                          const double *coefficients, int64_t columns, const ww_parallel *parallel,
                          double *out, ww_error *error);

/// Bytes that ww_kernel_apply allocates on a rank, and additions and multiplications that a rank of
/// `ranks` makes. Pure.
void ww_kernel_apply_cost(int64_t row_count, int64_t input_count, int64_t dimension,
                          int64_t columns, int ranks, int64_t *bytes, double *flops);

#endif
