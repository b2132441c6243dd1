/// Gradient descent on a fixed kernel, in closed form: what training does while H stands still
/// (AR equations 7, 8 and 11).
///
/// With H = sum_j lambda_j v_j v_j' and step eta the residual after t steps is (I - eta H)^t of the
/// first one. Where the outputs start from 0 that is y itself, with projections v_j . y; with k
/// outputs each goes its own way, and p_j stands for the norm over outputs. All functions are pure.
///
/// What is singular: eigenvalues come with rounding of n u lambda_max, u = 2^-53, so those up to
/// that are 0 (ww_spectrum_rounding). It is the one rule everywhere: of solves, quadratic forms and
/// bounds. Where H is singular, y' H^-1 y stands for y' H^+ y (the pseudo-inverse) for labels in
/// the range of H, which is what descent comes to, and is infinite for others. Rounding moves the
/// range too, so "in the range" is decided by what it would change: with n u lambda_max added to H,
/// the part of y outside the range may add no more than WW_RANGE_SHARE of the form.
#ifndef WIDTHWISE_DESCENT_H
#define WIDTHWISE_DESCENT_H

#include <stdbool.h>
#include <stdint.h>

/// Eigenvalues of a symmetric matrix of this order up to this are rounding: n u |lambda_max|.
double ww_spectrum_rounding(int64_t order, double greatest);

/// Whether the matrix is singular: `least` is at most ww_spectrum_rounding, or not a number.
bool ww_spectrum_is_singular(int64_t order, double least, double greatest);

/// Share of a quadratic form that may come from outside the range of H.
#define WW_RANGE_SHARE 1e-3

/// A kernel's spectrum and what is to be learnt.
typedef struct ww_descent {
    int64_t count;             ///< n
    const double *eigenvalues; ///< lambda [n]
    const double *projections; ///< p [n], |v_j . y| or with its sign
    double rate;               ///< eta
} ww_descent;

/// (1 - eta lambda)^steps, the share of a projection that is left.
double ww_descent_left(double rate, double eigenvalue, int64_t steps);

/// 1 - (1 - eta lambda)^steps, the share that is learnt, accurate where it is small.
double ww_descent_learnt(double rate, double eigenvalue, int64_t steps);

/// || (I - eta H)^steps y ||_2 = sqrt(sum_j (1 - eta lambda_j)^2steps p_j^2) (AR equation 8).
double ww_descent_residual(const ww_descent *descent, int64_t steps);

/// || W~(steps) - W~(0) ||_F = sqrt(sum_j (1 - (1 - eta lambda_j)^steps)^2 p_j^2 / lambda_j) (AR
/// equation 11 and section 5.2); eigenvalues of 0 or below, which are rounding, add nothing.
double ww_descent_distance(const ww_descent *descent, int64_t steps);

/// y' H^-1 y = sum_j p_j^2 / lambda_j over eigenvalues that are not rounding, the square of that
/// distance for ever more steps. Infinite where y is not in the range of H.
double ww_descent_quadratic_form(const ww_descent *descent);

#endif
