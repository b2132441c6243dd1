// What `widthwise plan --tune` prints.

#include "app/tune.h"

#include "app/crew_tasks.h"
#include "parallel/workers.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double WORTH_A_WORD = 0.95; // of the time
static const double BUSY = 1.25;         // of processor time that passes on the wall

static int by_value(const void *a, const void *b)
{
    const double one = *(const double *)a;
    const double other = *(const double *)b;
    return (one > other) - (one < other);
}

ww_tune_spread ww_tune_spread_of(const double *values, int count)
{
    double sorted[WW_TUNE_ROUNDS];
    const int cut = count / 10;
    const int middle = count / 2;
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return (ww_tune_spread){.low = sorted[cut],
                            .median = count % 2 != 0 ? sorted[middle]
                                                     : 0.5 * (sorted[middle - 1] + sorted[middle]),
                            .high = sorted[count - 1 - cut]};
}

static const char *time_text(double seconds, char *text, size_t size)
{
    if (seconds < 1e-3)
        (void)snprintf(text, size, "%.3g us", 1e6 * seconds);
    else if (seconds < 1.0)
        (void)snprintf(text, size, "%.3g ms", 1e3 * seconds);
    else
        (void)snprintf(text, size, "%.3g s", seconds);
    return text;
}

static bool is_measured(const ww_tune_way *way)
{
    return way->lack[0] == '\0';
}

// A step with its part of a record, by rounds.
static void whole_steps(const ww_tune *self, const ww_tune_way *way, double *values)
{
    for (int round = 0; round < self->rounds; round++)
        values[round] = way->step[round] + way->record[round] / (double)way->config.measure.every;
}

// By what factor one way takes longer than another, round by round.
static ww_tune_spread ratio_of(const ww_tune *self, const ww_tune_way *above,
                               const ww_tune_way *below)
{
    double one[WW_TUNE_ROUNDS];
    double other[WW_TUNE_ROUNDS];
    whole_steps(self, above, one);
    whole_steps(self, below, other);
    for (int round = 0; round < self->rounds; round++)
        one[round] /= other[round];
    return ww_tune_spread_of(one, self->rounds);
}

static const ww_tune_way *chosen_of(const ww_tune *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->ways[i].is_chosen)
            return is_measured(&self->ways[i]) ? &self->ways[i] : NULL;
    return NULL;
}

static void print_problem(const ww_tune *self)
{
    const ww_app_member *member = &self->plan->members.list[self->member];
    const ww_dataset *shape = &member->shape;
    const ww_config *config = member->config;
    if (self->plan->members.count > 1) {
        printf("\nrun%04zu, %s", self->member, member->label);
        if (self->alike > 1)
            printf(", and %zu more run%s of the same work", self->alike - 1,
                   self->alike == 2 ? "" : "s");
        printf("\n");
    }
    if (config->network.depth > 1)
        printf("L = %lld, ", (long long)config->network.depth);
    printf("m = %lld, d = %lld, k = %lld, n = %lld train and %lld test samples, B = %lld, a record "
           "every %lld step%s\n",
           (long long)config->network.width, (long long)shape->dimension, (long long)shape->outputs,
           (long long)shape->train.count, (long long)shape->test.count,
           (long long)member->layout.batch, (long long)config->measure.every,
           config->measure.every == 1 ? "" : "s");
}

