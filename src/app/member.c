#include "app/member.h"

#include "app/course.h"
#include "app/profile.h"
#include "widthwise/memory.h"
#include "widthwise/shared.h"

#include <stdlib.h>
#include <string.h>

static ww_fact integer_fact(const char *name, int64_t value, const char *units,
                            const char *description)
{
    return (ww_fact){.name = name,
                     .description = description,
                     .units = units,
                     .is_integer = true,
                     .integer = value};
}

static ww_fact real_fact(const char *name, double value, const char *units, const char *description)
{
    return (ww_fact){.name = name, .description = description, .units = units, .real = value};
}

static ww_fact text_fact(const char *name, const char *value, const char *description)
{
    return (ww_fact){
        .name = name, .description = description, .units = "1", .is_text = true, .text = value};
}

static size_t fill_facts(const ww_config *config, const ww_dataset *data, int64_t batch,
                         ww_fact facts[WW_MEMBER_FACTS])
{
    const ww_tiling tiling = ww_tiling_make(config->network.width, 0, 1);
    size_t count = 0;
    facts[count++] = text_fact("model", ww_model_name(config->model), "Preset of the run.");
    facts[count++] =
        text_fact("source", ww_source_name(config->data.source), "Source of the data set.");
    facts[count++] = text_fact("precision", ww_precision_name(config->precision),
                               "Precision that training works with; all that is stored is double.");
    facts[count++] = integer_fact("width", config->network.width, "units", "Hidden units m.");
    facts[count++] = integer_fact("depth", config->network.depth, "layers", "Hidden layers L.");
    facts[count++] = integer_fact("dimension", data->dimension, "1", "Input dimension d.");
    facts[count++] =
        integer_fact("outputs", data->outputs, "1",
                     "Outputs k: one for each class, one for two classes, or one for each "
                     "target of a sample.");
    facts[count++] = integer_fact("components", data->components, "1",
                                  "Components l of a class; 1 where the source has none.");
    facts[count++] =
        integer_fact("train_samples", data->train.count, "samples", "Train samples n.");
    facts[count++] = integer_fact("test_samples", data->test.count, "samples", "Test samples.");
    facts[count++] = integer_fact("batch", batch, "samples", "Samples B in a step.");
    facts[count++] = integer_fact("steps", config->training.steps, "steps", "Steps T asked for.");
    facts[count - 1].changes = true;
    facts[count++] = real_fact("learning_rate", ww_config_learning_rate(config, data->outputs), "1",
                               "Step size eta after rate_scaling.");
    if (ww_config_hidden_std(config) > 0.0)
        facts[count++] = real_fact("hidden_std", ww_config_hidden_std(config), "1",
                                   "Standard deviation sigma of an initial hidden weight.");
    else
        facts[count++] = real_fact("hidden_radius", ww_config_hidden_radius(config), "1",
                                   "Largest norm R of a unit's initial hidden weights; of "
                                   "network.hidden.kind: cube the largest weight.");
    facts[count++] = real_fact("accuracy_target", config->measure.accuracy_target, "1",
                               "Test accuracy of steps_to_accuracy and distance_at_accuracy.");
    facts[count++] = integer_fact("seed_data", config->seeds.data, "1", "Seed of the data.");
    facts[count++] =
        integer_fact("seed_weights", config->seeds.weights, "1", "Seed of the initial weights.");
    facts[count++] =
        integer_fact("seed_batches", config->seeds.batches, "1", "Seed of the batches.");
    facts[count++] = integer_fact("replicas", config->replicas, "1",
                                  "Replicas R: independent runs along the first axis; 1: none.");
    facts[count - 1].changes = true;
    facts[count++] = integer_fact("tile_units", tiling.tile_units, "units",
                                  "Hidden units in a tile of the division over ranks.");
    WW_ASSERT(count <= WW_MEMBER_FACTS);
    return count;
}

static int64_t records_of(const ww_config *config)
{
    const int64_t steps = config->training.steps;
    const int64_t every = config->measure.every;
    int64_t records = 0; // as many as can be counted are more than any file holds, and refused
    if (__builtin_add_overflow(steps / every, 1 + (steps % every != 0), &records))
        records = INT64_MAX;
    return records;
}

static ww_status plan_gram(ww_app_member *member, ww_error *error)
{
    member->gram = ww_allocate(1, sizeof *member->gram, "the plan of the Gram matrix", error);
    if (member->gram == NULL)
        return WW_FAILED;
    return ww_gram_plan_make(member->config, &member->shape, member->gram, error);
}

static void list_gram(ww_app_member *member)
{
    ww_member_layout *layout = &member->layout;
    layout->has_train_targets = member->config->data.labels.kind == WW_LABELS_WORST_CASE;
    layout->targets = member->shape.outputs;
    if (member->gram == NULL)
        return;
    layout->gram = member->gram->fields;
    layout->gram_count = member->gram->count;
    layout->keeps_eigenvectors = member->config->gram.eigenvectors;
}

