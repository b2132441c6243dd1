// Which predictions a run has.
#include "theory/families.h"

#include <string.h>

static const ww_theory_family *const families[] = {
    &ww_theory_li_liang, &ww_theory_coupling, &ww_theory_arora,
    &ww_theory_brutzkus, &ww_theory_zou_gu,
};

// Number of the measured field of that name, or how many there are.
static size_t find_measured(const ww_theory_plan *plan, const char *name)
{
    size_t i = 0;
    while (i < plan->measured_count && strcmp(plan->measured[i].name, name) != 0)
        i++;
    return i;
}

bool ww_theory_measures(const ww_theory_plan *plan, const char *name)
{
    return find_measured(plan, name) < plan->measured_count;
}

bool ww_theory_uses(const ww_theory_plan *plan, size_t field)
{
    ww_field fields[WW_THEORY_FIELDS];
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (const char *const *name = families[i]->columns; name != NULL && *name != NULL; name++)
            if (strcmp(plan->measured[field].name, *name) == 0 &&
                families[i]->fields(plan, fields) > 0)
                return true;
    return false;
}

const double *ww_theory_column(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                               const char *name)
{
    const size_t field = find_measured(plan, name);
    return field < plan->measured_count ? inputs->columns[field] : NULL;
}

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
