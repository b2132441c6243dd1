/// Making the file of an experiment, with all datasets of all members.

#include "store/gram.h"
#include "store/page.h"
#include "store/place.h"
#include "store/plan.h"
#include "store/provenance.h"
#include "store/skeleton.h"
#include "store/structure.h"
#include "store/transaction.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <stdlib.h>

static ww_status build(void *context, hid_t file, const char *file_name, ww_error *error)
{
    const ww_plan *plan = context;
    WW_TRY(ww_skeleton_root(file, file_name, "widthwise", error));
    return ww_skeleton_add_all(file, file_name, plan, error);
}

/// First pages of the members that have computed targets: they vouch for these.
typedef struct target_pages {
    int64_t (*pages)[WW_PAGES][WW_PAGE_WORDS]; ///< [members with targets]
    size_t count;
} target_pages;

static ww_status allocate_pages(const ww_member_layout *members, size_t member_count,
                                target_pages *made, ww_error *error)
{
    for (size_t i = 0; i < member_count; i++)
        made->count += members[i].has_train_targets;
    made->pages = ww_allocate(made->count, sizeof *made->pages, "the first pages", error);
    made->count = 0;
    return made->pages != NULL ? WW_OK : WW_FAILED;
}

/// The first pages of a member: `usual`, or with the hash of its targets.
static ww_status first_pages(const ww_member_layout *layout, const int64_t *usual,
                             target_pages *made, const int64_t **pages, ww_error *error)
{
    *pages = usual;
    if (!layout->has_train_targets)
        return WW_OK;
    WW_ASSERT(layout->train_targets != NULL);
    char *path = ww_train_targets_path(layout->index, error);
    if (path == NULL)
        return WW_FAILED;
    ww_page first = ww_page_first();
    first.targets_valid = true;
    first.data_hash = layout->data_hash;
    first.targets_hash =
        ww_matrix_hash(path, layout->train_targets, layout->train, layout->targets, 0);
    free(path);
    *pages = made->pages[made->count][0];
    ww_page_encode(&first, made->pages[made->count++][0]);
    return WW_OK;
}

static ww_status create(const char *path, bool force, const ww_provenance *provenance,
                        const ww_member_layout *members, size_t member_count, ww_error *error)
{
    int64_t pages[WW_PAGES][WW_PAGE_WORDS] = {0}; // the second does not check: it is all zeroes
    const ww_page first = ww_page_first();
    ww_page_encode(&first, pages[0]);
    ww_provenance_table *table = ww_provenance_table_make(provenance, error);
    if (table == NULL)
        return WW_FAILED;
    ww_plan plan = {0};
    int64_t mark[2];
    ww_status status = ww_provenance_plan(table, &plan, error);
    if (status == WW_OK)
        status = ww_transaction_plan_mark(&plan, mark, error);
    if (status == WW_OK)
        status = ww_structure_plan(&plan, error);
    target_pages made = {0};
    if (status == WW_OK)
        status = allocate_pages(members, member_count, &made, error);
    for (size_t i = 0; i < member_count && status == WW_OK; i++) {
        const int64_t *its_pages = NULL;
        status = first_pages(&members[i], pages[0], &made, &its_pages, error);
        if (status == WW_OK)
            status = ww_plan_add_member(&plan, &members[i], its_pages, error);
    }
    const ww_file_builder builder = {
        .bytes = plan.bytes, .resumes = true, .build = build, .context = &plan};
    if (status == WW_OK)
        status = ww_place_file(path, force, &builder, error);
    ww_plan_free(&plan);
    free(made.pages);
    ww_provenance_table_free(table);
    return status;
}

ww_status ww_store_create(const char *path, bool force, const ww_provenance *provenance,
                          const ww_member_layout *members, size_t member_count,
                          const ww_parallel *parallel, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = create(path, force, provenance, members, member_count, error);
    return ww_agree(parallel, status, error);
}
