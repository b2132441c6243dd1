// widthwise show.

#include "app/app.h"
#include "app/options.h"
#include "app/recorded_problem.h"
#include "app/watch.h"
#include "widthwise/audit.h"
#include "widthwise/config.h"
#include "widthwise/measure.h"
#include "widthwise/store.h"
#include "widthwise/text.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A sweep of many members is told in a line each; a few are told in full.
enum { MOST_TOLD_IN_FULL = 3, LINE_WIDTH = 96 };

typedef struct printer {
    bool in_full;
    const char *last_record; // what the last row of the trajectory is called
    char group[16];          // that is being printed
    int column;
} printer;

static void print_scalar(void *context, const char *group, const char *name, double value,
                         double deviation)
{
    static const struct {
        const char *group, *name;
    } key_numbers[] = {{"trajectory", "loss"},           {"trajectory", "test_accuracy"},
                       {"trajectory", "updates"},        {"trajectory", "violations"},
                       {"trajectory", "coupling"},       {"trajectory", "distance"},
                       {"gram", "lambda_min"},           {"gram", "complexity_train"},
                       {"theory", "update_bound"},       {"theory", "update_lower_bound"},
                       {"theory", "success_probability"}};
    printer *self = context;
    char number[64];
    if (isnan(value) && strcmp(group, "theory") == 0)
        (void)snprintf(number, sizeof number, "does not apply");
    else
        ww_number_text(value, self->in_full ? 6 : 4, number, sizeof number / 2);
    if (deviation > 0.0) {
        char spread[32];
        ww_number_text(deviation, 2, spread, sizeof spread);
        const size_t used = strlen(number);
        (void)snprintf(number + used, sizeof number - used, " +- %s", spread);
    }
    if (!self->in_full) {
        for (size_t i = 0; i < sizeof key_numbers / sizeof key_numbers[0]; i++)
            if (strcmp(group, key_numbers[i].group) == 0 && strcmp(name, key_numbers[i].name) == 0)
                printf("  %s %s", name, number);
        return;
    }
    char text[128];
    const int length = snprintf(text, sizeof text, "%s %s", name, number);
    if (strcmp(group, self->group) != 0) {
        const char *title = strcmp(group, "trajectory") == 0 ? self->last_record
                            : strcmp(group, "final") == 0    ? "results"
                            : strcmp(group, "gram") == 0     ? "Gram matrix"
                                                             : "predictions";
        self->column = printf("%s    %-12s", self->group[0] != '\0' ? "\n" : "", title);
        snprintf(self->group, sizeof self->group, "%s", group);
    } else if (self->column + length + 2 > LINE_WIDTH) {
        self->column = printf("\n    %-12s", "");
    }
    self->column += printf("  %s", text);
}

// The stop rules of a run, and whether its last record fulfils one.
typedef struct stop_check {
    const ww_stop_rules *rules;
    bool reached;
} stop_check;

static void check_stop(void *context, const char *group, const char *name, double value,
                       double deviation)
{
    stop_check *self = context;
    (void)deviation; // of replicas
    for (size_t i = 0; strcmp(group, "trajectory") == 0 && i < self->rules->count; i++)
        if (strcmp(self->rules->rules[i].quantity, name) == 0 &&
            ww_measure_reaches(name, value, self->rules->rules[i].threshold))
            self->reached = true;
}

// Whether training ended because no sample would change a weight any more: of a run that is over
// before its last step, and not by a stop rule, nothing else is left.
static ww_status find_rest(const char *path, const ww_member_summary *summary,
                           const ww_config *config, bool *rests, ww_error *error)
{
    stop_check check = {.rules = &config->training.stop};
    *rests = config->loss == WW_LOSS_HINGE && config->training.stop_at_rest &&
             config->replicas == 1 && summary->trained && summary->state != WW_RUN_DIVERGED &&
             summary->rows > 0 && summary->last_step < config->training.steps;
    if (!*rests || check.rules->count == 0)
        return WW_OK;
    WW_TRY(ww_store_visit_scalars(path, summary->index, check_stop, &check, error));
    *rests = !check.reached;
    return WW_OK;
}

static void print_progress(const ww_member_summary *summary, const ww_config *config, bool rests)
{
    const long long steps = (long long)config->training.steps;
    printf("  run%04lld  %s", (long long)summary->index, ww_run_state_name(summary->state));
    if (config->replicas > 1)
        printf(", %lld of %lld replicas", (long long)summary->rows, (long long)config->replicas);
    else if (rests)
        printf(", at rest after %lld steps of %lld", (long long)summary->last_step, steps);
    else if (summary->rows > 0)
        printf(", recorded to step %lld of %lld", (long long)summary->last_step, steps);
    if (summary->label[0] != '\0')
        printf("  (%s)", summary->label);
    if (summary->reason[0] != '\0')
        printf(": %s", summary->reason);
}

static ww_status print_model(const char *path, const ww_member_summary *summary,
                             const ww_config *config, ww_error *error)
{
    ww_recorded_problem recorded;
    char engine[64];
    WW_TRY(ww_recorded_problem_read(path, summary->index, config, &recorded, error));
    ww_engine_describe(&recorded.problem, engine, sizeof engine);
    printf("\n    model         %s on %s, ", ww_model_name(config->model),
           ww_source_name(config->data.source));
    if (config->network.depth > 1)
        printf("L = %lld, ", (long long)config->network.depth);
    printf("m = %lld, eta = %.6g, %s", (long long)config->network.width,
           ww_config_learning_rate(config, recorded.shape.outputs),
           config->training.method == WW_METHOD_GD ? "full batch" : "batches of ");
    if (config->training.method == WW_METHOD_SGD)
        printf("%lld", (long long)config->training.batch);
    printf(", %s", engine);
    return WW_OK;
}

