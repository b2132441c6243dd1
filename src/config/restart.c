// What a restart may change.
#include "widthwise/config.h"

#include "config/keys.h"
#include "config/value.h"

#include <stdio.h>
#include <string.h>

// "training.steps, training.stop, ..." into `text` [size].
static void list_changeable(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ww_key_count() && used < size; i++) {
        const ww_key *key = ww_key_at(i);
        if (key->restart)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", key->path);
    }
}

// What may change of a run with replicas, apart from its conduct: there may be more of them.
static ww_status compare_replicas(const ww_key *key, const ww_config *before,
                                  const ww_config *after, const char *where, ww_error *error)
{
    if ((before->replicas > 1) != (after->replicas > 1))
        return ww_fail(error, WW_USAGE,
                       "%s: a run without replicas cannot get them, nor lose them; start a new run",
                       where);
    if (before->replicas > 1 && strcmp(key->path, "replicas") != 0)
        return ww_fail(
            error, WW_USAGE,
            "%s: replicas that are done keep no weights, so they cannot go on otherwise; "
            "what may change is their number (replicas)",
            where);
    if (after->replicas < before->replicas)
        return ww_fail(
            error, WW_USAGE,
            "%s: there cannot be fewer replicas than the %lld that the run was begun with", where,
            (long long)before->replicas);
    return WW_OK;
}

ww_status ww_config_compare(const ww_config *before, const ww_config *after, const char *label,
                            ww_config_change *change, ww_error *error)
{
    static const char conduct[] = "output.";
    *change = WW_CONFIG_SAME;
    for (size_t i = 0; i < ww_key_count(); i++) {
        const ww_key *key = ww_key_at(i);
        const bool used = ww_key_in_use(key, before);
        if (used == ww_key_in_use(key, after) && (!used || ww_value_equal(key, before, after)))
            continue;
        char where[512];
        ww_config_where(after, key->path, where, sizeof where);
        if (!key->restart) {
            char changeable[1024];
            list_changeable(changeable, sizeof changeable);
            return ww_fail(error, WW_USAGE,
                           "%s: a restart cannot change this, the run would not be the one that "
                           "was begun; what may change is %s; for anything else start a new run",
                           where, changeable);
        }
        const bool is_conduct = strncmp(key->path, conduct, sizeof conduct - 1) == 0;
        if (!is_conduct)
            WW_TRY(compare_replicas(key, before, after, where, error));
        if (ww_key_is_swept(key->path, label))
            return ww_fail(error, WW_USAGE,
                           "%s: the sweep of this file varies this key, so a restart cannot set it",
                           where);
        if (!is_conduct)
            *change = WW_CONFIG_RESULTS;
        else if (*change == WW_CONFIG_SAME)
            *change = WW_CONFIG_CONDUCT;
    }
    return WW_OK;
}
