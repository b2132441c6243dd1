/// The routines of LAPACK that are called, as Fortran declares them: matrices lie by columns, all
/// arguments are pointers, and the lengths of character arguments follow at the end.
#ifndef WIDTHWISE_BASE_LAPACK_H
#define WIDTHWISE_BASE_LAPACK_H

#include <stddef.h>

/// LQ factorisation of a [m, n]: L in its lower triangle, reflectors above. work_size -1 asks for
/// the best size of `work`, given in work[0].
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *work_size, int *info);

/// LQ factorisation of [a b], with a [m, m] lower triangular and b [m, n] whose last l columns are
/// lower trapezoidal. L comes back in a. t [block, m], work [block m].
void dtplqt_(const int *m, const int *n, const int *l, const int *block, double *a, const int *lda,
             double *b, const int *ldb, double *t, const int *ldt, double *work, int *info);

/// Singular values of a [m, n], falling; with jobs "N" no vectors. a is overwritten.
void dgesvd_(const char *job_u, const char *job_vt, const int *m, const int *n, double *a,
             const int *lda, double *s, double *u, const int *ldu, double *vt, const int *ldvt,
             double *work, const int *work_size, int *info, size_t job_u_length,
             size_t job_vt_length);

/// Eigenvalues, rising, of the symmetric matrix of which a [n, n] has one triangle; with job "V"
/// column j of a becomes the eigenvector of value j.
void dsyev_(const char *job, const char *upper, const int *n, double *a, const int *lda,
            double *values, double *work, const int *work_size, int *info, size_t job_length,
            size_t upper_length);

/// Eigenvalues, rising, of the symmetric tridiagonal matrix of diagonal d [n] and e [n - 1] beside
/// it; with job "V" column j of z [n, n] is the eigenvector of value j. work [2 n]. e is
/// overwritten.
void dstev_(const char *job, const int *n, double *d, double *e, double *z, const int *ldz,
            double *work, int *info, size_t job_length);

/// Cholesky factor of a symmetric matrix [n, n] without negative eigenvalues, with the largest of
/// what is left brought forward at each step: a(pivot, pivot) = L L^T, L [n, rank] in the lower
/// triangle (upper "L"), pivot counted from 1. Diagonals below `tolerance`, or for a negative one
/// below n times the rounding of the largest, end it. work [2 n].
void dpstrf_(const char *upper, const int *n, double *a, const int *lda, int *pivot, int *rank,
             const double *tolerance, double *work, int *info, size_t upper_length);

/// QR factorisation of a [m, n]: R in its upper triangle, reflectors below.
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *work_size, int *info);

/// c [m, n] <- Q c (side "L", transpose "N"), with k reflectors in a [m, k].
void dormqr_(const char *side, const char *transpose, const int *m, const int *n, const int *k,
             const double *a, const int *lda, const double *tau, double *c, const int *ldc,
             double *work, const int *work_size, int *info, size_t side_length,
             size_t transpose_length);

/// Solves op(a) x = b in place, with a [n, n] triangular and b [n, right sides]. info > 0: a has a
/// zero on its diagonal.
void dtrtrs_(const char *upper, const char *transpose, const char *diagonal, const int *n,
             const int *right_sides, const double *a, const int *lda, double *b, const int *ldb,
             int *info, size_t upper_length, size_t transpose_length, size_t diagonal_length);

#endif
