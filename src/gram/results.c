// Which fields are kept of the Gram matrix.
#include "widthwise/gram_results.h"

#include "widthwise/hash.h"

#include <math.h>
#include <string.h>

typedef enum extent_kind { SCALAR, SAMPLES, SAMPLES_BY_OUTPUTS, TEST_BY_OUTPUTS } extent_kind;

typedef struct field_entry {
    int field; // ww_gram_field, by set where there are sets
    extent_kind extents;
    const char *name, *units, *source, *description;
} field_entry;

#define BY_SET(field, set) (WW_GRAM_##field + WW_LABEL_SET_##set)
#define PROJECTIONS                                                                                \
    "|v_i y| for the eigenvectors v_i of H in the order of eigenvalues, over outputs the norm; "
#define QUADRATIC                                                                                  \
    "y' H^-1 y by Cholesky's factorisation, summed over outputs; where H is singular y' H^+ y "    \
    "for "                                                                                         \
    "labels in its range, and infinite for others; "
#define COMPLEXITY "Complexity sqrt(2 y' H^-1 y / n) of "
#define RESIDUAL                                                                                   \
    "Largest ||H x - y|| / ||y|| over outputs of the solution x = (H + shift I)^-1 y behind "      \
    "quadratic_form_"

// In this order they stand in the file.
static const field_entry table[] = {
    {WW_GRAM_EIGENVALUES, SAMPLES, "eigenvalues", "1", "AR equation (3), section 4",
     "Eigenvalues of the Gram matrix H of the infinitely wide network, falling; axis: index."},
    {WW_GRAM_EIGEN_RESIDUAL, SCALAR, "eigen_residual", "1", "",
     "Largest ||H v - lambda v||_2 over all eigenpairs as computed."},
    {WW_GRAM_EIGEN_ORTHOGONALITY, SCALAR, "eigen_orthogonality", "1", "",
     "Largest entry in size of V'V - I for the eigenvectors V as computed."},
    {WW_GRAM_LAMBDA_MIN, SCALAR, "lambda_min", "1", "AR theorem 3.1",
     "Smallest eigenvalue lambda_0 of H, by Lanczos' method on its inverse; up to n 2^-53 "
     "lambda_max "
     "it is rounding and H is singular."},
    {WW_GRAM_LAMBDA_MIN_RESIDUAL, SCALAR, "lambda_min_residual", "1", "",
     "||H v - lambda_min v||_2 of its unit eigenvector v as computed."},
    {WW_GRAM_LAMBDA_MAX, SCALAR, "lambda_max", "1", "AR section 4",
     "Largest eigenvalue of H; descent in steps above 2 / lambda_max grows at first."},
    {WW_GRAM_LAMBDA_MAX_RESIDUAL, SCALAR, "lambda_max_residual", "1", "",
     "||H v - lambda_max v||_2 of its unit eigenvector v as computed."},
    {WW_GRAM_CONDITION, SCALAR, "condition", "1", "",
     "lambda_max / lambda_min; infinite where H is singular."},
    {WW_GRAM_SHIFT, SCALAR, "shift", "1", "",
     "What had to be added to the diagonal of H before it could be factored: 0 where H is positive "
     "definite to rounding."},
    {WW_GRAM_SEPARATION, SCALAR, "separation", "1", "ZG assumption 3.2",
     "Smallest distance phi between two training samples."},
    {WW_GRAM_SEPARATION_CONSTANT, SCALAR, "separation_constant", "1", "ZG proposition 3.6",
     "C = lambda_min n^2 / phi, for which lambda_min = C phi / n^2; 0 where H is singular, NaN "
     "where "
     "phi is 0."},
    {WW_GRAM_COINCIDENT_SAMPLES, SCALAR, "coincident_samples", "samples", "AR remark 5.1",
     "Training samples that are another one before them times a positive number: each makes H "
     "singular."},
    {WW_GRAM_COINCIDENT_FIRST, SCALAR, "coincident_first", "1", "",
     "Index, from 0, of the sample that the first of these repeats; -1 without one."},
    {WW_GRAM_COINCIDENT_SECOND, SCALAR, "coincident_second", "1", "",
     "Index, from 0, of the first of these; -1 without one."},
    {WW_GRAM_ZERO_SAMPLES, SCALAR, "zero_samples", "samples", "AR remark 5.1",
     "Training samples that are zero vectors: each makes H singular."},
    {WW_GRAM_ZERO_FIRST, SCALAR, "zero_first", "1", "",
     "Index, from 0, of the first of these; -1 without one."},
    {WW_GRAM_LIMIT_TEST_OUTPUTS, TEST_BY_OUTPUTS, "limit_test_outputs", "1", "AR section 5.1",
     "H(test, train) (H + shift I)^-1 y: outputs on the test set of an infinitely wide network "
     "that "
     "was trained for ever from outputs of 0; axes: test sample, output."},
    {WW_GRAM_LIMIT_TEST_ABSOLUTE_ERROR, SCALAR, "limit_test_absolute_error", "1", "AR figure 2",
     "Mean over test samples of the l1 distance of these outputs and the targets."},
    {WW_GRAM_LIMIT_TEST_ERROR, SCALAR, "limit_test_error", "1", "AR corollary 5.2",
     "Share of test samples that these outputs put into a wrong class."},
    {WW_GRAM_INITIAL_EIGENVALUES, SAMPLES, "initial_eigenvalues", "1", "AR section 3.4",
     "Eigenvalues of H(0), the Gram matrix of the network at its start, falling; axis: index."},
    {WW_GRAM_INITIAL_PROJECTIONS, SAMPLES, "initial_projections", "1", "AR section 5.2",
     "|v_i y| for the eigenvectors of H(0) and the labels trained on; axis: index."},
    {WW_GRAM_INITIAL_RESIDUAL_PROJECTIONS, SAMPLES, "initial_residual_projections", "1",
     "AR section 5.2",
     "|v_i (y - u(0))| for the eigenvectors of H(0), the labels trained on and the outputs at the "
     "start; axis: index."},
    {WW_GRAM_INITIAL_QUADRATIC_FORM, SCALAR, "initial_quadratic_form", "1", "AR section 5.2",
     "y' H(0)^-1 y for the labels trained on, by its spectrum; where H(0) is singular y' H(0)^+ y "
     "for labels in its range, and infinite for others."},
    {WW_GRAM_INITIAL_DIFFERENCE, SCALAR, "initial_difference", "1", "AR lemma C.3",
     "Frobenius norm of H(0) - H."},
    {WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE, SCALAR, "initial_spectral_difference", "1",
     "AR lemma C.3", "Spectral norm of H(0) - H."},
    {BY_SET(LABELS, TRAIN), SAMPLES_BY_OUTPUTS, "labels_train", "1", "AR section 3.1",
     "Targets y that the run trains on; axes: sample, output."},
    {BY_SET(LABELS, TRUE), SAMPLES_BY_OUTPUTS, "labels_true", "1", "AR section 4",
     "Targets of the samples' true labels; axes: sample, output."},
    {BY_SET(LABELS, RANDOM), SAMPLES_BY_OUTPUTS, "labels_random", "1", "AR section 4",
     "Targets of labels drawn uniformly, or without classes of samples drawn uniformly; axes: "
     "sample, output."},
    {BY_SET(LABELS, WORST_CASE), SAMPLES_BY_OUTPUTS, "labels_worst_case", "1", "AR figure 1",
     "Unit eigenvector of lambda_min, its largest entry positive, times sqrt(n) or 1 as "
     "data.labels.worst_case_norm says; axes: sample, output."},
    {BY_SET(PROJECTIONS, TRAIN), SAMPLES, "projections_train", "1", "AR figure 1",
     PROJECTIONS "labels trained on; axis: index."},
    {BY_SET(PROJECTIONS, TRUE), SAMPLES, "projections_true", "1", "AR figure 1",
     PROJECTIONS "true labels; axis: index."},
    {BY_SET(PROJECTIONS, RANDOM), SAMPLES, "projections_random", "1", "AR figure 1",
     PROJECTIONS "random labels; axis: index."},
    {BY_SET(PROJECTIONS, WORST_CASE), SAMPLES, "projections_worst_case", "1", "AR figure 1",
     PROJECTIONS "worst-case labels; axis: index."},
    {BY_SET(QUADRATIC_FORM, TRAIN), SCALAR, "quadratic_form_train", "1", "AR equation (10)",
     QUADRATIC "labels trained on."},
    {BY_SET(QUADRATIC_FORM, TRUE), SCALAR, "quadratic_form_true", "1", "AR equation (10)",
     QUADRATIC "true labels."},
    {BY_SET(QUADRATIC_FORM, RANDOM), SCALAR, "quadratic_form_random", "1", "AR equation (10)",
     QUADRATIC "random labels."},
    {BY_SET(QUADRATIC_FORM, WORST_CASE), SCALAR, "quadratic_form_worst_case", "1",
     "AR equation (10)",
     "y' H^-1 y = ||y||^2 / lambda_min of worst-case labels; infinite where H is singular."},
    {BY_SET(COMPLEXITY, TRAIN), SCALAR, "complexity_train", "1", "AR equation (10)",
     COMPLEXITY "the labels trained on."},
    {BY_SET(COMPLEXITY, TRUE), SCALAR, "complexity_true", "1", "AR equation (10)",
     COMPLEXITY "the true labels."},
    {BY_SET(COMPLEXITY, RANDOM), SCALAR, "complexity_random", "1", "AR equation (10)",
     COMPLEXITY "random labels."},
    {BY_SET(COMPLEXITY, WORST_CASE), SCALAR, "complexity_worst_case", "1", "AR equation (10)",
     COMPLEXITY "the worst-case labels."},
    {BY_SET(SOLVE_RESIDUAL, TRAIN), SCALAR, "solve_residual_train", "1", "", RESIDUAL "train."},
    {BY_SET(SOLVE_RESIDUAL, TRUE), SCALAR, "solve_residual_true", "1", "", RESIDUAL "true."},
    {BY_SET(SOLVE_RESIDUAL, RANDOM), SCALAR, "solve_residual_random", "1", "", RESIDUAL "random."},
    {BY_SET(SOLVE_RESIDUAL, WORST_CASE), SCALAR, "solve_residual_worst_case", "1", "",
     "||H y - lambda_min y|| / (lambda_min ||y||), that of the solution y / lambda_min behind "
     "quadratic_form_worst_case; NaN where H is singular."},
};

