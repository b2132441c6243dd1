// What is kept of the Gram matrix: computing it.
#include "widthwise/gram_analysis.h"

#include "gram/initial.h"
#include "gram/largest.h"
#include "widthwise/descent.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where a field's values go; it must be wanted.
static double *place_of(const ww_gram_work *work, int field)
{
    double *place = ww_gram_values(work->plan, work->values, field);
    WW_ASSERT(place != NULL);
    return place;
}

static void put(const ww_gram_work *work, int field, double value)
{
    double *place = ww_gram_values(work->plan, work->values, field);
    if (place != NULL)
        *place = value;
}

static double *labels_of(const ww_gram_work *work, int set)
{
    return ww_gram_values(work->plan, work->values, WW_GRAM_LABELS + set);
}

// W(0) is drawn again, a tile at a time.
static const double *initial_tile(void *context, int64_t tile)
{
    const ww_gram_work *work = context;
    const ww_problem *problem = work->problem;
    ww_initial_hidden_weights(&problem->initial, tile * problem->tiling.tile_units,
                              ww_tile_size(&problem->tiling, tile), work->tile_room);
    return work->tile_room;
}

ww_status ww_gram_work_create(const ww_gram_plan *plan, const ww_problem *problem,
                              ww_gram_work *work, ww_error *error)
{
    const ww_dataset *data = problem->data;
    const size_t n = (size_t)plan->samples;
    *work = (ww_gram_work){.plan = plan, .problem = problem};
    work->limit = (ww_gram_limit){.kernel = &plan->kernel,
                                  .inputs = data->train.inputs,
                                  .count = data->train.count,
                                  .dimension = data->dimension};
    work->network = (ww_gram_network){.problem = problem,
                                      .tile = initial_tile,
                                      .tile_context = work,
                                      .output_square = 1.0 / (double)problem->tiling.width};
    const size_t tile = plan->has_network ? (size_t)problem->tiling.tile_units : 0;
    const char *what = "results of the Gram matrix";
    work->tile_room =
        ww_allocate(tile * (size_t)problem->dimension, sizeof *work->tile_room, what, error);
    work->values = ww_allocate((size_t)plan->values, sizeof *work->values, what, error);
    work->solution = ww_allocate(n * (size_t)plan->outputs, sizeof *work->solution, what, error);
    work->start_outputs = ww_allocate(plan->has_network ? n * (size_t)plan->outputs : 0,
                                      sizeof *work->start_outputs, what, error);
    const bool has_room = work->tile_room != NULL && work->values != NULL &&
                          work->solution != NULL && work->start_outputs != NULL;
    WW_TRY(ww_agree(problem->parallel, has_room ? WW_OK : WW_FAILED, error));
    for (int64_t i = 0; i < plan->values; i++)
        work->values[i] = NAN;
    WW_TRY(
        ww_gram_grid_create(problem->config, plan->samples, problem->parallel, &work->grid, error));
    if (!plan->has_network)
        return WW_OK;
    const ww_status status =
        ww_initial_outputs(problem, initial_tile, work, work->start_outputs, error);
    if (status == WW_DIVERGED) // on all ranks, and before any step
        return ww_fail(error, WW_USAGE,
                       "outputs of the network at its start are not finite, or too large: make its "
                       "weights smaller, or where inputs are large normalise them");
    return status;
}

void ww_gram_work_free(ww_gram_work *work)
{
    if (work->plan != NULL)
        ww_grid_free(&work->grid);
    free(work->tile_room);
    free(work->values);
    free(work->solution);
    free(work->start_outputs);
    *work = (ww_gram_work){0};
}

static ww_status take_labels(ww_gram_work *work, ww_error *error)
{
    const ww_problem *problem = work->problem;
    const ww_samples *train = &problem->data->train;
    static const struct {
        int set;
        ww_labels kind;
    } others[] = {{WW_LABEL_SET_TRUE, WW_LABELS_TRUE}, {WW_LABEL_SET_RANDOM, WW_LABELS_RANDOM}};
    double *own = labels_of(work, WW_LABEL_SET_TRAIN);
    const size_t bytes = (size_t)(work->plan->samples * work->plan->outputs) * sizeof *own;
    if (problem->data->has_targets)
        memcpy(own, train->targets, bytes);
    else
        ww_targets_of_labels(train, work->plan->outputs, own);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (labels_of(work, others[i].set) != NULL)
            WW_TRY(ww_dataset_other_targets(problem->config, problem->data, others[i].kind,
                                            problem->parallel, labels_of(work, others[i].set),
                                            error));
    return WW_OK;
}

