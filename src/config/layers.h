/// What the user gave, collected by key: the document first, then settings on top, and the sweep.
#ifndef WIDTHWISE_CONFIG_LAYERS_H
#define WIDTHWISE_CONFIG_LAYERS_H

#include "config/document.h"
#include "config/keys.h"

#include <stddef.h>
#include <stdint.h>

/// One swept key with the list of its values. Keys of the same axis move together.
typedef struct ww_swept {
    size_t key, axis;
    ww_given list; ///< a list of at least one item
} ww_swept;

/// Axes are numbered in the order of the text; an axis may have lost its keys to settings.
typedef struct ww_sweep {
    size_t count, axis_count;
    ww_swept swept[WW_KEY_LIMIT];
} ww_sweep;

typedef struct ww_layers {
    ww_given given[WW_KEY_LIMIT]; ///< by position in the table of keys
    ww_sweep sweep;
} ww_layers;

/// Collects all values of the mapping `root`. `place` says what the document is. Checks names, that
/// no key comes twice, and that sections and values are where they belong.
ww_status ww_layers_read(ww_layers *layers, ww_document *document, yaml_node_t *root,
                         const ww_place *place, ww_error *error);

/// Collects the setting "key=value"; what the document had for the key is replaced, its sweep too.
ww_status ww_layers_set(ww_layers *layers, ww_document *document, const char *origin,
                        const char *setting, ww_error *error);

/// Collects the `sweep` mapping `node`; one that comes by a setting replaces the whole sweep.
ww_status ww_sweep_read(ww_sweep *sweep, ww_document *document, yaml_node_t *node,
                        const ww_place *place, ww_error *error);
/// Collects the list `node` as the values of `path` on a new axis; one that comes by a setting
/// replaces what the document had for `path`.
ww_status ww_sweep_add(ww_sweep *sweep, ww_document *document, const char *path, yaml_node_t *node,
                       const ww_place *place, ww_error *error);
/// Takes a key out of the sweep, if it is there.
void ww_sweep_remove(ww_sweep *sweep, size_t key);

/// Number of members: 1 without a sweep. WW_USAGE when there are too many.
ww_status ww_sweep_members(const ww_sweep *sweep, const char *origin, size_t *members,
                           ww_error *error);
/// Item of the list of `swept` that member `member` has. The last axis varies fastest.
size_t ww_sweep_item(const ww_sweep *sweep, const ww_swept *swept, size_t member);

/// WW_USAGE: there is no key `path`.
ww_status ww_unknown_key(const char *path, const ww_place *place, ww_error *error);
/// The text of the key of a pair, not longer than WW_PATH_LIMIT, or NULL with a sentence.
const char *ww_pair_name(const yaml_node_t *name, const ww_place *place, ww_error *error);
/// Checks that pair `index` of a mapping has no namesake before it.
ww_status ww_check_repeated(ww_document *document, const yaml_node_t *mapping, size_t index,
                            const char *prefix, const ww_place *place, ww_error *error);

#endif