_Static_assert(sizeof table / sizeof table[0] == WW_GRAM_FIELDS, "every field has an entry");

static bool is_wanted(const ww_gram_plan *plan, int field)
{
    if (field >= WW_GRAM_LABELS) {
        const int set = (field - WW_GRAM_LABELS) % WW_LABEL_SETS;
        return plan->has_set[set] && (field - set != WW_GRAM_PROJECTIONS || plan->has_vectors);
    }
    switch ((ww_gram_field)field) {
    case WW_GRAM_LIMIT_TEST_ERROR:
        return plan->has_classes;
    case WW_GRAM_EIGENVALUES:
        return plan->has_spectrum;
    case WW_GRAM_EIGEN_RESIDUAL:
    case WW_GRAM_EIGEN_ORTHOGONALITY:
        return plan->has_vectors;
    case WW_GRAM_INITIAL_EIGENVALUES:
        return plan->has_network && plan->has_spectrum;
    case WW_GRAM_INITIAL_PROJECTIONS:
    case WW_GRAM_INITIAL_RESIDUAL_PROJECTIONS:
    case WW_GRAM_INITIAL_QUADRATIC_FORM:
        return plan->has_network && plan->has_vectors;
    case WW_GRAM_INITIAL_DIFFERENCE:
    case WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE:
        return plan->has_network;
    default:
        return true;
    }
}