// On what it was measured.
static void print_setting(const ww_tune *self)
{
    const ww_app_member *member = &self->plan->members.list[self->member];
    const ww_tiling whole = ww_tiling_make(member->layout.width, 0, self->crew_ranks);
    const ww_tiling part = ww_tiling_make(self->width, 0, self->crew_ranks);
    const int crews = ww_crews_of(self->parallel->size, self->crew_ranks);
    if (crews > 1)
        printf("  %d at once, each on %d rank%s%s, as in a run\n", crews, self->crew_ranks,
               self->crew_ranks == 1 ? "" : "s",
               self->parallel->size % crews != 0 ? " or one more" : "");
    if (self->width < whole.width)
        printf("  WITH %lld UNITS INSTEAD OF %lld, for lack of %s: %lld tile%s of %lld units on a "
               "rank instead of %lld of %lld%s\n",
               (long long)self->width, (long long)whole.width,
               self->is_short_of_memory ? "memory for all engines at once" : "time",
               (long long)part.local_tiles, part.local_tiles == 1 ? "" : "s",
               (long long)part.tile_units, (long long)whole.local_tiles,
               (long long)whole.tile_units,
               self->is_cached ? ", which FIT INTO CACHES, unlike the whole; --tune=SECONDS gives "
                                 "more time"
                               : "");
    if (self->diverged >= 0)
        printf("  training diverges at step %lld: measured with a rate next to 0; a smaller "
               "training.rate may help\n",
               (long long)self->diverged);
    if (self->rounds > 0) {
        char records[48] = "";
        const int64_t steps = self->segment * self->segments;
        if (!self->is_seldom)
            (void)snprintf(records, sizeof records, " and %lld record%s", (long long)self->segments,
                           self->segments == 1 ? "" : "s");
        printf(
            "  %d rounds, in each of which every engine made %lld step%s%s: median, and lowest to "
            "highest%s\n",
            self->rounds, (long long)steps, steps == 1 ? "" : "s", records,
            self->rounds < 10 ? "" : " but for a tenth at either end");
    }
    if (!isnan(self->changing))
        printf(
            "  %.0f%% of these steps changed weights: fewer do as training goes on, and those that "
            "change none are what `window` is for\n",
            100.0 * self->changing);
}

static void print_way(const ww_tune *self, const ww_tune_way *way)
{
    char name[48];
    char memory[32];
    char text[4][32];
    const bool is_configured = way->is_chosen && !way->is_auto;
    (void)snprintf(name, sizeof name, "%s%s%s", ww_engine_name(way->config.training.engine),
                   way->is_auto ? " (auto)" : "", is_configured ? " (configured)" : "");
    ww_bytes_text((double)way->memory, memory, sizeof memory);
    printf("  %-7s %-20s %9s  ", ww_precision_name(way->config.precision), name, memory);
    if (!is_measured(way)) {
        printf("not measured: %s\n", way->lack);
        return;
    }
    double whole[WW_TUNE_ROUNDS];
    char range[112];
    const ww_tune_way *chosen = chosen_of(self);
    whole_steps(self, way, whole);
    const ww_tune_spread all = ww_tune_spread_of(whole, self->rounds);
    (void)snprintf(
        range, sizeof range, "%s (%s to %s)", time_text(all.median, text[0], sizeof text[0]),
        time_text(all.low, text[1], sizeof text[1]), time_text(all.high, text[2], sizeof text[2]));
    printf("%9s ",
           time_text(ww_tune_spread_of(way->step, self->rounds).median, text[0], sizeof text[0]));
    printf("%9s  ",
           time_text(ww_tune_spread_of(way->record, self->rounds).median, text[0], sizeof text[0]));
    printf(
        "%-33s %9s", range,
        time_text(ww_tune_spread_of(way->processor, self->rounds).median, text[0], sizeof text[0]));
    if (chosen != NULL)
        printf(" %5.2f", ratio_of(self, way, chosen).median);
    printf("\n");
}

static void print_table(const ww_tune *self)
{
    const int64_t every = self->ways[0].config.measure.every;
    char title[64];
    (void)snprintf(title, sizeof title, "a step and 1/%lld record", (long long)every);
    printf("\n  %-7s %-20s %9s  %9s %9s  %-33s %9s %5s\n", "", "engine", "memory", "a step",
           "a record", every == 1 ? "a step and a record" : title, "processor", "ratio");
    bool has_lazy = false;
    for (size_t i = 0; i < self->count; i++) {
        const ww_tune_way *way = &self->ways[i];
        print_way(self, way);
        has_lazy = has_lazy || (is_measured(way) && way->config.training.engine == WW_ENGINE_LAZY);
    }
    printf("\n");
    if (has_lazy)
        printf(
            "lazy is measured at its first steps; later ones mostly take less, and all take less "
            "for a unit the more there are\n");
}

// The fastest way in the precision of the chosen one, or in the other; NULL: none is measured.
static const ww_tune_way *fastest_of(const ww_tune *self, const ww_tune_way *chosen,
                                     bool in_same_precision)
{
    const ww_tune_way *best = NULL;
    for (size_t i = 0; i < self->count; i++) {
        const ww_tune_way *way = &self->ways[i];
        const bool is_same = way->config.precision == chosen->config.precision;
        if (!is_measured(way) || is_same != in_same_precision)
            continue;
        if (best == NULL || ratio_of(self, way, best).median < 1.0)
            best = way;
    }
    return best;
}

