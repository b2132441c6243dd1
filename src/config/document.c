#include "config/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 60, SENTENCE = 4096 };

void ww_shorten(const char *text, char *buffer, size_t size)
{
    size_t length = strlen(text), room = size - 4;
    if (room > SHOWN)
        room = SHOWN;
    const bool cut = length > room;
    if (cut) {
        length = room;
        while (length > 0 && ((unsigned char)text[length] & 0xC0u) == 0x80u) // within a character
            length--;
    }
    for (size_t i = 0; i < length; i++)
        buffer[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    memcpy(buffer + length, cut ? "..." : "", cut ? 4 : 1);
}

void ww_place_describe(const ww_place *place, char *buffer, size_t size)
{
    if (place->setting != NULL) {
        char setting[SHOWN + 4];
        ww_shorten(place->setting, setting, sizeof setting);
        (void)snprintf(buffer, size, "--set %s", setting);
    } else if (place->line > 0) {
        (void)snprintf(buffer, size, "%s, line %d", place->origin, (int)place->line);
    } else {
        (void)snprintf(buffer, size, "%s", place->origin);
    }
}

ww_status ww_refuse(ww_error *error, const ww_place *place, const char *format, ...)
{
    char where[SENTENCE], sentence[SENTENCE];
    ww_place_describe(place, where, sizeof where);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return ww_fail(error, WW_USAGE, "%s: %s", where, sentence);
}

// Line, from 1, of the byte at `offset`.
static size_t line_of_byte(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && text[i] != '\0'; i++)
        line += text[i] == '\n';
    return line;
}

static ww_status malformed(const yaml_parser_t *parser, const char *text, const ww_place *place,
                           ww_error *error)
{
    const char *problem = parser->problem == NULL ? "unknown problem" : parser->problem;
    if (parser->error == YAML_MEMORY_ERROR)
        return ww_fail(error, WW_FAILED, "out of memory while reading %s", place->origin);
    if (parser->error == YAML_READER_ERROR) {
        ww_place at = *place;
        at.line = (int32_t)line_of_byte(text, parser->problem_offset);
        return ww_refuse(error, &at, "this is no text in UTF-8 (%s); save it as plain text",
                         problem);
    }
    char where[SENTENCE], column[64] = "";
    const ww_place at = {place->origin, place->setting, (int32_t)(parser->problem_mark.line + 1)};
    ww_place_describe(&at, where, sizeof where);
    if (place->setting == NULL)
        (void)snprintf(column, sizeof column, ", column %zu", parser->problem_mark.column + 1);
    return ww_fail(error, WW_USAGE, "%s%s: malformed YAML (%s%s%s); correct it there or just above",
                   where, column, problem, parser->context == NULL ? "" : " ",
                   parser->context == NULL ? "" : parser->context);
}

ww_status ww_document_load(ww_document *document, const char *text, const ww_place *place,
                           yaml_node_t **root, ww_error *error)
{
    *root = NULL;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return ww_fail(error, WW_FAILED, "out of memory while reading %s", place->origin);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    ww_status status = WW_OK;
    if (!yaml_parser_load(&parser, &document->yaml)) {
        status = malformed(&parser, text, place, error);
    } else {
        document->loaded = true;
        *root = yaml_document_get_root_node(&document->yaml);
        yaml_document_t second;
        if (*root == NULL) {
            // The end of the text.
        } else if (!yaml_parser_load(&parser, &second)) {
            status = malformed(&parser, text, place, error);
        } else {
            const yaml_node_t *extra = yaml_document_get_root_node(&second);
            if (extra != NULL) {
                ww_place at = *place;
                at.line = (int32_t)(second.start_mark.line + 1);
                status = ww_refuse(error, &at,
                                   "a second YAML document begins here; keep one in each file");
            }
            yaml_document_delete(&second);
        }
    }
    yaml_parser_delete(&parser);
    return status;
}

void ww_document_free(ww_document *document)
{
    if (document->loaded)
        yaml_document_delete(&document->yaml);
    document->loaded = false;
}

int32_t ww_node_line(const yaml_node_t *node)
{
    return (int32_t)(node->start_mark.line + 1);
}

const char *ww_node_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

bool ww_node_is_plain(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool ww_node_is_empty(const yaml_node_t *node)
{
    const char *text = ww_node_text(node);
    return ww_node_is_plain(node) && text != NULL &&
           (strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
            strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0);
}

bool ww_node_is_tagged(const yaml_node_t *node)
{
    const char *usual = node->type == YAML_SCALAR_NODE     ? YAML_DEFAULT_SCALAR_TAG
                        : node->type == YAML_SEQUENCE_NODE ? YAML_DEFAULT_SEQUENCE_TAG
                                                           : YAML_DEFAULT_MAPPING_TAG;
    return node->tag != NULL && strcmp((const char *)node->tag, usual) != 0;
}

size_t ww_node_items(const yaml_node_t *node)
{
    WW_ASSERT(node->type == YAML_SEQUENCE_NODE);
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

yaml_node_t *ww_node_item(ww_document *document, const yaml_node_t *list, size_t index)
{
    WW_ASSERT(index < ww_node_items(list));
    return yaml_document_get_node(&document->yaml, list->data.sequence.items.start[index]);
}

size_t ww_node_pairs(const yaml_node_t *node)
{
    WW_ASSERT(node->type == YAML_MAPPING_NODE);
    return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
}

void ww_node_pair(ww_document *document, const yaml_node_t *mapping, size_t index,
                  yaml_node_t **key, yaml_node_t **value)
{
    WW_ASSERT(index < ww_node_pairs(mapping));
    const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[index];
    *key = yaml_document_get_node(&document->yaml, pair->key);
    *value = yaml_document_get_node(&document->yaml, pair->value);
}

void ww_node_describe(const yaml_node_t *node, char *buffer, size_t size)
{
    if (node->type == YAML_SEQUENCE_NODE || node->type == YAML_MAPPING_NODE) {
        (void)snprintf(buffer, size, node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
    } else if (ww_node_is_empty(node)) {
        (void)snprintf(buffer, size, "no value");
    } else {
        char text[SHOWN + 4];
        ww_shorten((const char *)node->data.scalar.value, text, sizeof text);
        (void)snprintf(buffer, size, ww_node_is_plain(node) ? "%s" : "the quoted text \"%s\"",
                       text);
    }
}
