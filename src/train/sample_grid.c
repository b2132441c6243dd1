// The process grid width x samples: who has which units and which samples.

#include "train/kernels.h"
#include "widthwise/train.h"

static bool sums_by_sections(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD &&
           problem->data->train.count > WW_SECTION_SAMPLES &&
           problem->config->loss != WW_LOSS_HINGE && ww_engine_choice(problem) == WW_ENGINE_DENSE;
}

static int64_t sections_of(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    return sums_by_sections(problem) ? (n + WW_SECTION_SAMPLES - 1) / WW_SECTION_SAMPLES : 1;
}

// Sections that can be divided over groups: weights that are read or built are held by the ranks
// that own them alone.
static int64_t divisible_sections(const ww_problem *problem)
{
    return problem->config->network.start == WW_START_DRAWN ? problem->sections : 1;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int largest_common_divisor(int a, int b)
{
    while (b != 0) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Groups that are made of `ranks` ranks when so many are asked for: 0 where it is left open. Then
// there are some only where ranks would have no unit: as few as leave none without, or as there can
// be.
static int choose_groups(int ranks, int wanted, int64_t tiles, int64_t sections)
{
    int groups = wanted > 0 ? largest_common_divisor(ranks, wanted) : 1;
    for (int more = groups + 1; wanted == 0 && ranks / groups > tiles && more <= ranks; more++)
        if (ranks % more == 0 && more <= sections)
            groups = more;
    while (groups > 1 && (groups > sections || ranks % groups != 0))
        groups--;
    return groups > 1 ? groups : 1;
}

// The part of group `number` of `groups` of so many samples: whole units of `grain`, the first
// group as many as any.
static ww_part_of_samples part_of(int64_t samples, int64_t grain, int number, int groups)
{
    const int64_t grains = (samples + grain - 1) / grain;
    const int64_t begin = (grains * number + groups - 1) / groups;
    const int64_t end = (grains * (number + 1) + groups - 1) / groups;
    const int64_t first = least(begin * grain, samples);
    return (ww_part_of_samples){.first = first, .count = least(end * grain, samples) - first};
}

void ww_problem_divide(ww_problem *problem)
{
    problem->sections = sections_of(problem);
    const ww_parallel *parallel = problem->parallel;
    const int groups = choose_groups(parallel->size, parallel->sample_groups,
                                     problem->tiling.tile_count, divisible_sections(problem));
    const int group = parallel->rank % groups;
    problem->grid = (ww_sample_grid){
        .groups = groups,
        .group = group,
        .tiling =
            ww_tiling_make(problem->tiling.width, parallel->rank / groups, parallel->size / groups),
        .train = part_of(problem->data->train.count, WW_SECTION_SAMPLES, group, groups),
        .test = part_of(problem->data->test.count, WW_SAMPLE_BLOCK, group, groups),
    };
}

int64_t ww_sample_grid_parts(const ww_problem *problem)
{
    const int64_t sections = divisible_sections(problem);
    const int64_t wanted = problem->parallel->sample_groups;
    return problem->tiling.tile_count * (wanted > 0 ? least(wanted, sections) : sections);
}

static bool holds(const ww_samples *samples, ww_part_of_samples part)
{
    return part.count == 0 ||
           (part.first >= samples->held.first &&
            part.first + part.count <= samples->held.first + samples->held.count);
}

bool ww_problem_has_inputs(const ww_problem *problem)
{
    const ww_dataset *data = problem->data;
    return !data->is_divided ||
           (holds(&data->train, problem->grid.train) && holds(&data->test, problem->grid.test));
}

// Groups that a node meets at most.
static int64_t groups_a_node(int64_t groups, int64_t row, int64_t ranks_a_node)
{
    const int64_t met = ranks_a_node % row == 0   ? ranks_a_node / row
                        : row % ranks_a_node == 0 ? 1
                                                  : (ranks_a_node + row - 2) / row + 1;
    return least(met, groups);
}

int64_t ww_sample_grid_node_samples(const ww_problem *problem, int64_t ranks_a_node)
{
    const ww_dataset *data = problem->data;
    const int groups = problem->grid.groups;
    const int64_t met = groups_a_node(groups, problem->parallel->size / groups, ranks_a_node);
    const int64_t train = part_of(data->train.count, WW_SECTION_SAMPLES, 0, groups).count;
    const int64_t test = part_of(data->test.count, WW_SAMPLE_BLOCK, 0, groups).count;
    return least(met * train, data->train.count) + least(met * test, data->test.count);
}

ww_problem ww_problem_of_group(const ww_problem *problem, const ww_parallel *row,
                               const ww_parallel *column)
{
    ww_problem part = *problem;
    part.parallel = row;
    part.column = column;
    part.tiling = problem->grid.tiling;
    part.initial.first_unit = part.tiling.first_unit;
    if (problem->config->training.method == WW_METHOD_GD) {
        part.batch = problem->grid.train.count;
        part.first_sample = problem->grid.train.first;
    }
    return part;
}
