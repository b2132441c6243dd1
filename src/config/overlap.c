// Members of a sweep whose replicas would be the same runs.
#include "config/check.h"

#include "config/value.h"

#include <string.h>

// Seeds of a configuration with the bits that say whether they rise along replicas.
typedef struct seed_view {
    int64_t value[3];
    bool rises[3];
} seed_view;

static seed_view seeds_of(const ww_config *config)
{
    return (seed_view){
        .value = {config->seeds.data, config->seeds.weights, config->seeds.batches},
        .rises = {(config->replica_seeds & WW_SEED_DATA) != 0,
                  (config->replica_seeds & WW_SEED_WEIGHTS) != 0,
                  (config->replica_seeds & WW_SEED_BATCHES) != 0},
    };
}

// Whether replica `*shift` + r of one has the seeds of replica r of the other, for some r.
static bool seeds_meet(const ww_config *one, const ww_config *other, int64_t *shift)
{
    const seed_view a = seeds_of(one);
    const seed_view b = seeds_of(other);
    bool known = false;
    *shift = 0;
    for (size_t i = 0; i < 3; i++) {
        const int64_t difference = b.value[i] - a.value[i];
        if (a.rises[i] != b.rises[i] || (!a.rises[i] && difference != 0))
            return false;
        if (!a.rises[i])
            continue;
        if (known && difference != *shift)
            return false;
        known = true;
        *shift = difference;
    }
    return *shift > -other->replicas && *shift < one->replicas;
}

// Whether nothing but seeds and the number of replicas tells them apart.
static bool are_alike(const ww_config *one, const ww_config *other)
{
    for (size_t i = 0; i < ww_key_count(); i++) {
        const ww_key *key = ww_key_at(i);
        if (strcmp(key->path, "seed") == 0 || strncmp(key->path, "seeds.", 6) == 0 ||
            strcmp(key->path, "replicas") == 0)
            continue;
        if (ww_key_in_use(key, one) != ww_key_in_use(key, other) ||
            (ww_key_in_use(key, one) && !ww_value_equal(key, one, other)))
            return false;
    }
    return true;
}

ww_status ww_experiment_check_overlap(const ww_experiment *experiment, const char *origin,
                                      ww_error *error)
{
    for (size_t i = 0; i < experiment->count; i++) {
        const ww_config *one = &experiment->members[i];
        for (size_t j = i + 1; one->replicas > 1 && j < experiment->count; j++) {
            const ww_config *other = &experiment->members[j];
            int64_t shift = 0;
            if (other->replicas == 1 || !seeds_meet(one, other, &shift) || !are_alike(one, other))
                continue;
            return ww_fail(error, WW_USAGE,
                           "%s: replica %lld of member %zu (%s) is the same run as replica %lld of "
                           "member %zu (%s); let swept seeds lie at least %lld apart",
                           origin, (long long)(shift > 0 ? shift : 0), i, experiment->labels[i],
                           (long long)(shift > 0 ? 0 : -shift), j, experiment->labels[j],
                           (long long)one->replicas);
        }
    }
    return WW_OK;
}
