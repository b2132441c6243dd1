// widthwise merge.

#include "app/app.h"
#include "app/options.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// "3" or "17-19" behind `title`: the numbers from `first` to before `end`.
static void print_range(const char *title, int64_t first, int64_t end)
{
    if (end - first == 1)
        printf("%s%" PRId64, title, first);
    else
        printf("%s%" PRId64 "-%" PRId64, title, first, end - 1);
}

// Numbers without a run, in brackets: those below the first, and those between two.
static void print_missing(const ww_file_summary *summary)
{
    const char *title = " (missing before them: ";
    bool any = false;
    if (summary->members[0].index > 0) {
        print_range(title, 0, summary->members[0].index);
        any = true;
    }
    title = any ? "; missing between them: " : " (missing between them: ";
    for (int64_t i = 1; i < summary->member_count; i++) {
        const int64_t first = summary->members[i - 1].index + 1;
        const int64_t end = summary->members[i].index;
        if (end == first)
            continue;
        print_range(title, first, end);
        title = ", ";
        any = true;
    }
    if (any)
        printf(")");
}

static bool is_unfinished(const ww_member_summary *member)
{
    return member->state != WW_RUN_DONE && member->state != WW_RUN_DIVERGED;
}

static void print_outcome(const char *path, const ww_file_summary *summary, size_t files)
{
    printf("%s: %" PRId64 " run%s of %zu file%s", path, summary->member_count,
           summary->member_count == 1 ? "" : "s", files, files == 1 ? "" : "s");
    print_missing(summary);
    printf("\n");
    int64_t unfinished = 0;
    for (int64_t i = 0; i < summary->member_count; i++)
        unfinished += is_unfinished(&summary->members[i]);
    if (unfinished == 0)
        return;
    printf("%s: %" PRId64 " run%s not finished (", path, unfinished,
           unfinished == 1 ? " is" : "s are");
    const char *comma = "";
    for (int64_t i = 0; i < summary->member_count; i++) {
        if (!is_unfinished(&summary->members[i]))
            continue;
        printf("%srun%04" PRId64, comma, summary->members[i].index);
        comma = ", ";
    }
    printf("); `widthwise resume %s` goes on with %s\n", path, unfinished == 1 ? "it" : "them");
}

static ww_status merge_files(const char *const *paths, size_t count, const char *output, bool force,
                             ww_error *error)
{
    WW_TRY(ww_store_merge(paths, count, output, force, stdout, error));
    ww_file_summary summary = {0};
    WW_TRY(ww_store_summarize(output, &summary, error));
    print_outcome(output, &summary, count);
    ww_file_summary_free(&summary);
    return WW_OK;
}

ww_status ww_app_merge(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *output = NULL;
    bool force = false;
    const ww_option options[] = {{"--output", "-o", WW_OPTION_TEXT, &output},
                                 {"--force", NULL, WW_OPTION_FLAG, &force}};
    const char **paths = ww_allocate((size_t)count + 1, sizeof *paths, "the command line", error);
    ww_status status = paths == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = ww_options_parse("merge", options, sizeof options / sizeof options[0], count,
                                  words, paths, (size_t)count, error);
    size_t files = 0;
    while (status == WW_OK && paths[files] != NULL)
        files++;
    if (status == WW_OK && files == 0)
        status = ww_fail(error, WW_USAGE,
                         "merge wants the files to be merged: widthwise merge FILE... -o MERGED");
    if (status == WW_OK && output == NULL)
        status = ww_fail(error, WW_USAGE,
                         "merge wants the name of the file to make: widthwise merge FILE... -o "
                         "MERGED");
    status = ww_agree(parallel, status, error);
    if (status == WW_OK && parallel->rank == 0)
        status = merge_files(paths, files, output, force, error);
    status = ww_agree(parallel, status, error);
    free(paths);
    return status;
}