static void list_theory(ww_app_member *member)
{
    ww_member_layout *layout = &member->layout;
    member->theory_plan = (ww_theory_plan){
        .config = member->config,
        .records = layout->records,
        .measured = layout->trajectory,
        .measured_count = layout->trajectory_count,
        .gram = member->gram,
        .dimension = member->shape.dimension,
        .samples = member->shape.train.count,
        .outputs = member->shape.outputs,
        .test_samples = member->shape.test.count,
    };
    layout->theory_count = ww_theory_fields(&member->theory_plan, member->theory);
    layout->theory = member->theory;
}

static ww_field at_snapshots(const ww_app_member *member, const char *name, const char *description)
{
    return (ww_field){.name = name,
                      .description = description,
                      .units = "1",
                      .source = "AR section 3.4",
                      .rank = 1,
                      .extent = {(int64_t)member->config->measure.snapshots.count}};
}

bool ww_app_has_gram_at_snapshots(const ww_app_member *member)
{
    return member->gram != NULL && member->gram->has_network &&
           member->config->measure.snapshots.count > 0;
}

static ww_status list_final(ww_app_member *member, ww_error *error)
{
    enum { AT_SNAPSHOTS = 4 };
    size_t count = 0;
    const ww_field *own = ww_measure_final(member->plan, &count);
    ww_member_layout *layout = &member->layout;
    member->final = ww_allocate(count + AT_SNAPSHOTS, sizeof *member->final, "the results", error);
    if (member->final == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++)
        member->final[i] = own[i];
    if (ww_app_has_gram_at_snapshots(member)) {
        member->final[count++] = at_snapshots(
            member, "gram_difference",
            "Frobenius norm of H(t) - H, of this network and the limit; axis: snapshot.");
        member->final[count++] = at_snapshots(member, "gram_spectral_difference",
                                              "Spectral norm of H(t) - H; axis: snapshot.");
        member->final[count++] =
            at_snapshots(member, "gram_lambda_min", "Smallest eigenvalue of H(t); axis: snapshot.");
        member->final[count++] =
            at_snapshots(member, "gram_lambda_max", "Largest eigenvalue of H(t); axis: snapshot.");
    }
    layout->final = member->final;
    layout->final_count = count;
    return WW_OK;
}

ww_status ww_app_member_prepare(const ww_config *config, int64_t index, const char *label,
                                const ww_dataset *shape, ww_app_member *member, ww_error *error)
{
    *member = (ww_app_member){.index = index, .config = config, .label = label, .shape = *shape};
    const ww_parallel alone = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 1};
    ww_problem problem;
    ww_problem_describe(config, shape, &alone, &problem);
    ww_status status = ww_measure_plan_make(config, shape, &member->plan, error);
    if (status == WW_OK) { // with the engine that is chosen, which restarts keep
        ww_config chosen = *config;
        chosen.training.engine = ww_engine_choice(&problem);
        member->config_text = ww_config_to_yaml(&chosen, error);
        status = member->config_text != NULL ? WW_OK : WW_FAILED;
    }
    if (status == WW_OK && ww_config_wants_gram(config))
        status = plan_gram(member, error);
    if (status != WW_OK) {
        ww_app_member_release(member);
        return status;
    }
    const bool is_gd = config->training.method == WW_METHOD_GD;
    // Weights out of another file must be there for a restart, whatever becomes of that file.
    const int record = config->output.record |
                       (config->network.start == WW_START_FILE ? WW_RECORD_INITIAL_WEIGHTS : 0);
    const int64_t batch = is_gd ? shape->train.count : config->training.batch;
    status = ww_batches_check(&problem, error);
    if (status == WW_OK)
        status = ww_engine_check(&problem, error);
    if (status != WW_OK) {
        ww_app_member_release(member);
        return status;
    }
    ww_member_layout *layout = &member->layout;
    *layout = (ww_member_layout){
        .index = index,
        .config_text = member->config_text,
        .label = label,
        .width = config->network.width,
        .depth = config->network.depth,
        .dimension = shape->dimension,
        .outputs = shape->outputs,
        .has_targets = shape->has_targets,
        .has_labels = ww_config_has_classes(config),
        .train = shape->train.count,
        .test = shape->test.count,
        .batch = batch,
        .steps = config->training.steps,
        .replicas = config->replicas,
        .records = records_of(config),
        .trains_output = config->network.train_output,
        .state_columns = ww_engine_state_columns(&problem),
        .carry_count = ww_course_carry_count(member->plan, &problem),
        .snapshot_steps = config->measure.snapshots.values,
        .snapshot_count = config->measure.snapshots.count,
        // A batch of gd is the whole train set in order: nothing to record.
        .record = record & (is_gd ? ~WW_RECORD_BATCHES : ~0),
    };
    layout->trajectory = ww_measure_trajectory(member->plan, &layout->trajectory_count);
    if (list_final(member, error) != WW_OK) {
        ww_app_member_release(member);
        return WW_FAILED;
    }
    list_gram(member);
    list_theory(member);
    layout->fact_count = fill_facts(config, shape, batch, member->facts);
    layout->facts = member->facts;
    return WW_OK;
}

