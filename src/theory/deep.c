// Predictions of Zou & Gu that a run gets.
#include "theory/families.h"

bool ww_theory_is_deep(const ww_theory_plan *plan)
{
    return plan->config->model == WW_MODEL_ZOU_GU || plan->config->network.depth > 1;
}

bool ww_theory_takes_kernels(const ww_theory_plan *plan)
{
    return ww_theory_is_deep(plan) && plan->config->replicas == 1 &&
           (plan->samples <= WW_ZOU_GU_ALONE || plan->gram != NULL);
}

static bool has(const ww_theory_plan *plan, const ww_zou_gu_prediction *prediction)
{
    if (prediction->takes_kernels && !ww_theory_takes_kernels(plan))
        return false;
    return prediction->part != WW_ZOU_GU_STOCHASTIC ||
           plan->config->training.method == WW_METHOD_SGD;
}

static size_t fields_of(const ww_theory_plan *plan, ww_field *fields)
{
    size_t all = 0;
    size_t count = 0;
    const ww_zou_gu_prediction *predictions = ww_zou_gu_predictions(&all);
    if (!ww_theory_is_deep(plan))
        return 0;
    for (size_t i = 0; i < all; i++)
        if (has(plan, &predictions[i]))
            fields[count++] = WW_PREDICTION(predictions[i].name, predictions[i].source,
                                            predictions[i].description);
    return count;
}

static double *compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values)
{
    size_t all = 0;
    const ww_zou_gu_prediction *predictions = ww_zou_gu_predictions(&all);
    if (!ww_theory_is_deep(plan))
        return values;
    ww_zou_gu_setting setting = ww_zou_gu_setting_of(plan->config, inputs->data, inputs->deep);
    const double *loss = ww_theory_column(plan, inputs, "loss");
    if (loss != NULL && inputs->rows > 0 && inputs->steps[0] == 0)
        ww_zou_gu_set_loss(plan->config, loss[0], &setting);
    for (size_t i = 0; i < all; i++)
        if (has(plan, &predictions[i]))
            *values++ = predictions[i].value(&setting);
    return values;
}

static const char *const columns[] = {"loss", NULL};
const ww_theory_family ww_theory_zou_gu = {fields_of, compute, columns};