static void print_checkpoints(const ww_member_summary *summary, const ww_config *config)
{
    const bool has[2] = {summary->slot_valid[0], summary->slot_valid[1]};
    printf("\n    checkpoint    ");
    if (config->replicas > 1)
        printf("none: replicas keep no weights");
    else if (!has[0] && !has[1])
        printf("none yet");
    else if (has[0] && has[1])
        printf("steps %lld and %lld", (long long)summary->slot_step[0],
               (long long)summary->slot_step[1]);
    else
        printf("step %lld", (long long)summary->slot_step[has[0] ? 0 : 1]);
    printf("\n");
}

static void print_audits(const ww_member_summary *summary)
{
    for (int kind = 0; kind < WW_AUDIT_KINDS; kind++) {
        const ww_audit *audit = &summary->audits[kind];
        char text[256];
        char steps[64];
        if (audit->verdict == WW_AUDIT_NONE)
            continue;
        ww_audit_text(audit, text, sizeof text);
        if (kind == WW_AUDIT_AT_END)
            (void)snprintf(steps, sizeof steps, "after step %lld", (long long)audit->last_step);
        else
            (void)snprintf(steps, sizeof steps, "steps %lld to %lld against dense",
                           (long long)audit->first_step, (long long)audit->last_step);
        printf("    audit         %s %s: %s\n",
               audit->verdict == WW_AUDIT_HOLDS ? "holds" : "FAILS", steps, text);
    }
}

static ww_status show_run(const char *path, const ww_member_summary *summary,
                          const ww_config *config, bool in_full, ww_error *error)
{
    bool rests = false;
    printer self = {.in_full = in_full,
                    .last_record = config->replicas > 1 ? "at the end" : "last record"};
    WW_TRY(find_rest(path, summary, config, &rests, error));
    print_progress(summary, config, rests);
    if (in_full) {
        WW_TRY(print_model(path, summary, config, error));
        print_checkpoints(summary, config);
        print_audits(summary);
    }
    WW_TRY(ww_store_visit_scalars(path, summary->index, print_scalar, &self, error));
    printf("\n");
    return WW_OK;
}

static ww_status show_member(const char *path, const ww_member_summary *summary, bool in_full,
                             ww_error *error)
{
    ww_experiment experiment = {0};
    WW_TRY(ww_experiment_parse(summary->config_text, path, ".", NULL, 0, &experiment, error));
    const ww_status status = show_run(path, summary, &experiment.members[0], in_full, error);
    ww_experiment_free(&experiment);
    return status;
}

static ww_status show(const char *path, ww_error *error)
{
    ww_file_summary summary = {0};
    WW_TRY(ww_store_summarize(path, &summary, error));
    int64_t states[WW_RUN_STATES] = {0};
    for (int64_t i = 0; i < summary.member_count; i++)
        states[summary.members[i].state]++;
    printf("%s: %lld run%s", path, (long long)summary.member_count,
           summary.member_count == 1 ? "" : "s");
    for (int state = 0; summary.member_count > 1 && state < WW_RUN_STATES; state++)
        if (states[state] > 0)
            printf(", %lld %s", (long long)states[state], ww_run_state_name((ww_run_state)state));
    char ranks[64];
    ww_ranks_text(summary.first.ranks, summary.first.threads, ranks, sizeof ranks);
    printf("\n  started %s on %s with %s by widthwise %s\n", summary.first.started,
           summary.first.host, ranks, summary.first.version);
    ww_ranks_text(summary.newest.ranks, summary.newest.threads, ranks, sizeof ranks);
    if (summary.attempt_count > 1)
        printf("  and %lld more time%s, last %s on %s with %s\n",
               (long long)summary.attempt_count - 1, summary.attempt_count == 2 ? "" : "s",
               summary.newest.started, summary.newest.host, ranks);
    ww_status status = WW_OK;
    for (int64_t i = 0; status == WW_OK && i < summary.member_count; i++)
        status = show_member(path, &summary.members[i], summary.member_count <= MOST_TOLD_IN_FULL,
                             error);
    ww_file_summary_free(&summary);
    return status;
}

ww_status ww_app_show(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    double seconds = -1.0; // between looks; 0: as usual, less: there is one look only
    const ww_option options[] = {{"--watch", NULL, WW_OPTION_MAYBE_SECONDS, &seconds}};
    ww_status status = ww_options_parse("show", options, sizeof options / sizeof options[0], count,
                                        words, operands, 1, error);
    if (status == WW_OK && seconds > 0.0 && seconds < WW_WATCH_LEAST_SECONDS)
        status = ww_fail(error, WW_USAGE, "show: --watch wants at least %g seconds, not %g",
                         WW_WATCH_LEAST_SECONDS, seconds);
    if (status == WW_OK && operands[0] == NULL)
        status = ww_fail(error, WW_USAGE, "show wants the file to tell of: widthwise show FILE");
    if (status == WW_OK && operands[0] != NULL && operands[0][0] == '\0')
        status = ww_fail(error, WW_USAGE,
                         "show: the name of the file is empty; name one: widthwise show FILE");
    WW_TRY(ww_agree(parallel, status, error));
    if (seconds >= 0.0)
        return ww_watch(operands[0], seconds > 0.0 ? seconds : WW_WATCH_SECONDS, parallel, error);
    bool recovered = false; // what is half changed cannot be read
    WW_TRY(ww_store_recover(operands[0], parallel, &recovered, error));
    if (parallel->rank == 0)
        status = show(operands[0], error);
    return ww_agree(parallel, status, error);
}