bool ww_tune_is_faster(ww_tune_spread ratio)
{
    return ratio.high < 1.0 && ratio.median < WORTH_A_WORD;
}

static void print_suggestions(const ww_tune *self)
{
    const ww_tune_way *chosen = chosen_of(self);
    if (chosen == NULL) {
        printf("no suggestion: the engine that a run would take could not be measured\n");
        return;
    }
    const ww_tune_way *best = fastest_of(self, chosen, true);
    const ww_tune_spread ratio = ratio_of(self, best, chosen);
    if (best != chosen && ww_tune_is_faster(ratio))
        printf("training.engine: %s would take %.2f of the time a step and its part of a record "
               "(%.2f to %.2f)\n",
               ww_engine_name(best->config.training.engine), ratio.median, ratio.low, ratio.high);
    else
        printf("no engine is faster than %s by more than the times scatter\n",
               ww_engine_name(chosen->config.training.engine));
    const ww_tune_way *other = fastest_of(self, chosen, false);
    if (other == NULL)
        return;
    const ww_tune_spread with = ratio_of(self, other, chosen);
    if (ww_tune_is_faster(with))
        printf("precision: %s and training.engine: %s would take %.2f of it (%.2f to %.2f), but "
               "these are OTHER NUMBERS, of %s digits\n",
               ww_precision_name(other->config.precision),
               ww_engine_name(other->config.training.engine), with.median, with.low, with.high,
               other->config.precision == WW_PRECISION_SINGLE ? "7 instead of 16"
                                                              : "16 instead of 7");
}

// Tiles that the threads of the fullest rank do one after the other.
static int64_t turns_of(int64_t tiles, int64_t ranks, int64_t threads)
{
    const int64_t local = (tiles + ranks - 1) / ranks;
    return (local + threads - 1) / threads;
}

// What is known of ranks and threads without measuring.
static void print_ranks(const ww_tune *self)
{
    const ww_app_member *member = &self->plan->members.list[self->member];
    const int64_t threads = ww_workers_given();
    const int64_t tiles = ww_tiling_make(member->layout.width, 0, 1).tile_count;
    const int64_t processors = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t wanted = self->plan->ranks_a_node * threads;
    char text[64];
    ww_ranks_text(self->plan->ranks_a_node, threads, text, sizeof text);
    if (wanted > processors)
        printf("%s on a node of %lld processor%s take turns: fewer would be as fast\n", text,
               (long long)processors, processors == 1 ? "" : "s");
    const int64_t turns = turns_of(tiles, self->crew_ranks, threads);
    int64_t ranks = self->crew_ranks;
    while (ranks > 1 && turns_of(tiles, ranks - 1, threads) == turns)
        ranks--;
    if (ranks < self->crew_ranks)
        printf("%lld rank%s would do as much at a time as %d: there are %lld tiles of units, %lld "
               "on the fullest rank\n",
               (long long)ranks, ranks == 1 ? "" : "s", self->crew_ranks, (long long)tiles,
               (long long)((tiles + ranks - 1) / ranks));
    if (turns_of(tiles, self->crew_ranks, 1) < threads)
        printf("%lld of %lld threads of a rank have work: there are %lld tiles of units\n",
               (long long)turns_of(tiles, self->crew_ranks, 1), (long long)threads,
               (long long)tiles);
}

// Where others had the processors for much of the time.
static void print_load(const ww_tune *self)
{
    const ww_tune_way *chosen = chosen_of(self);
    double whole[WW_TUNE_ROUNDS];
    if (chosen == NULL || ww_workers_given() > 1)
        return;
    whole_steps(self, chosen, whole);
    const double wall = ww_tune_spread_of(whole, self->rounds).median;
    const double processor = ww_tune_spread_of(chosen->processor, self->rounds).median;
    if (wall > BUSY * processor)
        printf("all took %.1f times as long as processors worked on it: something else uses this "
               "machine, or ranks share processors\n",
               wall / processor);
}

void ww_tune_print(const ww_tune *self)
{
    print_problem(self);
    print_setting(self);
    print_table(self);
    print_suggestions(self);
    print_ranks(self);
    print_load(self);
}
