/// What has to be said of a Gram matrix beside its numbers: that it is singular, and why, and which
/// numbers have fewer digits than they seem to.
///
/// What counts as good: residuals of eigenpairs to 1e-10 of lambda_max, orthogonality to 1e-10,
/// solves to 1e-6 of the labels, norms of differences of matrices to 1e-6 of themselves. What is
/// not a number is never good.
#ifndef WIDTHWISE_APP_GRAM_WARNINGS_H
#define WIDTHWISE_APP_GRAM_WARNINGS_H

#include "app/progress.h"
#include "widthwise/gram_analysis.h"

/// After the solves: a singular H with the samples that make it so, and which labels lie in its
/// range; residuals of both ends of the spectrum and of the solves.
void ww_gram_warn_of_solution(const ww_gram_work *work, ww_progress *progress);

/// After the spectrum: residuals of the eigenpairs, and their orthogonality.
void ww_gram_warn_of_spectrum(const ww_gram_work *work, ww_progress *progress);

/// After H(0) was held against H.
void ww_gram_warn_of_difference(const ww_gram_work *work, ww_progress *progress);

/// After the same at a snapshot.
void ww_gram_warn_of_distance(const ww_gram_distance *distance, int64_t step,
                              ww_progress *progress);

/// Worst-case labels of a singular H, or of an eigenvector that was not found: a sentence into
/// `text` [size], empty where there is nothing to say.
void ww_gram_worst_case_warning(const ww_worst_case *found, char *text, size_t size);

#endif
