// A member of which only the Gram matrix is wanted.

#include "app/member.h"
#include "app/profile.h"
#include "app/results.h"
#include "app/start.h"

// What the pieces of the work look at between them.
typedef struct gram_member {
    const ww_parallel *parallel;
    ww_ending *ending;
} gram_member;

static ww_status before_piece(void *context, ww_error *error)
{
    gram_member *self = context;
    WW_TRY(ww_ending_agree(self->ending, self->parallel, error));
    if (!self->ending->agreed)
        return WW_OK;
    WW_TRY(ww_ending_share_reason(self->ending, self->parallel, error));
    return ww_fail(
        error, WW_STOPPED,
        "stopped before all of the Gram matrix was there; `widthwise gram` with the file "
        "goes on: %s",
        self->ending->reason);
}

ww_status ww_app_member_gram(const char *path, const ww_app_member *member, const ww_dataset *data,
                             const ww_parallel *parallel, ww_ending *ending, ww_progress *progress,
                             bool *advanced, ww_error *error)
{
    gram_member self = {.parallel = parallel, .ending = ending};
    ww_problem problem;
    ww_store *store = NULL;
    ww_progress_begin(progress, member->label[0] != '\0' ? member->label : member->config->name, 0);
    WW_TRY(ww_problem_make(member->config, data, parallel, &problem, error));
    ww_app_start start;
    const int around = ww_phase_enter(parallel->profile, WW_PHASE_WEIGHTS);
    ww_status status = ww_app_start_make(path, member->index, &problem, &start, error);
    ww_phase_leave(parallel->profile, around);
    ww_app_start_give(&start, &problem);
    ww_member_layout layout = member->layout;
    layout.data_hash = data->hash;
    const int before = ww_phase_enter(parallel->profile, WW_PHASE_FILE);
    if (status == WW_OK)
        status = ww_store_open(path, &layout, parallel, &problem.tiling, &store, error);
    ww_phase_leave(parallel->profile, before);
    const ww_app_results results = {.member = member,
                                    .problem = &problem,
                                    .parallel = parallel,
                                    .store = store,
                                    .progress = progress,
                                    .before = before_piece,
                                    .context = &self};
    if (status == WW_OK)
        status = ww_store_agree_data(store, error);
    if (status == WW_OK)
        status = ww_app_gram_write(&results, error);
    if (status == WW_STOPPED)
        ww_progress_say(progress, "%s", error->message);
    *advanced = status == WW_OK;
    (void)ww_phase_enter(parallel->profile, WW_PHASE_FILE);
    ww_store_close(store);
    ww_phase_leave(parallel->profile, before);
    ww_app_start_free(&start);
    return status;
}
