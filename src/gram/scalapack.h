/// The routines of BLACS, PBLAS and ScaLAPACK that are called. Those of BLACS are C functions; the
/// rest is Fortran: all arguments are pointers. Character arguments have one letter, and their
/// lengths at the end are left out: none of these routines reads them.
#ifndef WIDTHWISE_GRAM_SCALAPACK_H
#define WIDTHWISE_GRAM_SCALAPACK_H

#include <mpi.h>

/// Handle of a communicator, which ends with Cfree_blacs_system_handle.
int Csys2blacs_handle(MPI_Comm communicator);
void Cfree_blacs_system_handle(int handle);

/// Grid of rows x columns: `context` holds the handle before and the context (or -1) after;
/// ranks[j * leading + i] is the rank at place (i, j). Collective over the communicator.
void Cblacs_gridmap(int *context, int *ranks, int leading, int rows, int columns);
void Cblacs_gridexit(int context);

/// Copies a [m, n] to b, from any grid to any other; `context` contains both.
void Cpdgemr2d(int m, int n, double *a, int ia, int ja, int *desc_a, double *b, int ib, int jb,
               int *desc_b, int context);

/// c = alpha a b + beta c with a symmetric (side "L").
void pdsymm_(const char *side, const char *triangle, const int *m, const int *n,
             const double *alpha, const double *a, const int *ia, const int *ja, const int *desc_a,
             const double *b, const int *ib, const int *jb, const int *desc_b, const double *beta,
             double *c, const int *ic, const int *jc, const int *desc_c);

/// One triangle of c = alpha a'a + beta c (transposed "T"), a [k, n].
void pdsyrk_(const char *triangle, const char *transposed, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja, const int *desc_a,
             const double *beta, double *c, const int *ic, const int *jc, const int *desc_c);

/// c [m, n] = alpha a' + beta c.
void pdtran_(const int *m, const int *n, const double *alpha, const double *a, const int *ia,
             const int *ja, const int *desc_a, const double *beta, double *c, const int *ic,
             const int *jc, const int *desc_c);

/// Cholesky's factorisation in place. info > 0: not positive definite.
void pdpotrf_(const char *triangle, const int *n, double *a, const int *ia, const int *ja,
              const int *desc_a, int *info);

/// Solves with the factor above; b [n, columns] becomes the solution.
void pdpotrs_(const char *triangle, const int *n, const int *columns, const double *a,
              const int *ia, const int *ja, const int *desc_a, double *b, const int *ib,
              const int *jb, const int *desc_b, int *info);

/// Eigenvalues (rising) and eigenvectors by divide and conquer. work_size -1 asks for sizes.
void pdsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *ia,
              const int *ja, const int *desc_a, double *values, double *z, const int *iz,
              const int *jz, const int *desc_z, double *work, const int *work_size, int *integers,
              const int *integers_size, int *info);

/// Eigenvalues (rising) alone with job "N", by QR.
void pdsyev_(const char *job, const char *triangle, const int *n, double *a, const int *ia,
             const int *ja, const int *desc_a, double *values, double *z, const int *iz,
             const int *jz, const int *desc_z, double *work, const int *work_size, int *info);

#endif
