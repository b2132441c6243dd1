// What `widthwise plan` tells of the number of ranks: how many have work, and how few fit.

#include "app/plan.h"

#include "app/node_memory.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <unistd.h>

// What limits there are for the Gram matrix on these ranks, and how many ranks it takes.
static void print_limits(const ww_planning *self)
{
    size_t count = 0;
    ww_error first = {0};
    for (size_t i = 0; i < self->experiment.count; i++) {
        const ww_app_member *member = &self->members.list[i];
        const int ranks = ww_int(self->ranks);
        ww_error reason = {0};
        ww_status status = WW_OK;
        if (member->gram != NULL)
            status = ww_gram_limits(member->gram, member->config, ranks, &reason);
        if (status == WW_OK && member->layout.has_train_targets)
            status = ww_gram_worst_case_limits(member->config, &member->shape, ranks, &reason);
        if (status == WW_OK)
            continue;
        ww_app_name_member(member->index, member->label, &reason);
        if (count++ == 0)
            first = reason;
    }
    if (count == 0)
        return;
    printf("CANNOT BE DONE: %s", first.message);
    if (count > 1)
        printf(" (and %zu other runs)", count - 1);
    printf("\n");
}

// Of one member: tiles, and beside them parts of the Gram matrix.
static void print_parts(const ww_planning *self)
{
    const ww_app_member *member = &self->members.list[0];
    const ww_tiling *tiling = &self->costs[0].grid.tiling; // as steps are divided
    if (member->config->replicas > 1) {
        printf(" (replicas)");
        return;
    }
    printf(" (tiles of %lld units", (long long)tiling->tile_units);
    if (member->gram != NULL)
        printf(": %lld; parts of the Gram matrix: %lld", (long long)tiling->tile_count,
               (long long)ww_gram_most_ranks(member->gram, member->config));
    printf("); %lld: ", (long long)self->ranks);
    if (self->costs[0].grid.groups > 1)
        printf("samples in %d groups, ", self->costs[0].grid.groups);
    printf("%lld tile%s on the fullest", (long long)tiling->local_tiles,
           tiling->local_tiles == 1 ? "" : "s");
}

ww_status ww_plan_print_ranks(const ww_planning *self, ww_error *error)
{
    int64_t useful = 0; // side by side
    for (size_t i = 0; i < self->experiment.count; i++)
        useful += ww_node_useful_ranks(&self->members.list[i], ww_int(self->sample_groups));
    printf("\nranks: at most %lld have work", (long long)useful);
    if (self->experiment.count > 1)
        printf(" (crews for %.0f%% of the time on %lld: `widthwise list members`)",
               100.0 * self->share, (long long)self->ranks);
    else
        print_parts(self);
    if (self->ranks > useful)
        printf(", %lld IDLE", (long long)(self->ranks - useful));
    printf("\n");
    print_limits(self);
    if (self->node_memory <= 0.0)
        return WW_OK;
    const ww_node_room room = {.members = &self->members,
                               .bytes = self->node_memory * WW_GIGABYTE,
                               .overhead = self->calibration.overhead,
                               .sample_groups = ww_int(self->sample_groups),
                               .divides_data = self->job.divides_data};
    const int64_t a_node =
        self->ranks_per_node > 0 ? self->ranks_per_node : (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (int64_t tried = a_node; tried >= 1; tried = tried > 1 ? tried / 2 : 0) {
        int64_t ranks = 0;
        double bytes = 0.0;
        WW_TRY(ww_node_smallest(&room, tried, &ranks, &bytes, error));
        if (ranks == 0)
            continue;
        char text[32];
        ww_bytes_text(bytes, text, sizeof text);
        printf("smallest number that fits into %.4g GB a node, %lld rank%s a node%s: %lld on %lld "
               "node%s, at most %s a node\n",
               self->node_memory, (long long)tried, tried == 1 ? "" : "s",
               tried < a_node ? " (more do not fit)" : "", (long long)ranks,
               (long long)((ranks + tried - 1) / tried), ranks > tried ? "s" : "", text);
        return WW_OK;
    }
    printf("NOTHING FITS into %.4g GB a node, not even one rank a node on %lld nodes\n",
           self->node_memory, (long long)useful);
    return WW_OK;
}
