#include "app/duration.h"

#include <math.h>

static double divide(double work, double rate)
{
    return rate > 0.0 ? work / rate : 0.0;
}

ww_duration ww_duration_of(const ww_app_member *member, const ww_member_cost *cost,
                           const ww_calibration *rates, int ranks)
{
    const ww_config *config = member->config;
    ww_duration time = {
        .step = divide(cost->step_flops, rates->step_rate),
        .record = divide(cost->record_flops, rates->record_rate),
        .checkpoint = divide((double)cost->store.checkpoint, rates->write_rate),
        .results = divide(cost->final_flops, rates->final_rate),
        .gram = divide(cost->gram_flops, rates->gram_rate),
        .labels = divide(cost->labels_flops, rates->gram_rate),
    };
    time.total = (double)config->training.steps * time.step + (double)cost->records * time.record +
                 time.results + time.gram;
    time.checkpoints = (double)cost->checkpoints_by_step;
    if (config->output.checkpoint_minutes > 0.0)
        time.checkpoints += floor(time.total / (60.0 * config->output.checkpoint_minutes));
    time.total += time.checkpoints * time.checkpoint;
    if (config->replicas > 1) {
        time.checkpoints = 0.0;
        time.replica = time.total;
        time.total *= ceil((double)config->replicas / (double)ranks);
    }
    return time;
}
