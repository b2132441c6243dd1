// The time that `widthwise plan` tells.

#include "app/measuring.h"
#include "app/plan.h"
#include "widthwise/clock.h"

#include <stdio.h>

ww_duration ww_plan_duration(const ww_planning *plan, size_t i)
{
    return ww_duration_of(&plan->members.list[i], &plan->costs[i], &plan->calibration,
                          plan->crew_ranks[i]);
}

// `name` is of one of them.
static void print_part(const char *name, double number, double seconds)
{
    char what[64];
    char one[32];
    char all[32];
    if (number <= 0.0 || seconds <= 0.0)
        return;
    if (seconds < 1.0)
        (void)snprintf(one, sizeof one, "%.3g ms", 1e3 * seconds);
    else
        ww_duration_text(seconds, one, sizeof one);
    ww_duration_text(number * seconds, all, sizeof all);
    (void)snprintf(what, sizeof what, "%.0f %s%s", number, name, number == 1.0 ? "" : "s");
    printf("  %-38s %9s  (%s each)\n", what, all, one);
}

// Whether some run can be over before its last step.
static bool ends_early(const ww_planning *plan)
{
    for (size_t i = 0; i < plan->experiment.count; i++) {
        const ww_config *config = plan->members.list[i].config;
        const bool rests = config->loss == WW_LOSS_HINGE && config->training.stop_at_rest;
        if (rests || config->training.stop.count > 0)
            return true;
    }
    return false;
}

// What part of the time of the largest member measuring takes.
static void print_measuring(const ww_planning *plan, const ww_duration *time)
{
    const ww_config *config = plan->members.list[plan->largest].config;
    const double alone = time->replica > 0.0 ? time->replica : time->total;
    const ww_measuring measuring = {.seconds =
                                        (double)plan->costs[plan->largest].records * time->record,
                                    .whole = alone,
                                    .records = plan->costs[plan->largest].records,
                                    .steps = config->training.steps,
                                    .every = config->measure.every};
    char text[256];
    if (measuring.seconds <= 0.0)
        return;
    ww_measuring_text(&measuring, "would be", text, sizeof text);
    printf("  measuring takes %s\n", text);
}

void ww_plan_print_time(const ww_planning *plan)
{
    const ww_calibration *rates = &plan->calibration;
    char text[32];
    double all = 0.0;
    double labels = 0.0; // by all ranks, one after the other
    for (size_t i = 0; i < plan->experiment.count; i++) {
        const ww_duration time = ww_plan_duration(plan, i);
        all += time.total * plan->crew_ranks[i];
        labels += time.labels;
    }
    const ww_duration time = ww_plan_duration(plan, plan->largest);
    ww_duration_text(rates->seconds, text, sizeof text);
    printf("\ntime, an estimate from a calibration of %s on %d rank%s of this machine%s%s\n", text,
           plan->parallel->size, plan->parallel->size == 1 ? "" : "s",
           plan->experiment.count > 1 ? ", for " : "", plan->members.list[plan->largest].label);
    print_part("step", (double)plan->members.list[plan->largest].config->training.steps, time.step);
    print_part("record", (double)plan->costs[plan->largest].records, time.record);
    print_part("checkpoint", time.checkpoints, time.checkpoint);
    if (time.results > 0.0) {
        ww_duration_text(time.results, text, sizeof text);
        printf("  %-38s %9s\n", "results at the end", text);
    }
    if (time.gram > 0.0) {
        ww_duration_text(time.gram, text, sizeof text);
        printf("  %-38s %9s\n", "the Gram matrix", text);
    }
    if (labels > 0.0) {
        ww_duration_text(labels, text, sizeof text);
        printf("  %-38s %9s\n", "worst-case labels, before the file", text);
    }
    if (time.replica > 0.0)
        printf("  all of this for each of %lld replicas, a rank each\n",
               (long long)plan->members.list[plan->largest].config->replicas);
    else if (rates->write_rate <= 0.0)
        printf("  checkpoints are left out: nothing could be written to this folder\n");
    ww_duration_text(labels + all / (plan->share * (double)plan->ranks), text, sizeof text);
    printf("  %-38s %9s  (%.3g Gflop/s a rank in steps, %.3g MB/s to this folder)\n",
           plan->experiment.count > 1 ? "all runs, side by side" : "in all", text,
           rates->step_rate * 1e-9, rates->write_rate * 1e-6);
    print_measuring(plan, &time);
    if (ends_early(plan))
        printf("  at most: this counts all steps, and training.stop or stop_at_rest can end a run "
               "long before\n");
    if (plan->ranks != plan->parallel->size)
        printf(
            "  scaled from %d to %lld ranks as if each were as fast as here and messages took no "
            "time\n",
            plan->parallel->size, (long long)plan->ranks);
}
