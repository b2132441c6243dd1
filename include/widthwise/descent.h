/// Gradient descent on a fixed kernel, in closed form: what training does while H stands still
/// (AR equations 7, 8 and 11).
///
/// With H = sum_j lambda_j v_j v_j' and step eta the residual after t steps is (I - eta H)^t of the
/// first one. Where the outputs start from 0 that is y itself, with projections v_j . y; with k
/// outputs each goes its own way, and p_j stands for the norm over outputs. All functions are pure.
#ifndef WIDTHWISE_DESCENT_H
#define WIDTHWISE_DESCENT_H

#include <stdint.h>

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

/// y' H^-1 y = sum_j p_j^2 / lambda_j, the square of that distance for ever more steps. Infinite
/// where an eigenvalue is 0 or below and its projection is not.
double ww_descent_quadratic_form(const ww_descent *descent);

#endif
