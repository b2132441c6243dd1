/// Hidden weights of all layers as a file keeps them: a dataset a layer, in the same group. That of
/// the first layer [m, d] has a plain name, as it always had; those of layers 2 .. L [m, m] have
/// the number of the layer behind it: hidden_weights, hidden_weights_2, hidden_weights_3 ...
#ifndef WIDTHWISE_STORE_LAYERS_H
#define WIDTHWISE_STORE_LAYERS_H

#include "store/member.h"
#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

/// Path of the dataset of layer `layer`, 1 .. L, whose first one is called `name`, in `group`. Free
/// it; NULL is a failed allocation.
char *ww_layer_path(const char *group, const char *name, int64_t layer, ww_error *error);

/// Whether `found` is the name of the dataset of some layer whose first one is called `name`.
bool ww_is_layer_name(const char *found, const char *name);

/// Opens the datasets of all layers, as many as the group has: doubles, [m, columns] where
/// `row_axis` is 0, [planes, m, columns] where it is 1, with [m, m] from the second layer on.
/// WW_FAILED: the first is not there, there is a gap, or one has another type or shape. Not
/// collective. Close the list with ww_array_list_close, also after a failure.
ww_status ww_layers_open(hid_t file, const char *file_name, const char *group, const char *name,
                         int row_axis, ww_array_list *layers, ww_error *error);

/// WW_FAILED where `layers` are not of the same network as `reference`: another number of them,
/// other units or columns.
ww_status ww_layers_match(const char *file_name, const ww_array_list *layers,
                          const ww_array_list *reference, ww_error *error);

#endif
