// Values from YAML nodes.
#include "config/value.h"

#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PHRASE = 1024, LONGEST_NAME = 100 };

// What is read: a key, where its value was given, and what to make of it.
typedef struct value_reader {
    const ww_key *key;
    const ww_given *given;
    const char *folder;
    ww_error *error;
} value_reader;

// The place of `node`, which stands at or within the given value.
static ww_place place_of(const value_reader *reader, const yaml_node_t *node)
{
    ww_place place = reader->given->place;
    if (place.setting == NULL && place.line > 0 && node != reader->given->node)
        place.line = ww_node_line(node);
    return place;
}

// "PLACE: KEY must be WHAT, but FOUND was found; HINT". `item` counts from 1, 0 for a whole value.
static ww_status refuse_value(const value_reader *reader, const yaml_node_t *node, size_t item,
                              const char *found, const char *hint)
{
    char wanted[PHRASE], described[PHRASE], entry[64] = "";
    ww_value_describe(reader->key, wanted, sizeof wanted);
    ww_node_describe(node, described, sizeof described);
    if (item > 0)
        (void)snprintf(entry, sizeof entry, "entry %zu is ", item);
    const ww_place place = place_of(reader, node);
    return ww_refuse(reader->error, &place, "%s must be %s, but %s%s%s%s%s", reader->key->path,
                     wanted, entry, found == NULL ? described : found, item > 0 ? "" : " was found",
                     hint[0] == '\0' ? "" : "; ", hint);
}

static ww_status refuse_node(const value_reader *reader, const yaml_node_t *node, size_t item)
{
    const bool number =
        reader->key->type == WW_KEY_INTEGER || reader->key->type == WW_KEY_SAMPLES ||
        reader->key->type == WW_KEY_REAL || reader->key->type == WW_KEY_BOOLEAN ||
        reader->key->type == WW_KEY_INTEGER_LIST || reader->key->type == WW_KEY_REAL_LIST;
    if (ww_node_is_tagged(node))
        return refuse_value(reader, node, item, "a tag", "write the value without it");
    if (number && node->type == YAML_SCALAR_NODE && !ww_node_is_plain(node))
        return refuse_value(reader, node, item, NULL, "write it without quotes");
    if (ww_node_is_empty(node) && item == 0)
        return refuse_value(reader, node, item, NULL, "give one or leave the key out");
    return refuse_value(reader, node, item, NULL, "");
}

// The text of a scalar that has a value, or NULL.
static const char *text_of(const yaml_node_t *node)
{
    return ww_node_is_empty(node) || ww_node_is_tagged(node) ? NULL : ww_node_text(node);
}

// The text of a number or truth value: those stand without quotes.
static const char *plain_text_of(const yaml_node_t *node)
{
    return ww_node_is_plain(node) ? text_of(node) : NULL;
}

static ww_status read_integer(const value_reader *reader, const yaml_node_t *node, size_t item,
                              int64_t *value)
{
    const char *text = plain_text_of(node);
    bool in_range = true;
    if (text == NULL || !ww_scan_integer(text, value, &in_range) || !in_range ||
        *value < reader->key->least || *value > reader->key->most)
        return refuse_node(reader, node, item);
    return WW_OK;
}

static ww_status read_real(const value_reader *reader, const yaml_node_t *node, size_t item,
                           double *value)
{
    const ww_key *key = reader->key;
    const char *text = plain_text_of(node);
    bool in_range = true;
    if (text == NULL || !ww_scan_real(text, value, &in_range) || !in_range || *value < key->low ||
        *value > key->high || (key->above && *value <= key->low) ||
        (key->below && *value >= key->high))
        return refuse_node(reader, node, item);
    return WW_OK;
}

static ww_status read_boolean(const value_reader *reader, const yaml_node_t *node, bool *value)
{
    const char *text = plain_text_of(node);
    if (text == NULL || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        return refuse_node(reader, node, 0);
    *value = strcmp(text, "true") == 0;
    return WW_OK;
}

static ww_status read_choice(const value_reader *reader, const yaml_node_t *node, size_t item,
                             int *value)
{
    const char *const *choices = reader->key->choices;
    const char *text = text_of(node);
    if (text == NULL)
        return refuse_node(reader, node, item);
    size_t count = 0;
    for (; choices[count] != NULL; count++) {
        if (strcmp(choices[count], text) == 0) {
            *value = (int)count;
            return WW_OK;
        }
    }
    const char *near = ww_nearest(text, choices, count);
    char hint[PHRASE] = "";
    if (near != NULL)
        (void)snprintf(hint, sizeof hint, "did you mean %s?", near);
    return refuse_value(reader, node, item, NULL, hint);
}

// Letters, digits, _ and -, and where `dots` is set also dots, though not as the first letter.
static bool is_word(const char *text, bool dots)
{
    if (text[0] == '\0' || text[0] == '.' || text[0] == '-')
        return false;
    for (; *text != '\0'; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || *text == '_' || *text == '-' ||
              (dots && *text == '.')))
            return false;
    return true;
}