ww_status ww_gram_take_samples(ww_gram_work *work, ww_error *error)
{
    const ww_problem *problem = work->problem;
    const ww_dataset *data = problem->data;
    ww_coincidence found;
    WW_TRY(take_labels(work, error));
    WW_TRY(ww_agree(problem->parallel,
                    ww_coincidence_find(&data->train, data->dimension, &found, error), error));
    put(work, WW_GRAM_COINCIDENT_SAMPLES, (double)found.samples);
    put(work, WW_GRAM_COINCIDENT_FIRST, (double)found.first);
    put(work, WW_GRAM_COINCIDENT_SECOND, (double)found.second);
    put(work, WW_GRAM_ZERO_SAMPLES, (double)found.zeros);
    put(work, WW_GRAM_ZERO_FIRST, (double)found.first_zero);
    ww_separation separation;
    WW_TRY(ww_separation_measure(&data->train, data->dimension, data->components, problem->parallel,
                                 &separation, error));
    put(work, WW_GRAM_SEPARATION, separation.nearest);
    return WW_OK;
}

// Columns of Y [n, columns], those of one set after those of another.
static void gather_columns(const ww_gram_work *work, const int *sets, size_t count, double *y)
{
    const int64_t n = work->plan->samples;
    const int64_t k = work->plan->outputs;
    const int64_t columns = k * (int64_t)count;
    for (size_t s = 0; s < count; s++) {
        const double *labels = labels_of(work, sets[s]);
        for (int64_t i = 0; i < n; i++)
            memcpy(y + i * columns + (int64_t)s * k, labels + i * k, (size_t)k * sizeof *y);
    }
}

// Quadratic form and complexity of a set, over its outputs.
static void put_form(const ww_gram_work *work, int set, double form, double residual)
{
    put(work, WW_GRAM_QUADRATIC_FORM + set, form);
    put(work, WW_GRAM_COMPLEXITY + set, sqrt(2.0 * form / (double)work->plan->samples));
    put(work, WW_GRAM_SOLVE_RESIDUAL + set, residual);
}

// y is an eigenvector, so H^-1 y = y / lambda_min up to its residual; where lambda_min is rounding
// there is nothing to divide by.
static void take_worst_case(const ww_gram_work *work, const ww_gram_solution *solution)
{
    double *labels = labels_of(work, WW_LABEL_SET_WORST_CASE);
    if (labels == NULL)
        return;
    const double norm = ww_worst_case_scale(work->problem->config, work->plan->samples);
    for (int64_t i = 0; i < work->plan->samples; i++)
        labels[i] = norm * solution->least_vector[i];
    if (solution->positive_definite)
        put_form(work, WW_LABEL_SET_WORST_CASE, norm * norm / solution->least,
                 solution->least_residual / solution->least);
    else
        put_form(work, WW_LABEL_SET_WORST_CASE, (double)INFINITY, (double)NAN);
}

// C of lambda_min = C phi / n^2: 0 for a singular H, and none where phi is 0 as well.
static double separation_constant(const ww_gram_work *work, const ww_gram_solution *solution)
{
    const double separation = *place_of(work, WW_GRAM_SEPARATION);
    const double n = (double)work->plan->samples;
    if (separation == 0.0)
        return (double)NAN;
    return solution->positive_definite ? solution->least * n * n / separation : 0.0;
}

