#include "app/experiment.h"

#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t MOST_CONFIG_BYTES = (size_t)1 << 24;

// The whole of a text file of at most 16 MiB, in memory that grows with it. Free `*text` always.
static ww_status read_file(const char *path, char **text, size_t *bytes, ww_error *error)
{
    *text = NULL;
    *bytes = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return ww_fail(error, WW_USAGE, "cannot read the configuration %s: %s", path,
                       strerror(errno));
    ww_status status = WW_OK;
    for (size_t room = 1 << 12; status == WW_OK && !feof(file) && !ferror(file); room *= 2) {
        char *grown = realloc(*text, room);
        if (grown == NULL) {
            status = ww_fail(error, WW_FAILED, "out of memory for the configuration %s", path);
            break;
        }
        *text = grown;
        *bytes += fread(*text + *bytes, 1, room - *bytes, file);
        if (*bytes > MOST_CONFIG_BYTES)
            status = ww_fail(error, WW_USAGE,
                             "the configuration %s is larger than 16 MiB: is it YAML?", path);
    }
    if (status == WW_OK && ferror(file))
        status =
            ww_fail(error, WW_USAGE, "cannot read the configuration %s: %s", path, strerror(errno));
    if (status == WW_OK && *text != NULL && memchr(*text, '\0', *bytes) != NULL)
        status =
            ww_fail(error, WW_USAGE, "the configuration %s holds a zero byte: is it YAML?", path);
    fclose(file);
    return status;
}

// Reads a configuration on rank 0 and copies it to all ranks. Collective. Free with free().
static ww_status read_text(const ww_parallel *parallel, const char *path, char **text,
                           ww_error *error)
{
    *text = NULL;
    ww_status status = WW_OK;
    char *read = NULL;
    uint64_t bytes = 0;
    if (parallel->rank == 0) {
        size_t length = 0;
        status = read_file(path, &read, &length, error);
        bytes = length;
    }
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_broadcast(parallel, &bytes, sizeof bytes, 0, error);
    if (status == WW_OK) {
        *text = ww_allocate(bytes + 1, 1, "the configuration", error);
        status = ww_agree(parallel, *text != NULL ? WW_OK : WW_FAILED, error);
    }
    if (status == WW_OK) {
        if (read != NULL) // on rank 0
            memcpy(*text, read, bytes);
        status = ww_broadcast(parallel, *text, bytes, 0, error);
    }
    free(read);
    return status;
}

ww_status ww_app_read_experiment(const ww_parallel *parallel, const char *config_path,
                                 const ww_option_texts *settings, ww_experiment *experiment,
                                 ww_error *error)
{
    char *text = NULL;
    char *folder = NULL;
    ww_status status = WW_OK;
    if (config_path != NULL)
        status = read_text(parallel, config_path, &text, error);
    if (status == WW_OK) {
        folder = ww_folder_of(config_path != NULL ? config_path : "", error);
        status = folder != NULL ? WW_OK : WW_FAILED;
        if (status == WW_OK)
            status = ww_experiment_parse(
                text != NULL ? text : "", config_path != NULL ? config_path : "built-in default",
                folder, settings->texts, settings->count, experiment, error);
        status = ww_agree(parallel, status, error);
    }
    free(text);
    free(folder);
    return status;
}