static bool is_utf8(const char *text)
{
    while (*text != '\0')
        if (ww_next_character(&text) < 0)
            return false;
    return true;
}

// `path` seen from `folder`, without "." components and doubled slashes. Links are not followed:
// the result is a function of the text alone, on every rank.
static char *absolute_path(const char *folder, const char *path, ww_error *error)
{
    char *whole =
        path[0] == '/' ? ww_copy_text(path, error) : ww_format(error, "%s/%s", folder, path);
    if (whole == NULL)
        return NULL;
    char *end = whole;
    for (const char *from = whole; *from != '\0';) {
        const size_t length = strcspn(from, "/");
        if (length > 0 && !(length == 1 && from[0] == '.')) {
            const char *component = from; // the result is never ahead of what is read
            *end++ = '/';
            memmove(end, component, length);
            end += length;
        }
        from += length;
        from += *from == '/';
    }
    if (end == whole) // the root folder
        *end++ = '/';
    *end = '\0';
    return whole;
}

static ww_status read_text(const value_reader *reader, const yaml_node_t *node, size_t item,
                           char **value)
{
    const ww_key *key = reader->key;
    const char *text = text_of(node);
    if (text == NULL || text[0] == '\0' ||
        (key->type == WW_KEY_NAME && (!is_word(text, true) || strlen(text) > LONGEST_NAME)))
        return refuse_node(reader, node, item);
    if (key->type == WW_KEY_PATH && text[0] != '/' && !is_utf8(reader->folder))
        return ww_refuse(reader->error, &reader->given->place,
                         "%s is taken from a folder whose name is not UTF-8; rename the folder",
                         key->path);
    *value = key->type == WW_KEY_PATH ? absolute_path(reader->folder, text, reader->error)
                                      : ww_copy_text(text, reader->error);
    return *value == NULL ? WW_FAILED : WW_OK;
}

// Checks that a list was given, and counts its items.
static ww_status read_list(const value_reader *reader, size_t *count)
{
    const yaml_node_t *list = reader->given->node;
    if (list->type != YAML_SEQUENCE_NODE || ww_node_is_tagged(list))
        return refuse_node(reader, list, 0);
    *count = ww_node_items(list);
    return WW_OK;
}

static const yaml_node_t *item_of(const value_reader *reader, size_t index)
{
    return ww_node_item(reader->given->document, reader->given->node, index);
}

static ww_status read_integers(const value_reader *reader, ww_integer_list *list)
{
    size_t count = 0;
    WW_TRY(read_list(reader, &count));
    list->values = ww_allocate(count, sizeof *list->values, reader->key->path, reader->error);
    if (list->values == NULL)
        return WW_FAILED;
    list->count = count;
    for (size_t i = 0; i < count; i++)
        WW_TRY(read_integer(reader, item_of(reader, i), i + 1, &list->values[i]));
    return WW_OK;
}

static ww_status read_reals(const value_reader *reader, ww_real_list *list)
{
    size_t count = 0;
    WW_TRY(read_list(reader, &count));
    list->values = ww_allocate(count, sizeof *list->values, reader->key->path, reader->error);
    if (list->values == NULL)
        return WW_FAILED;
    list->count = count;
    for (size_t i = 0; i < count; i++)
        WW_TRY(read_real(reader, item_of(reader, i), i + 1, &list->values[i]));
    return WW_OK;
}

static ww_status read_choices(const value_reader *reader, int *bits)
{
    size_t count = 0;
    WW_TRY(read_list(reader, &count));
    for (size_t i = 0; i < count; i++) {
        int choice = 0;
        WW_TRY(read_choice(reader, item_of(reader, i), i + 1, &choice));
        if ((*bits >> choice & 1) != 0)
            return refuse_value(reader, item_of(reader, i), i + 1, NULL, "name it once");
        *bits |= 1 << choice;
    }
    return WW_OK;
}

static ww_status read_words(const value_reader *reader, ww_word_list *list)
{
    const yaml_node_t *node = reader->given->node;
    const char *single = text_of(node);
    const bool all = reader->key->all && single != NULL && strcmp(single, "all") == 0;
    size_t count = 1;
    if (!all)
        WW_TRY(read_list(reader, &count));
    list->words = ww_allocate(count, sizeof *list->words, reader->key->path, reader->error);
    if (list->words == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = all ? node : item_of(reader, i);
        const char *word = text_of(item);
        if (word == NULL || !is_word(word, false))
            return refuse_node(reader, item, i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->words[j], word) == 0)
                return refuse_value(reader, item, i + 1, NULL, "name it once");
        list->words[i] = ww_copy_text(word, reader->error);
        if (list->words[i] == NULL)
            return WW_FAILED;
        list->count = i + 1;
    }
    return WW_OK;
}

