/// What is kept of the Gram matrix of a train set: which fields, and their values.
///
/// Everything here follows from the data, the labels and the initial weights: no training is
/// needed. H is that of the infinitely wide network with kernel.h's kernel, H(0) that of the
/// network at its start.
#ifndef WIDTHWISE_GRAM_RESULTS_H
#define WIDTHWISE_GRAM_RESULTS_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/field.h"
#include "widthwise/gram.h"

/// Labels that are looked at.
typedef enum ww_label_set {
    WW_LABEL_SET_TRAIN,      ///< those of the run
    WW_LABEL_SET_TRUE,       ///< those that the data have
    WW_LABEL_SET_RANDOM,     ///< every one drawn anew
    WW_LABEL_SET_WORST_CASE, ///< along the eigenvector of lambda_min
    WW_LABEL_SETS
} ww_label_set;

/// Fields of one number or array each. Those by set come once for each set that is wanted.
typedef enum ww_gram_field {
    // of H
    WW_GRAM_EIGENVALUES,
    WW_GRAM_EIGEN_RESIDUAL,
    WW_GRAM_EIGEN_ORTHOGONALITY,
    WW_GRAM_LAMBDA_MIN,
    WW_GRAM_LAMBDA_MIN_RESIDUAL,
    WW_GRAM_LAMBDA_MAX,
    WW_GRAM_LAMBDA_MAX_RESIDUAL,
    WW_GRAM_CONDITION,
    WW_GRAM_SHIFT,
    WW_GRAM_SEPARATION,
    WW_GRAM_SEPARATION_CONSTANT,
    WW_GRAM_COINCIDENT_SAMPLES,
    WW_GRAM_COINCIDENT_FIRST,
    WW_GRAM_COINCIDENT_SECOND,
    WW_GRAM_ZERO_SAMPLES,
    WW_GRAM_ZERO_FIRST,
    // what an infinitely wide network that is trained for ever does on the test set
    WW_GRAM_LIMIT_TEST_OUTPUTS,
    WW_GRAM_LIMIT_TEST_ABSOLUTE_ERROR,
    WW_GRAM_LIMIT_TEST_ERROR,
    // of H(0)
    WW_GRAM_INITIAL_EIGENVALUES,
    WW_GRAM_INITIAL_PROJECTIONS,
    WW_GRAM_INITIAL_RESIDUAL_PROJECTIONS,
    WW_GRAM_INITIAL_QUADRATIC_FORM,
    WW_GRAM_INITIAL_DIFFERENCE,
    WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE,
    // by set of labels: place = this + set
    WW_GRAM_LABELS,
    WW_GRAM_PROJECTIONS = WW_GRAM_LABELS + WW_LABEL_SETS,
    WW_GRAM_QUADRATIC_FORM = WW_GRAM_PROJECTIONS + WW_LABEL_SETS,
    WW_GRAM_COMPLEXITY = WW_GRAM_QUADRATIC_FORM + WW_LABEL_SETS,
    WW_GRAM_SOLVE_RESIDUAL = WW_GRAM_COMPLEXITY + WW_LABEL_SETS,
    WW_GRAM_FIELDS = WW_GRAM_SOLVE_RESIDUAL + WW_LABEL_SETS
} ww_gram_field;

/// The fields that one configuration asks for. Pure data.
typedef struct ww_gram_plan {
    ww_kernel kernel;
    int64_t samples, outputs, test_samples;
    bool has_set[WW_LABEL_SETS];
    bool has_classes;                ///< samples have classes, which outputs can miss
    bool has_spectrum;               ///< eigenvalues
    bool has_vectors;                ///< eigenvectors, and what is computed with them
    bool has_network;                ///< H(0)
    int64_t block;                   ///< of the matrices whose spectrum is found, at most n
    ww_field fields[WW_GRAM_FIELDS]; ///< [count], those that are wanted
    size_t count;
    int place[WW_GRAM_FIELDS];      ///< of a field in `fields`, -1 where it is not wanted
    int64_t offset[WW_GRAM_FIELDS]; ///< of its values among all
    int64_t values;                 ///< doubles of all fields
} ww_gram_plan;

/// WW_USAGE names the key: an eigensolver that is not built in. `shape` is that of the data set.
/// Not collective.
ww_status ww_gram_plan_make(const ww_config *config, const ww_dataset *shape, ww_gram_plan *plan,
                            ww_error *error);

/// Lists the fields that kernel, sizes, sets and the rest of `plan` ask for. For ww_gram_plan_make.
void ww_gram_plan_list(ww_gram_plan *plan);

/// The values of a field among `values`; NULL where it is not wanted.
double *ww_gram_values(const ww_gram_plan *plan, double *values, int field);

/// Norm of worst-case labels, as data.labels.worst_case_norm says. Pure.
double ww_worst_case_scale(const ww_config *config, int64_t samples);

/// The word for a set of labels in names of fields.
const char *ww_label_set_name(ww_label_set set);

/// What a spectrum was computed of, and what the fields were asked for: equal keys, equal values
/// (to rounding, where the number of ranks differs).
uint64_t ww_gram_spectrum_key(const ww_gram_plan *plan, const ww_dataset *data);
uint64_t ww_gram_key(const ww_gram_plan *plan, const ww_config *config, const ww_dataset *data);

/// Names, units and sources of all fields. For `list results`.
void ww_gram_print_fields(FILE *stream);

#endif
