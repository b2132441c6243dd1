// The lists of quantities and results.

#include "measure/plan.h"
#include "widthwise/gram_results.h"
#include "widthwise/measure.h"

// What the papers' short names in a source stand for.
static void print_papers(FILE *stream)
{
    fputs("\nLL: Li & Liang 2018; AR: Arora et al. 2019; BR: Brutzkus et al. 2018; ZG: Zou & Gu "
          "2019\n",
          stream);
}

void ww_measure_print_quantities(FILE *stream)
{
    const ww_quantity *all[WW_MOST_QUANTITIES];
    const size_t count = ww_all_quantities(all);
    for (size_t i = 0; i < count; i++) {
        const ww_field *field = &all[i]->field;
        fprintf(stream, "%s  [%s]  %s\n    %s\n    %s; ", field->name, field->units,
                all[i]->formula, field->description, field->source);
        if (ww_quantity_is_array(all[i]))
            fputs("an array, which `all` leaves out", stream);
        else
            fprintf(stream, "a stop rule fires %s the threshold",
                    all[i]->direction == WW_RISES ? "at or above" : "at or below");
        fputs(all[i]->needs_targets   ? "; with loss: squared or hinge"
              : all[i]->needs_hinge   ? "; with loss: hinge"
              : all[i]->is_of_margins ? "; of `all` with loss: hinge"
                                      : "",
              stream);
        if (all[i]->of_one_layer)
            fputs("; with network.depth: 1", stream);
        if (all[i]->needs_layers)
            fputs("; with training.engine: layers", stream);
        if (all[i]->needs_descent)
            fputs(", training.method: gd and network.train_output: false", stream);
        fputs("\n", stream);
    }
    print_papers(stream);
}

void ww_measure_print_results(FILE *stream)
{
    for (size_t i = 0; i < ww_result_count; i++) {
        fprintf(stream, "%s: %s%s\n", ww_results[i].name, ww_results[i].description,
                ww_results[i].of_one_layer ? "; with network.depth: 1"
                : ww_results[i].of_layers  ? "; of `all` with training.engine: layers"
                                           : "");
        for (size_t j = 0; j < ww_results[i].field_count; j++) {
            const ww_field *field = &ww_results[i].fields[j];
            fprintf(stream, "    %s%s  [%s]  %s (%s)\n", field->name,
                    field->rank == 1 ? " [min(m, d)]" : "", field->units, field->description,
                    field->source);
        }
    }
    fprintf(
        stream,
        "gram: the Gram matrix of the train set, in a group of its own (also `widthwise gram`), "
        "predictions that follow from it, and H(t) at snapshots\n");
    ww_gram_print_fields(stream);
    print_papers(stream);
}