void ww_app_member_release(ww_app_member *member)
{
    ww_measure_plan_free(member->plan);
    free(member->config_text);
    free(member->gram);
    free(member->final);
    free(member->train_targets);
    *member = (ww_app_member){0};
}

int64_t ww_app_trajectory_field(const ww_app_member *member, const char *name)
{
    const ww_member_layout *layout = &member->layout;
    for (size_t i = 0; i < layout->trajectory_count; i++)
        if (strcmp(layout->trajectory[i].name, name) == 0)
            return (int64_t)i;
    return -1;
}

void ww_app_name_member(int64_t index, const char *label, ww_error *error)
{
    if (label[0] != '\0')
        ww_error_prefix(error, "member %lld (%s): ", (long long)index, label);
}

// The shape of a member's data set: that of a member before it, where it has the same source.
static ww_status describe(const ww_app_members *members, const ww_config *config,
                          const ww_parallel *parallel, ww_dataset *shape, ww_error *error)
{
    for (size_t i = members->count; i-- > 0;) {
        const ww_app_member *other = &members->list[i];
        if (other->config != NULL && ww_config_same_source(other->config, config)) {
            *shape = other->shape;
            return WW_OK;
        }
    }
    const int before = ww_phase_enter(parallel->profile, WW_PHASE_DATA);
    return ww_phase_done(parallel->profile, before,
                         ww_dataset_describe(config, parallel, shape, error));
}

ww_status ww_app_members_prepare(const ww_experiment *experiment, size_t first, size_t count,
                                 const int64_t *indices, const bool *skip,
                                 const ww_parallel *parallel, ww_app_members *members,
                                 ww_error *error)
{
    *members = (ww_app_members){0};
    members->list = ww_allocate(count, sizeof *members->list, "the members", error);
    ww_status status = ww_agree(parallel, members->list != NULL ? WW_OK : WW_FAILED, error);
    ww_status prepared = WW_OK;
    for (size_t i = 0; status == WW_OK && i < count; i++) {
        const ww_config *config = &experiment->members[first + i];
        const char *label = experiment->labels[first + i];
        const int64_t index = indices != NULL ? indices[i] : (int64_t)(first + i);
        ww_dataset shape;
        if (skip == NULL || !skip[i]) {
            const bool was_prepared = prepared == WW_OK;
            status = describe(members, config, parallel, &shape, error);
            if (status == WW_OK && was_prepared)
                prepared =
                    ww_app_member_prepare(config, index, label, &shape, &members->list[i], error);
            if (status != WW_OK || (was_prepared && prepared != WW_OK)) // the first is named once
                ww_app_name_member(index, label, error);
        }
        if (prepared == WW_OK)
            members->count++;
    }
    // What each rank did alone is agreed on once: members may be thousands.
    return status == WW_OK ? ww_agree(parallel, prepared, error) : status;
}

void ww_app_members_free(ww_app_members *members)
{
    for (size_t i = 0; members->list != NULL && i < members->count; i++)
        ww_app_member_release(&members->list[i]);
    free(members->list);
    *members = (ww_app_members){0};
}

ww_status ww_data_cache_get(ww_data_cache *cache, const ww_config *config,
                            const ww_parallel *parallel, ww_error *error)
{
    if (cache->config != NULL && ww_config_same_data(cache->config, config))
        return WW_OK;
    ww_data_cache_free(cache);
    const int before = ww_phase_enter(parallel->profile, WW_PHASE_DATA);
    WW_TRY(ww_phase_done(parallel->profile, before,
                         ww_dataset_load(config, parallel, &cache->data, error)));
    cache->config = config;
    return WW_OK;
}

ww_status ww_data_cache_get_part(ww_data_cache *cache, const ww_problem *problem, ww_error *error)
{
    const ww_parallel *parallel = problem->parallel;
    const ww_sample_parts wanted = {.train = problem->grid.train, .test = problem->grid.test};
    ww_data_cache_free(cache);
    const int before = ww_phase_enter(parallel->profile, WW_PHASE_DATA);
    WW_TRY(ww_phase_done(
        parallel->profile, before,
        ww_dataset_load_parts(problem->config, parallel, &wanted, &cache->data, error)));
    cache->config = problem->config;
    return WW_OK;
}

void ww_data_cache_free(ww_data_cache *cache)
{
    (void)ww_data_cache_peak(cache);
    if (cache->config != NULL)
        ww_dataset_free(&cache->data);
    *cache = (ww_data_cache){.resident = cache->resident, .own = cache->own};
}

int64_t ww_data_cache_peak(ww_data_cache *cache)
{
    // A peak that is new since the last data set came about with this one, and with what else was
    // shared since then.
    const int64_t resident = ww_peak_memory(), guests = ww_shared_most_guest_bytes();
    if (resident > cache->resident) {
        cache->own = resident - guests;
        cache->resident = resident;
    }
    return cache->own;
}
