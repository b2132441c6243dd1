// Which predictions a run has.
#include "theory/families.h"

static const ww_theory_family *const families[] = {
    &ww_theory_li_liang,
    &ww_theory_coupling,
    &ww_theory_arora,
};

size_t ww_theory_fields(const ww_theory_plan *plan, ww_field fields[WW_THEORY_FIELDS])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        count += families[i]->fields(plan, fields + count);
    WW_ASSERT(count <= WW_THEORY_FIELDS);
    return count;
}

int64_t ww_theory_values(const ww_field *fields, size_t count)
{
    int64_t values = 0;
    for (size_t i = 0; i < count; i++)
        values += ww_field_size(&fields[i]);
    return values;
}

void ww_theory_compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        values = families[i]->compute(plan, inputs, values);
}
