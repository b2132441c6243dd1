// widthwise theory.

#include "widthwise/theory.h"
#include "app/app.h"
#include "app/experiment.h"
#include "app/options.h"
#include "widthwise/gram_analysis.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is asked, and all that is found out.
typedef struct prophecy {
    const ww_parallel *parallel;
    ww_experiment experiment;
    int64_t member;
    bool wants_gram;
    ww_config config; // of the member, without what only training has
    ww_dataset data;
    ww_gram_plan gram;
    ww_theory_plan plan;
    ww_gram_work work;
    ww_problem problem;
    ww_zou_gu_data deep;
    ww_field fields[WW_THEORY_FIELDS];
    size_t count;
    double *values;
} prophecy;

static ww_status choose_member(prophecy *self, ww_error *error)
{
    if (self->member >= (int64_t)self->experiment.count)
        return ww_fail(error, WW_USAGE,
                       "theory: --member %lld: the experiment has %zu member%s, counted from 0",
                       (long long)self->member, self->experiment.count,
                       self->experiment.count == 1 ? "" : "s");
    self->config = self->experiment.members[self->member];
    // Without eigenvectors and H(0): no prediction that is made before training needs them.
    self->config.gram.spectrum = WW_GRAM_SPECTRUM_NONE;
    self->config.gram.eigenvectors = false;
    self->config.gram.network = false;
    self->config.gram.labels = 0;
    self->config.replicas = 1;
    return WW_OK;
}

// Whether H is solved for: of few samples, or by request.
static bool solves(const prophecy *self)
{
    return self->wants_gram || self->data.train.count <= WW_ZOU_GU_ALONE;
}

static ww_status load(prophecy *self, ww_error *error)
{
    WW_TRY(ww_dataset_load(&self->config, self->parallel, &self->data, error));
    if (self->config.data.labels.kind == WW_LABELS_WORST_CASE) {
        const size_t count = (size_t)(self->data.train.count * self->data.outputs);
        double *targets = ww_allocate(count, sizeof *targets, "worst-case labels", error);
        ww_worst_case found;
        ww_status status = ww_agree(self->parallel, targets != NULL ? WW_OK : WW_FAILED, error);
        if (status == WW_OK)
            status = ww_gram_worst_case(&self->config, &self->data, self->parallel, targets, &found,
                                        error);
        if (status == WW_OK)
            ww_dataset_set_train_targets(&self->data, targets);
        free(targets);
        WW_TRY(status);
    }
    WW_TRY(ww_agree(self->parallel,
                    ww_gram_plan_make(&self->config, &self->data, &self->gram, error), error));
    self->plan = (ww_theory_plan){.config = &self->config,
                                  .gram = solves(self) ? &self->gram : NULL,
                                  .dimension = self->data.dimension,
                                  .samples = self->data.train.count,
                                  .outputs = self->data.outputs,
                                  .test_samples = self->data.test.count};
    self->count = ww_theory_fields(&self->plan, self->fields);
    return WW_OK;
}

// What the predictions of Arora et al. are made from.
static ww_status solve(prophecy *self, ww_error *error)
{
    if (!ww_theory_has_kernel(&self->plan))
        return WW_OK;
    WW_TRY(ww_agree(self->parallel,
                    ww_gram_limits(&self->gram, &self->config, self->parallel->size, error),
                    error));
    WW_TRY(ww_problem_make(&self->config, &self->data, self->parallel, &self->problem, error));
    WW_TRY(ww_gram_work_create(&self->gram, &self->problem, &self->work, error));
    WW_TRY(ww_gram_take_samples(&self->work, error));
    return ww_gram_take_solution(&self->work, error);
}

static ww_status predict(prophecy *self, ww_error *error)
{
    const int64_t values = ww_theory_values(self->fields, self->count);
    self->values = ww_allocate((size_t)values, sizeof *self->values, "the predictions", error);
    WW_TRY(ww_agree(self->parallel, self->values != NULL ? WW_OK : WW_FAILED, error));
    WW_TRY(solve(self, error));
    if (ww_theory_is_deep(&self->plan))
        WW_TRY(ww_zou_gu_measure(&self->config, &self->data, self->parallel,
                                 ww_theory_takes_kernels(&self->plan), &self->deep, error));
    const ww_theory_inputs inputs = {.data = &self->data,
                                     .gram = self->work.values,
                                     .deep = &self->deep,
                                     .test_absolute_error = (double)NAN,
                                     .test_error = (double)NAN};
    ww_theory_compute(&self->plan, &inputs, self->values);
    return WW_OK;
}

// ---- printing -----------------------------------------------------------------------------------

static const char *number_text(double value, char *text, size_t size)
{
    if (isnan(value))
        (void)snprintf(text, size, "-");
    else
        (void)snprintf(text, size, "%.5g", value);
    return text;
}

static void print_setting(const prophecy *self)
{
    const ww_config *config = &self->config;
    const ww_dataset *data = &self->data;
    printf("%s", config->name);
    if (self->experiment.count > 1)
        printf(", member %lld of %zu (%s)", (long long)self->member, self->experiment.count,
               self->experiment.labels[self->member]);
    printf(": model %s, source %s\n", ww_model_name(config->model),
           ww_source_name(config->data.source));
    printf("n = %lld, d = %lld, k = %lld, L = %lld, m = %lld", (long long)data->train.count,
           (long long)data->dimension, (long long)data->outputs, (long long)config->network.depth,
           (long long)config->network.width);
    const bool is_descent = config->training.method == WW_METHOD_GD;
    printf(", B = %lld, eta = %.5g, epsilon = %.5g, delta = %.5g\n",
           (long long)(is_descent ? data->train.count : config->training.batch),
           ww_config_learning_rate(config, data->outputs), config->theory.target_loss,
           config->theory.failure_probability);
    printf("constants that the papers leave open are 1; inf: more than 1.8e308, or without bound; "
           "-: unknown\n");
}

