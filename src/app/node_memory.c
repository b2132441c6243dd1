#include "app/node_memory.h"

#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"

#include <math.h>

enum { MOST_RANKS = 4096 }; // looked at one by one

// Bytes of a rank that works, without what it has in common with others.
static double own_bytes(const ww_member_cost *cost, int64_t own_data, int64_t overhead)
{
    ww_member_cost own = *cost;
    own.data = own_data + (cost->sharers > 1 ? 0 : cost->inputs);
    own.products = cost->product_sharers > 1 ? 0 : cost->products;
    return (double)(ww_member_peak(&own) + overhead);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

ww_status ww_node_memory(const ww_crews_job *job, size_t member, int crew, int64_t count,
                         int64_t overhead, double *bytes, ww_error *error)
{
    const ww_dataset *shape = &job->members->list[member].shape;
    const int64_t working = least(crew, count);
    // The last ones may have less to do than the first.
    const int64_t alike = working > MOST_RANKS ? working - MOST_RANKS : 0;
    const int64_t own_data = ww_dataset_private_bytes(shape);
    ww_member_place place = ww_crews_place(job, member, 0, crew);
    ww_member_cost cost;
    WW_TRY(ww_member_cost_of(&job->members->list[member], &place, &cost, error));
    const int64_t nodes = (count + job->ranks_a_node - 1) / job->ranks_a_node;
    const double common = (double)(cost.sharers > 1 ? cost.inputs : 0) +
                          (double)(cost.product_sharers > 1 ? cost.products : 0);
    const int64_t idle = overhead + own_data + (cost.sharers > 1 ? 0 : cost.inputs);
    *bytes = (double)nodes * common + (double)(count - working) * (double)idle +
             (double)alike * own_bytes(&cost, own_data, overhead);
    for (int64_t rank = alike; rank < working; rank++) {
        place.rank = ww_int(rank);
        WW_TRY(ww_member_cost_of(&job->members->list[member], &place, &cost, error));
        *bytes += own_bytes(&cost, own_data, overhead);
    }
    return WW_OK;
}

int64_t ww_node_useful_ranks(const ww_app_member *member, int sample_groups)
{
    if (member->config->replicas > 1)
        return member->config->replicas;
    const ww_parallel alone = {
        .communicator = MPI_COMM_NULL, .size = 1, .sample_groups = sample_groups};
    ww_problem problem;
    ww_problem_describe(member->config, &member->shape, &alone, &problem);
    const int64_t tiles = ww_sample_grid_parts(&problem);
    const int64_t parts =
        member->gram != NULL ? ww_gram_most_ranks(member->gram, member->config) : 1;
    return least(tiles > parts ? tiles : parts, INT32_MAX);
}

// The ranks that all members can do with, as far as the Gram matrix is concerned; 0: none.
static int64_t least_ranks(const ww_app_members *members)
{
    int64_t most = 1;
    for (size_t i = 0; i < members->count; i++) {
        const ww_app_member *member = &members->list[i];
        const int64_t ranks =
            member->gram != NULL ? ww_gram_least_ranks(member->gram, member->config) : 1;
        if (ranks == 0)
            return 0;
        most = ranks > most ? ranks : most;
    }
    return most;
}

// Memory of a full node with that many ranks in all; the largest of all members.
static ww_status fullest(const ww_node_room *room, int64_t ranks, int64_t a_node, double *bytes,
                         ww_error *error)
{
    const ww_crews_job job = {.members = room->members,
                              .ranks = ww_int(ranks),
                              .sample_groups = room->sample_groups,
                              .divides_data = room->divides_data,
                              .ranks_a_node = least(ranks, a_node)};
    *bytes = 0.0;
    for (size_t i = 0; i < room->members->count; i++) {
        double node = 0.0;
        WW_TRY(ww_node_memory(&job, i, job.ranks, job.ranks_a_node, room->overhead, &node, error));
        *bytes = fmax(*bytes, node);
    }
    return WW_OK;
}

ww_status ww_node_smallest(const ww_node_room *room, int64_t a_node, int64_t *ranks, double *bytes,
                           ww_error *error)
{
    const int64_t first = least_ranks(room->members);
    int64_t most = 1;
    for (size_t i = 0; i < room->members->count; i++) {
        const int64_t useful = ww_node_useful_ranks(&room->members->list[i], room->sample_groups);
        most = useful > most ? useful : most;
    }
    *ranks = 0;
    if (first == 0)
        return WW_OK;
    WW_TRY(fullest(room, first, a_node, bytes, error));
    if (*bytes <= room->bytes) {
        *ranks = first;
        return WW_OK;
    }
    // More ranks on one node only take more; from a full node on, more ranks take less of each.
    int64_t low = a_node > first ? a_node : first;
    int64_t high = most;
    if (low > high)
        return WW_OK;
    WW_TRY(fullest(room, high, a_node, bytes, error));
    if (*bytes > room->bytes)
        return WW_OK;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        WW_TRY(fullest(room, middle, a_node, bytes, error));
        if (*bytes <= room->bytes)
            high = middle;
        else
            low = middle + 1;
    }
    *ranks = high;
    return fullest(room, high, a_node, bytes, error);
}
