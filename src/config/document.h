/// YAML documents, and where in them a value was given.
#ifndef WIDTHWISE_CONFIG_DOCUMENT_H
#define WIDTHWISE_CONFIG_DOCUMENT_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

/// One parsed YAML document. Starts as zeroes; ww_document_free may be called on that too.
typedef struct ww_document {
    yaml_document_t yaml;
    bool loaded;
} ww_document;

/// The place a message points at: a line of the configuration, or a whole setting.
typedef struct ww_place {
    const char *origin;  ///< name of the configuration
    const char *setting; ///< "network.width=100", or NULL where it is the configuration
    int32_t line;        ///< from 1; 0: no line
} ww_place;

/// A value that somebody gave. `node` is NULL where nobody did.
typedef struct ww_given {
    ww_document *document;
    yaml_node_t *node;
    ww_place place;
} ww_given;

/// Parses `text`. `*root` is NULL for a text without a value. `place` says what the text is; its
/// `line` is not used. WW_USAGE for malformed YAML, with line and column, and for several
/// documents.
ww_status ww_document_load(ww_document *document, const char *text, const ww_place *place,
                           yaml_node_t **root, ww_error *error);
void ww_document_free(ww_document *document);

/// Line of a node, from 1.
int32_t ww_node_line(const yaml_node_t *node);
/// The text of a scalar, or NULL: not a scalar, or it has a NUL character inside.
const char *ww_node_text(const yaml_node_t *node);
/// True for a scalar that stands without quotes.
bool ww_node_is_plain(const yaml_node_t *node);
/// True for a value that was left out: nothing, ~ or null.
bool ww_node_is_empty(const yaml_node_t *node);
/// True for a node with a tag such as !!int, which no key wants.
bool ww_node_is_tagged(const yaml_node_t *node);
/// Items of a list: their number, and one of them.
size_t ww_node_items(const yaml_node_t *node);
yaml_node_t *ww_node_item(ww_document *document, const yaml_node_t *list, size_t index);
/// Pairs of a mapping likewise.
size_t ww_node_pairs(const yaml_node_t *node);
void ww_node_pair(ww_document *document, const yaml_node_t *mapping, size_t index,
                  yaml_node_t **key, yaml_node_t **value);

/// What `node` is, for messages: `a list`, `the quoted text "5"`, or the text itself, shortened.
void ww_node_describe(const yaml_node_t *node, char *buffer, size_t size);
/// `text` without control characters, cut to what a message can show.
void ww_shorten(const char *text, char *buffer, size_t size);

/// WW_USAGE with the sentence "PLACE: ...".
ww_status ww_refuse(ww_error *error, const ww_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/// The place in words: "figure1.yaml, line 12" or "--set network.width=100".
void ww_place_describe(const ww_place *place, char *buffer, size_t size);

#endif