static ww_status read_texts(const value_reader *reader, ww_word_list *list)
{
    size_t count = 0;
    WW_TRY(read_list(reader, &count));
    list->words = ww_allocate(count, sizeof *list->words, reader->key->path, reader->error);
    if (list->words == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++) {
        WW_TRY(read_text(reader, item_of(reader, i), i + 1, &list->words[i]));
        list->count = i + 1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->words[j], list->words[i]) == 0)
                return refuse_value(reader, item_of(reader, i), i + 1, NULL, "name it once");
    }
    return WW_OK;
}

static ww_status read_stop_rules(const value_reader *reader, ww_stop_rules *stop)
{
    const yaml_node_t *node = reader->given->node;
    if (node->type != YAML_MAPPING_NODE || ww_node_is_tagged(node))
        return refuse_node(reader, node, 0);
    const size_t count = ww_node_pairs(node);
    stop->rules = ww_allocate(count, sizeof *stop->rules, reader->key->path, reader->error);
    if (stop->rules == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *name = NULL, *threshold = NULL;
        ww_node_pair(reader->given->document, node, i, &name, &threshold);
        const char *quantity = text_of(name);
        if (quantity == NULL || !is_word(quantity, false))
            return refuse_value(reader, name, i + 1, NULL, "write a space after every colon");
        for (size_t j = 0; j < i; j++)
            if (strcmp(stop->rules[j].quantity, quantity) == 0)
                return refuse_value(reader, name, i + 1, NULL, "name it once");
        WW_TRY(read_real(reader, threshold, i + 1, &stop->rules[i].threshold));
        stop->rules[i].quantity = ww_copy_text(quantity, reader->error);
        if (stop->rules[i].quantity == NULL)
            return WW_FAILED;
        stop->count = i + 1;
    }
    return WW_OK;
}

ww_status ww_value_read(const ww_key *key, const ww_given *given, const char *folder,
                        ww_config *config, ww_error *error)
{
    const value_reader reader = {key, given, folder, error};
    void *member = ww_key_member(key, config);
    const yaml_node_t *node = given->node;
    switch (key->type) {
    case WW_KEY_SAMPLES: {
        const char *text = text_of(node);
        if (text != NULL && strcmp(text, "all") == 0) {
            *(int64_t *)member = WW_ALL_SAMPLES;
            return WW_OK;
        }
        return read_integer(&reader, node, 0, member);
    }
    case WW_KEY_INTEGER:
        return read_integer(&reader, node, 0, member);
    case WW_KEY_REAL:
        return read_real(&reader, node, 0, member);
    case WW_KEY_BOOLEAN:
        return read_boolean(&reader, node, member);
    case WW_KEY_NAME:
    case WW_KEY_TEXT:
    case WW_KEY_PATH:
        return read_text(&reader, node, 0, member);
    case WW_KEY_CHOICE:
        return read_choice(&reader, node, 0, member);
    case WW_KEY_INTEGER_LIST:
        return read_integers(&reader, member);
    case WW_KEY_REAL_LIST:
        return read_reals(&reader, member);
    case WW_KEY_CHOICE_LIST:
        return read_choices(&reader, member);
    case WW_KEY_TEXT_LIST:
        return read_texts(&reader, member);
    case WW_KEY_WORD_LIST:
        return read_words(&reader, member);
    case WW_KEY_STOP_RULES:
        return read_stop_rules(&reader, member);
    }
    WW_ASSERT(false);
    return WW_FAILED;
}

void ww_value_free(const ww_key *key, ww_config *config)
{
    void *member = ww_key_member(key, config);
    switch (key->type) {
    case WW_KEY_NAME:
    case WW_KEY_TEXT:
    case WW_KEY_PATH:
        free(*(char **)member);
        *(char **)member = NULL;
        break;
    case WW_KEY_INTEGER_LIST:
        free(((ww_integer_list *)member)->values);
        *(ww_integer_list *)member = (ww_integer_list){0};
        break;
    case WW_KEY_REAL_LIST:
        free(((ww_real_list *)member)->values);
        *(ww_real_list *)member = (ww_real_list){0};
        break;
    case WW_KEY_TEXT_LIST:
    case WW_KEY_WORD_LIST: {
        ww_word_list *list = member;
        for (size_t i = 0; i < list->count; i++)
            free(list->words[i]);
        free(list->words);
        *list = (ww_word_list){0};
        break;
    }
    case WW_KEY_STOP_RULES: {
        ww_stop_rules *stop = member;
        for (size_t i = 0; i < stop->count; i++)
            free(stop->rules[i].quantity);
        free(stop->rules);
        *stop = (ww_stop_rules){0};
        break;
    }
    default: // nothing of its own
        break;
    }
}