static void set_extents(const ww_gram_plan *plan, extent_kind kind, ww_field *field)
{
    field->rank = kind == SCALAR ? 0 : kind == SAMPLES ? 1 : 2;
    field->extent[0] = kind == TEST_BY_OUTPUTS ? plan->test_samples : plan->samples;
    field->extent[1] = plan->outputs;
}

void ww_gram_plan_list(ww_gram_plan *plan)
{
    plan->count = 0;
    plan->values = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const field_entry *entry = &table[i];
        plan->place[entry->field] = -1;
        if (!is_wanted(plan, entry->field))
            continue;
        ww_field *field = &plan->fields[plan->count];
        *field = (ww_field){.name = entry->name,
                            .description = entry->description,
                            .units = entry->units,
                            .source = entry->source};
        set_extents(plan, entry->extents, field);
        plan->place[entry->field] = (int)plan->count++;
        plan->offset[entry->field] = plan->values;
        plan->values += ww_field_size(field);
    }
}

double *ww_gram_values(const ww_gram_plan *plan, double *values, int field)
{
    return plan->place[field] < 0 ? NULL : values + plan->offset[field];
}

const char *ww_label_set_name(ww_label_set set)
{
    static const char *const names[WW_LABEL_SETS] = {"train", "true", "random", "worst_case"};
    WW_ASSERT((int)set < WW_LABEL_SETS);
    return names[set];
}

void ww_gram_print_fields(FILE *stream)
{
    static const char *const extents[] = {[SCALAR] = "",
                                          [SAMPLES] = " [n]",
                                          [SAMPLES_BY_OUTPUTS] = " [n, outputs]",
                                          [TEST_BY_OUTPUTS] = " [test samples, outputs]"};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const field_entry *entry = &table[i];
        const bool has_source = entry->source[0] != '\0';
        fprintf(stream, "    %s%s  [%s]  %s%s%s%s\n", entry->name, extents[entry->extents],
                entry->units, entry->description, has_source ? " (" : "", entry->source,
                has_source ? ")" : "");
    }
}
