#include "widthwise/field.h"

int64_t ww_field_size(const ww_field *field)
{
    int64_t size = 1;
    for (int axis = 0; axis < field->rank; axis++)
        size *= field->extent[axis];
    return size;
}