static void take_solution(ww_gram_work *work, const ww_gram_solution *solution, const int *sets,
                          size_t count)
{
    const int64_t n = work->plan->samples;
    const int64_t k = work->plan->outputs;
    const int64_t columns = k * (int64_t)count;
    put(work, WW_GRAM_LAMBDA_MIN, solution->least);
    put(work, WW_GRAM_LAMBDA_MIN_RESIDUAL, solution->least_residual);
    put(work, WW_GRAM_LAMBDA_MAX, solution->greatest);
    put(work, WW_GRAM_LAMBDA_MAX_RESIDUAL, solution->greatest_residual);
    put(work, WW_GRAM_CONDITION,
        solution->positive_definite ? solution->greatest / solution->least : (double)INFINITY);
    put(work, WW_GRAM_SHIFT, solution->shift);
    put(work, WW_GRAM_SEPARATION_CONSTANT, separation_constant(work, solution));
    for (size_t s = 0; s < count; s++) {
        double form = 0.0;
        double residual = 0.0;
        for (int64_t j = 0; j < k; j++) {
            form += solution->quadratic_forms[(int64_t)s * k + j];
            residual = ww_larger(residual, solution->residuals[(int64_t)s * k + j]);
        }
        put_form(work, sets[s], form, residual);
    }
    for (int64_t i = 0; i < n; i++) // the labels trained on are the first
        memcpy(work->solution + i * k, solution->solutions + i * columns,
               (size_t)k * sizeof *work->solution);
    take_worst_case(work, solution);
}

ww_status ww_gram_take_solution(ww_gram_work *work, ww_error *error)
{
    int sets[WW_LABEL_SETS];
    size_t count = 0;
    for (int set = 0; set < WW_LABEL_SETS; set++)
        if (set != WW_LABEL_SET_WORST_CASE && labels_of(work, set) != NULL)
            sets[count++] = set;
    const int64_t columns = work->plan->outputs * (int64_t)count;
    double *y = ww_allocate((size_t)(work->plan->samples * columns), sizeof *y,
                            "labels to solve for", error);
    WW_TRY(ww_agree(work->problem->parallel, y != NULL ? WW_OK : WW_FAILED, error));
    gather_columns(work, sets, count, y);
    ww_gram_solution solution;
    const ww_status status =
        ww_gram_solve(ww_gram_limit_fill, &work->limit, &work->grid, work->plan->samples,
                      WW_SOLVE_BLOCK, y, columns, &solution, error);
    free(y);
    WW_TRY(status);
    take_solution(work, &solution, sets, count);
    ww_gram_solution_free(&solution);
    return WW_OK;
}

static ww_status spectrum_of(ww_gram_work *work, ww_gram_fill fill, void *context,
                             ww_spectrum *spectrum, ww_error *error)
{
    const ww_config *config = work->problem->config;
    return ww_spectrum_compute(fill, context, &work->grid, work->plan->samples, work->plan->block,
                               config->gram.solver, work->plan->has_vectors, spectrum, error);
}

ww_status ww_gram_limit_spectrum(ww_gram_work *work, ww_spectrum *spectrum, ww_error *error)
{
    return spectrum_of(work, ww_gram_limit_fill, &work->limit, spectrum, error);
}

ww_status ww_gram_initial_spectrum(ww_gram_work *work, ww_spectrum *spectrum, ww_error *error)
{
    return spectrum_of(work, ww_gram_network_fill, &work->network, spectrum, error);
}

// |v_i y| for all i, over outputs the norm. `room` [n, k].
static ww_status project(const ww_gram_work *work, const ww_spectrum *spectrum, const double *y,
                         double *room, double *projections, ww_error *error)
{
    const int64_t k = work->plan->outputs;
    WW_TRY(ww_spectrum_project(spectrum, y, k, room, error));
    for (int64_t i = 0; i < work->plan->samples; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < k; j++)
            sum += room[i * k + j] * room[i * k + j];
        projections[i] = sqrt(sum);
    }
    return WW_OK;
}

static double *room_for_outputs(const ww_gram_work *work, ww_error *error)
{
    double *room = ww_allocate((size_t)(work->plan->samples * work->plan->outputs), sizeof *room,
                               "projections", error);
    return ww_agree(work->problem->parallel, room != NULL ? WW_OK : WW_FAILED, error) == WW_OK
               ? room
               : NULL;
}

