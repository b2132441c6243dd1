#include "app/divided_data.h"

const char *ww_whole_data_reason(const ww_app_member *member)
{
    const ww_config *config = member->config;
    if (!ww_dataset_divides(config))
        return "data.source";
    if (member->layout.has_train_targets)
        return "data.labels.kind";
    if (config->model == WW_MODEL_ZOU_GU) // whose assumptions about the data are looked at
        return "model: zou-gu";
    if (member->gram != NULL)
        return "the Gram matrix";
    if (config->output.record & WW_RECORD_DATA)
        return "output.record";
    return ww_measure_of_all_inputs(member->plan);
}

static ww_status refuse(const char *reason, ww_error *error)
{
    return ww_fail(
        error, WW_USAGE,
        "--divide-data: %s asks for the inputs of all samples on each node; change that, "
        "or leave the option out",
        reason);
}

ww_status ww_data_is_to_be_divided(const ww_data_wish *wish, bool *divides, ww_error *error)
{
    const ww_app_members *members = wish->members;
    *divides = false;
    if (wish->divides && wish->sample_groups <= 1)
        return ww_fail(error, WW_USAGE,
                       "--divide-data: inputs are divided with the samples, so say over how many "
                       "groups of ranks: --sample-groups G");
    if (wish->divides && members->count != 1)
        return ww_fail(error, WW_USAGE,
                       "--divide-data: only the inputs of one run are divided, and here are %zu; "
                       "choose one of them (run --member), or leave the option out",
                       members->count);
    if (wish->sample_groups <= 1 || members->count != 1 || members->list[0].config == NULL)
        return WW_OK;
    const char *reason = ww_whole_data_reason(&members->list[0]);
    if (reason != NULL)
        return wish->divides ? refuse(reason, error) : WW_OK;
    *divides =
        wish->divides || ww_dataset_input_bytes(&members->list[0].shape) > wish->node_bytes / 2;
    return WW_OK;
}

ww_status ww_order_by_groups(const ww_parallel *parallel, int groups, ww_parallel *ordered,
                             ww_error *error)
{
    const int row = parallel->size / groups;
    const int group = parallel->rank / row;
    const int number = parallel->rank % row;
    return ww_parallel_order(parallel, number * groups + group, ordered, error);
}