// The text of a description that comes before what it is of.
static int formula_length(const char *description)
{
    const char *colon = strstr(description, ": ");
    return colon != NULL ? (int)(colon - description) : (int)strlen(description);
}

// Predictions of the other papers.
static void print_others(const prophecy *self)
{
    const double *value = self->values;
    const char *none = "\nno prediction of this model is made before training\n";
    bool has_any = false;
    size_t deep = 0;
    const ww_zou_gu_prediction *predictions = ww_zou_gu_predictions(&deep);
    for (size_t i = 0; i < self->count; i++) {
        const ww_field *field = &self->fields[i];
        bool is_deep = false;
        for (size_t j = 0; j < deep && ww_theory_is_deep(&self->plan); j++)
            is_deep = is_deep || strcmp(predictions[j].name, field->name) == 0;
        if (!is_deep && field->rank == 0) {
            char text[32];
            if (!has_any)
                printf("\npredictions\n");
            has_any = true;
            printf("  %-26s %-12s %s\n    %s\n", field->name,
                   number_text(*value, text, sizeof text), field->source, field->description);
        }
        value += ww_field_size(field);
    }
    if (!has_any && !ww_theory_is_deep(&self->plan))
        printf("%s", none);
}

static const char *title_of(ww_zou_gu_part part)
{
    switch (part) {
    case WW_ZOU_GU_MEASURED:
        return "measured on the train set";
    case WW_ZOU_GU_TABLE:
        return "table 1 of Zou & Gu 2019: gradient descent";
    case WW_ZOU_GU_DESCENT:
        return "gradient descent (theorem 3.3 to remark 3.7)";
    case WW_ZOU_GU_STOCHASTIC:
        return "stochastic gradient descent (theorem 3.8 to remark 3.11)";
    case WW_ZOU_GU_REGION:
        return "around the start (lemmas 4.1 to 4.5)";
    default:
        return "descent on the kernel of the limit (beside the paper's bounds)";
    }
}

// A row of table 1 is a width and the iterations that come after it.
static void print_row(const ww_zou_gu_prediction *width, const ww_zou_gu_setting *setting)
{
    static const char paper[] = "ZG table 1, ";
    const ww_zou_gu_prediction *iterations = width + 1;
    char name[64];
    char first[32];
    char second[32];
    (void)snprintf(name, sizeof name, "%s", width->source + sizeof paper - 1);
    printf("  %-29s %-11s %-31s %-11s %s\n", name,
           number_text(width->value(setting), first, sizeof first), width->formula,
           number_text(iterations->value(setting), second, sizeof second), iterations->formula);
}

static void print_deep(const prophecy *self)
{
    size_t count = 0;
    const ww_zou_gu_prediction *all = ww_zou_gu_predictions(&count);
    const ww_zou_gu_setting setting = ww_zou_gu_setting_of(&self->config, &self->data, &self->deep);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        const bool is_table = all[i].part == WW_ZOU_GU_TABLE;
        if (i == 0 || all[i].part != all[i - 1].part) {
            printf("\n%s\n", title_of(all[i].part));
            if (is_table)
                printf("  %-29s %-43s %s\n", "", "width asked for", "iterations to epsilon");
        }
        if (is_table) {
            print_row(&all[i++], &setting);
            continue;
        }
        printf("  %-31s %-12s %-43s %s\n    %s\n", all[i].name,
               number_text(all[i].value(&setting), text, sizeof text), all[i].formula,
               all[i].source, all[i].description + formula_length(all[i].description) + 2);
    }
    if (!ww_theory_takes_kernels(&self->plan))
        printf("\nspectra are not computed for more than %d samples; --gram does\n",
               (int)WW_ZOU_GU_ALONE);
}

static ww_status tell(prophecy *self, ww_error *error)
{
    WW_TRY(choose_member(self, error));
    WW_TRY(load(self, error));
    WW_TRY(predict(self, error));
    if (self->parallel->rank != 0)
        return WW_OK;
    print_setting(self);
    if (ww_theory_is_deep(&self->plan))
        print_deep(self);
    print_others(self);
    ww_theory_plan with_gram = self->plan;
    with_gram.gram = &self->gram;
    if (self->plan.gram == NULL && ww_theory_has_kernel(&with_gram))
        printf("\nthe Gram matrix is not solved for with more than %d samples; --gram does\n",
               (int)WW_ZOU_GU_ALONE);
    return WW_OK;
}

ww_status ww_app_theory(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    ww_option_texts settings = {0};
    prophecy *self = ww_allocate(1, sizeof *self, "the predictions", error);
    ww_status status = ww_agree(parallel, self != NULL ? WW_OK : WW_FAILED, error);
    if (status != WW_OK) {
        free(self);
        return status;
    }
    self->parallel = parallel;
    const ww_option options[] = {
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--member", NULL, WW_OPTION_INTEGER, &self->member},
        {"--gram", NULL, WW_OPTION_FLAG, &self->wants_gram},
    };
    status = ww_agree(parallel,
                      ww_options_parse("theory", options, sizeof options / sizeof options[0], count,
                                       words, operands, 1, error),
                      error);
    if (status == WW_OK)
        status = ww_app_read_experiment(parallel, operands[0], &settings, &self->experiment, error);
    if (status == WW_OK)
        status = tell(self, error);
    ww_gram_work_free(&self->work);
    ww_dataset_free(&self->data);
    ww_experiment_free(&self->experiment);
    free(self->values);
    free(settings.texts);
    free(self);
    return status;
}