ww_status ww_gram_take_spectrum(ww_gram_work *work, const ww_spectrum *spectrum, ww_error *error)
{
    const int64_t n = work->plan->samples;
    memcpy(place_of(work, WW_GRAM_EIGENVALUES), spectrum->values,
           (size_t)n * sizeof *spectrum->values);
    if (!isnan(spectrum->residual)) {
        put(work, WW_GRAM_EIGEN_RESIDUAL, spectrum->residual);
        put(work, WW_GRAM_EIGEN_ORTHOGONALITY, spectrum->orthogonality);
    }
    if (!work->plan->has_vectors)
        return WW_OK;
    double *room = room_for_outputs(work, error);
    if (room == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    for (int set = 0; set < WW_LABEL_SETS && status == WW_OK; set++)
        if (labels_of(work, set) != NULL)
            status = project(work, spectrum, labels_of(work, set), room,
                             place_of(work, WW_GRAM_PROJECTIONS + set), error);
    free(room);
    return status;
}

ww_status ww_gram_take_initial(ww_gram_work *work, const ww_spectrum *spectrum, ww_error *error)
{
    const int64_t n = work->plan->samples;
    const double *labels = labels_of(work, WW_LABEL_SET_TRAIN);
    double *eigenvalues = place_of(work, WW_GRAM_INITIAL_EIGENVALUES);
    memcpy(eigenvalues, spectrum->values, (size_t)n * sizeof *eigenvalues);
    if (!work->plan->has_vectors)
        return WW_OK;
    double *projections = place_of(work, WW_GRAM_INITIAL_PROJECTIONS);
    double *room = room_for_outputs(work, error);
    if (room == NULL)
        return WW_FAILED;
    double *difference = room_for_outputs(work, error);
    ww_status status = difference != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = project(work, spectrum, labels, room, projections, error);
    for (int64_t i = 0; status == WW_OK && i < n * work->plan->outputs; i++)
        difference[i] = labels[i] - work->start_outputs[i];
    if (status == WW_OK)
        status = project(work, spectrum, difference, room,
                         place_of(work, WW_GRAM_INITIAL_RESIDUAL_PROJECTIONS), error);
    free(room);
    free(difference);
    WW_TRY(status);
    const ww_descent descent = {.count = n, .eigenvalues = eigenvalues, .projections = projections};
    put(work, WW_GRAM_INITIAL_QUADRATIC_FORM, ww_descent_quadratic_form(&descent));
    return WW_OK;
}

// Norms of the network's matrix minus that of the limit.
static ww_status difference_norms(ww_gram_work *work, ww_gram_network *network,
                                  ww_symmetric_norms *norms, ww_error *error)
{
    const int64_t n = work->plan->samples;
    ww_block_matrix matrix;
    WW_TRY(ww_block_matrix_create(&work->grid, n, n, WW_BLOCK, &matrix, error));
    ww_status status = ww_gram_network_fill(network, &matrix, error);
    if (status == WW_OK)
        status = ww_gram_limit_subtract(&work->limit, &matrix, error);
    if (status == WW_OK)
        status = ww_gram_norms(&matrix, norms, error);
    ww_block_matrix_free(&matrix);
    return status;
}

ww_status ww_gram_measure_network(ww_gram_work *work,
                                  const double *(*tile)(void *context, int64_t tile), void *context,
                                  ww_gram_distance *distance, ww_error *error)
{
    ww_gram_network network = work->network;
    network.tile = tile;
    network.tile_context = context;
    ww_gram_solution ends;
    ww_symmetric_norms norms;
    WW_TRY(ww_gram_solve(ww_gram_network_fill, &network, &work->grid, work->plan->samples,
                         WW_SOLVE_BLOCK, NULL, 0, &ends, error));
    *distance = (ww_gram_distance){.lambda_min = ends.least,
                                   .lambda_max = ends.greatest,
                                   .lambda_residual =
                                       ww_larger(ends.least_residual, ends.greatest_residual)};
    ww_gram_solution_free(&ends);
    WW_TRY(difference_norms(work, &network, &norms, error));
    distance->frobenius = norms.frobenius;
    distance->spectral = norms.spectral;
    distance->spectral_residual = norms.residual;
    return WW_OK;
}

ww_status ww_gram_take_difference(ww_gram_work *work, ww_error *error)
{
    ww_symmetric_norms norms;
    WW_TRY(difference_norms(work, &work->network, &norms, error));
    put(work, WW_GRAM_INITIAL_DIFFERENCE, norms.frobenius);
    put(work, WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE, norms.spectral);
    work->difference_residual = norms.residual;
    return WW_OK;
}
