// The reference that `widthwise list` prints: all of it from the table of keys.
#include "widthwise/config.h"

#include "config/value.h"

#include <string.h>

enum { PHRASE = 1024 };

// What the presets say of a key; how many do.
static int print_presets(const ww_key *key, FILE *stream)
{
    int count = 0;
    for (size_t model = 0; model < WW_MODEL_COUNT; model++)
        for (const ww_preset_value *value = ww_preset_of((ww_model)model)->values;
             value->path != NULL; value++)
            if (strcmp(value->path, key->path) == 0)
                fprintf(stream, "%s %s (model %s)", count++ == 0 ? "default:" : ",", value->value,
                        ww_model_name((ww_model)model));
    return count;
}

static void print_default(const ww_key *key, FILE *stream)
{
    switch (key->default_from) {
    case WW_DEFAULT_VALUE:
    case WW_DEFAULT_DERIVED:
        fprintf(stream, "default: %s", key->value);
        break;
    case WW_DEFAULT_MODEL:
        (void)print_presets(key, stream);
        break;
    case WW_DEFAULT_NONE:
        fputs(print_presets(key, stream) > 0 ? "; else it must be given" : "must be given", stream);
        break;
    }
}

static void print_condition(const ww_key *key, FILE *stream)
{
    if (key->condition == NULL)
        return;
    const ww_key *condition = ww_key_at(ww_key_find(key->condition));
    const char * or = "";
    fprintf(stream, "; only with %s: ", key->condition);
    for (unsigned choice = 0; condition->choices[choice] != NULL; choice++) {
        if ((key->states >> choice & 1u) == 0)
            continue;
        fprintf(stream, "%s%s", or, condition->choices[choice]);
        or = " or ";
    }
}

void ww_config_print_keys(FILE *stream)
{
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        char wanted[PHRASE];
        ww_value_describe(key, wanted, sizeof wanted);
        fprintf(stream, "%s\n    %s\n    %s; ", key->path, key->help, wanted);
        print_default(key, stream);
        print_condition(key, stream);
        fprintf(stream, "%s\n", key->restart ? "; a restart may change it" : "");
    }
    fprintf(stream,
            "sweep\n    A mapping of keys, each written whole (network.width), to lists of values; "
            "every combination is\n    one member of the run, and the last key varies fastest. "
            "Under sweep.zip stand keys that move\n    together, with equally long lists.\n");
}

void ww_config_print_models(FILE *stream)
{
    for (size_t model = 0; model < WW_MODEL_COUNT; model++) {
        const ww_preset *preset = ww_preset_of((ww_model)model);
        fprintf(stream, "%s\n    %s\n", ww_model_name((ww_model)model), preset->help);
        for (const ww_preset_value *value = preset->values; value->path != NULL; value++)
            fprintf(stream, "    %s: %s\n", value->path, value->value);
    }
}

// The word of a choice, from the table.
static const char *choice_name(const char *path, unsigned choice)
{
    const ww_key *key = ww_key_at(ww_key_find(path));
    unsigned count = 0;
    while (key->choices[count] != NULL)
        count++;
    WW_ASSERT(choice < count);
    return key->choices[choice];
}

const char *ww_precision_name(ww_precision precision)
{
    return choice_name("precision", (unsigned)precision);
}

const char *ww_engine_name(ww_engine_kind engine)
{
    return choice_name("training.engine", (unsigned)engine);
}

const char *ww_model_name(ww_model model)
{
    return choice_name("model", (unsigned)model);
}

const char *ww_source_name(ww_source source)
{
    return choice_name("data.source", (unsigned)source);
}
