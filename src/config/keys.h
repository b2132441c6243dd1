/// The one table of keys: what may stand in a configuration, and everything that is known of it.
///
/// To add a key: a member of ww_config, one entry in keys.c. Reading, messages, `--set`, sweeps,
/// the resolved YAML and `list keys` follow from the entry; what one key requires of another is
/// said in check.c.
#ifndef WIDTHWISE_CONFIG_KEYS_H
#define WIDTHWISE_CONFIG_KEYS_H

#include "widthwise/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What a value is in YAML, and in brackets the type of its member of ww_config.
typedef enum ww_key_type {
    WW_KEY_INTEGER,      ///< an integer [int64_t]
    WW_KEY_SAMPLES,      ///< an integer, or the word "all" for WW_ALL_SAMPLES [int64_t]
    WW_KEY_REAL,         ///< a finite number [double]
    WW_KEY_BOOLEAN,      ///< true or false [bool]
    WW_KEY_NAME,         ///< a text that can be part of a file's name [char *]
    WW_KEY_TEXT,         ///< a text that is not empty [char *]
    WW_KEY_PATH,         ///< a file, made absolute [char *]
    WW_KEY_CHOICE,       ///< one of `choices`, stored as its position [an enumeration]
    WW_KEY_INTEGER_LIST, ///< [ww_integer_list]
    WW_KEY_REAL_LIST,    ///< [ww_real_list]
    WW_KEY_CHOICE_LIST,  ///< some of `choices`, stored as bits 1 << position [int]
    WW_KEY_TEXT_LIST,    ///< texts that are not empty, each once [ww_word_list]
    WW_KEY_WORD_LIST,    ///< names, each once [ww_word_list]
    WW_KEY_STOP_RULES    ///< a mapping of names to numbers [ww_stop_rules]
} ww_key_type;

/// Where the value comes from when nobody gives one.
typedef enum ww_key_default {
    WW_DEFAULT_VALUE,   ///< `value`, as YAML
    WW_DEFAULT_MODEL,   ///< the preset
    WW_DEFAULT_DERIVED, ///< other keys, as `value` tells the reader; done by ww_config_derive
    WW_DEFAULT_NONE     ///< it must be given where it is in use
} ww_key_default;

typedef struct ww_key {
    const char *path; ///< "data.mixture.dimension"
    ww_key_type type;
    size_t offset; ///< of its member in ww_config
    ww_key_default default_from;
    const char *value; ///< see ww_key_default
    const char *unit;  ///< NULL where it is a pure number or no number
    const char *help;  ///< one sentence
    bool restart;      ///< a restart may change it
    bool all; ///< of a list of words: the word "all" may be one of them, or stand in its place
    const char *const *choices; ///< ends with NULL
    int64_t least, most;        ///< range of an integer, both included
    double low, high;           ///< range of a number
    bool above, below;          ///< low, high are themselves out of range
    /// The key is in use only where the key `condition` (a choice) has one of the values whose bits
    /// are set in `states`, and is itself in use; elsewhere it has its default. `condition` stands
    /// before it in the table. NULL: always in use.
    const char *condition;
    unsigned states;
} ww_key;

/// Room for a value of every key; the table is never longer.
enum { WW_KEY_LIMIT = 160, WW_PATH_LIMIT = 120 };

size_t ww_key_count(void);
const ww_key *ww_key_at(size_t index);

/// Position of the key `path`, or ww_key_count() when there is none.
size_t ww_key_find(const char *path);
/// True for the name of a mapping of keys, such as "data.mixture".
bool ww_key_is_section(const char *path);
/// Puts the key or section that was probably meant by `path` in `suggestion`, for "did you mean";
/// false, and "", when none is near.
bool ww_key_suggest(const char *path, char *suggestion, size_t size);

/// The member of `config` that belongs to `key`.
void *ww_key_member(const ww_key *key, ww_config *config);
const void *ww_key_value(const ww_key *key, const ww_config *config);
/// True when `key` has any effect in `config`.
bool ww_key_in_use(const ww_key *key, const ww_config *config);

/// True when `label` ("network.width=500 seed=2") says that a sweep varies the key `path`.
bool ww_key_is_swept(const char *path, const char *label);

/// One value that a preset stands for.
typedef struct ww_preset_value {
    const char *path, *value;
} ww_preset_value;

/// A paper's defaults; the position is the ww_model.
typedef struct ww_preset {
    const char *help;
    const ww_preset_value *values; ///< ends with a NULL path
} ww_preset;

enum { WW_MODEL_COUNT = 4 };
const ww_preset *ww_preset_of(ww_model model);

#endif
