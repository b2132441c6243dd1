// The kernels of panels_real.h in one version. Read once for each, with VERSION, TARGET,
// VECTOR_BYTES, ROWS and PANELS defined; it undefines them. Hence no guard against being read
// twice.

#define OF(name) JOINED(name, VERSION)
#define VECTOR OF(vector)

// Numbers of a vector, and vectors in WW_LANES_BYTES.
#define NUMBERS ((int64_t)(VECTOR_BYTES / sizeof(WW_REAL)))
#define PARTS (WW_LANES_BYTES / VECTOR_BYTES)

// May stand anywhere.
typedef WW_REAL VECTOR __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(WW_REAL))));

// Vectors are handed on by address: how they go by value depends on the instruction set.
INLINED void OF(load)(const WW_REAL *from, VECTOR *to)
{
    *to = *(const VECTOR *)(const void *)from;
}

INLINED void OF(store)(const VECTOR *from, WW_REAL *to)
{
    *(VECTOR *)(void *)to = *from;
}

INLINED void OF(spread)(WW_REAL number, VECTOR *to)
{
    for (int i = 0; i < (int)NUMBERS; i++)
        (*to)[i] = number;
}

INLINED void OF(multiply_add)(const VECTOR *factor, const VECTOR *vector, VECTOR *sum)
{
    VECTOR result = {0};
    for (int i = 0; i < (int)NUMBERS; i++)
        result[i] = WW_FMA((*factor)[i], (*vector)[i], (*sum)[i]);
    *sum = result;
}

// Stores sums of `panels` panels, of which there are `samples` to come.
INLINED void OF(store_some)(const VECTOR *sums, int panels, WW_REAL *to, int64_t samples)
{
    if (samples >= panels * (int64_t)LANES) {
        UNROLLED
        for (int v = 0; v < panels * PARTS; v++)
            OF(store)(&sums[v], to + v * NUMBERS);
        return;
    }
    WW_REAL whole[PANELS * LANES] = {0};
    UNROLLED
    for (int v = 0; v < panels * PARTS; v++)
        OF(store)(&sums[v], whole + v * NUMBERS);
    memcpy(to, whole, (size_t)samples * sizeof *whole);
}

// Loads what there is to begin sums with, likewise.
INLINED void OF(load_some)(const WW_REAL *from, int panels, VECTOR *sums, int64_t samples)
{
    if (samples >= panels * (int64_t)LANES) {
        UNROLLED
        for (int v = 0; v < panels * PARTS; v++)
            OF(load)(from + v * NUMBERS, &sums[v]);
        return;
    }
    WW_REAL whole[PANELS * LANES] = {0};
    memcpy(whole, from, (size_t)samples * sizeof *whole);
    UNROLLED
    for (int v = 0; v < panels * PARTS; v++)
        OF(load)(whole + v * NUMBERS, &sums[v]);
}

// Products of `count` rows with the samples of `panels` panels, constants where it is called, of
// which there are `samples` to come. With `adds` they are added to what there is.
INLINED void OF(products_of)(const product_task *task, bool adds, const WW_REAL *rows, int count,
                             const WW_REAL *panel, int panels, WW_REAL *products, int64_t samples)
{
    VECTOR sums[ROWS][PANELS * PARTS];
    UNROLLED
    for (int row = 0; row < count; row++) {
        if (adds)
            OF(load_some)(products + row * task->product_stride, panels, sums[row], samples);
        else
            UNROLLED
        for (int v = 0; v < panels * PARTS; v++)
            sums[row][v] = (VECTOR){0};
    }
    for (int64_t j = 0; j < task->columns; j++) {
        VECTOR inputs[PANELS * PARTS];
        UNROLLED
        for (int v = 0; v < panels * PARTS; v++)
            OF(load)
        (panel + (v / PARTS * task->columns + j) * LANES + v % PARTS * NUMBERS, &inputs[v]);
        UNROLLED
        for (int row = 0; row < count; row++) {
            VECTOR weight = {0};
            OF(spread)(rows[row * task->row_stride + j], &weight);
            UNROLLED
            for (int v = 0; v < panels * PARTS; v++)
                OF(multiply_add)(&weight, &inputs[v], &sums[row][v]);
        }
    }
    UNROLLED
    for (int row = 0; row < count; row++)
        OF(store_some)(sums[row], panels, products + row * task->product_stride, samples);
}

// The same of some panels one after the other.
INLINED void OF(products_with)(const product_task *task, bool adds, const WW_REAL *rows, int count,
                               const WW_REAL *panel, WW_REAL *products, int64_t samples)
{
    const int64_t at_once = PANELS * (int64_t)LANES;
    int64_t done = 0;
    for (; done + at_once - LANES < samples; done += at_once)
        OF(products_of)
    (task, adds, rows, count, panel + done * task->columns, PANELS, products + done,
     samples - done);
    for (; PANELS > 1 && done < samples; done += LANES)
        OF(products_of)
    (task, adds, rows, count, panel + done * task->columns, 1, products + done, samples - done);
}

INLINED void OF(multiply)(const product_task *task, bool adds, const WW_REAL *rows, int64_t units,
                          const WW_REAL *panels, int64_t samples, WW_REAL *products)
{
    for (int64_t start = 0; start < samples; start += PANEL_SAMPLES) {
        const WW_REAL *panel = panels + start * task->columns;
        WW_REAL *result = products + start;
        const int64_t count = samples - start < PANEL_SAMPLES ? samples - start : PANEL_SAMPLES;
        int64_t row = 0;
        for (; row + ROWS <= units; row += ROWS)
            OF(products_with)
        (task, adds, rows + row * task->row_stride, ROWS, panel,
         result + row * task->product_stride, count);
        for (; row < units; row++)
            OF(products_with)
        (task, adds, rows + row * task->row_stride, 1, panel, result + row * task->product_stride,
         count);
    }
}

TARGET static void OF(products)(const void *rows, int64_t units, int64_t dimension,
                                const void *panels, int64_t samples, void *products)
{
    const product_task task = {
        .columns = dimension, .row_stride = dimension, .product_stride = samples};
    OF(multiply)(&task, false, rows, units, panels, samples, products);
}

TARGET static void OF(add_products)(const void *rows, int64_t row_stride, int64_t units,
                                    int64_t dimension, const void *panels, int64_t samples,
                                    void *products, int64_t product_stride)
{
    const product_task task = {
        .columns = dimension, .row_stride = row_stride, .product_stride = product_stride};
    OF(multiply)(&task, true, rows, units, panels, samples, products);
}

// Terms of one row in `width` lanes of columns, those of each sample `stride` apart.
INLINED void OF(add_lanes)(int width, WW_REAL *row, const WW_REAL *factors, const uint8_t *samples,
                           int64_t count, const WW_REAL *strip, int64_t stride)
{
    VECTOR sums[STRIP_LANES * PARTS];
    UNROLLED
    for (int v = 0; v < width * PARTS; v++)
        OF(load)(row + v * NUMBERS, &sums[v]);
    for (int64_t term = 0; term < count; term++) {
        const WW_REAL *sample = strip + samples[term] * stride;
        VECTOR factor = {0};
        OF(spread)(factors[term], &factor);
        UNROLLED
        for (int v = 0; v < width * PARTS; v++) {
            VECTOR columns;
            OF(load)(sample + v * NUMBERS, &columns);
            OF(multiply_add)(&factor, &columns, &sums[v]);
        }
    }
    UNROLLED
    for (int v = 0; v < width * PARTS; v++)
        OF(store)(&sums[v], row + v * NUMBERS);
}

// The same in the last columns, fewer than LANES of them.
INLINED void OF(add_last)(WW_REAL *row, int64_t columns, const WW_REAL *factors,
                          const uint8_t *samples, int64_t count, const WW_REAL *strip,
                          int64_t stride)
{
    WW_REAL whole[LANES] = {0};
    memcpy(whole, row, (size_t)columns * sizeof *row);
    OF(add_lanes)(1, whole, factors, samples, count, strip, stride);
    memcpy(row, whole, (size_t)columns * sizeof *row);
}

// Terms of one row in the columns of one strip: `left` of them, `width` with those that are not
// there.
INLINED void OF(add_strip)(WW_REAL *row, int64_t left, int64_t width, const WW_REAL *factors,
                           const uint8_t *samples, int64_t count, const WW_REAL *strip)
{
    if (left >= STRIP) {
        OF(add_lanes)(STRIP_LANES, row, factors, samples, count, strip, STRIP);
        return;
    }
    int64_t j = 0;
    for (; j + LANES <= left; j += LANES)
        OF(add_lanes)(1, row + j, factors, samples, count, strip + j, width);
    if (j < left)
        OF(add_last)(row + j, left - j, factors, samples, count, strip + j, width);
}

// Tells that a strip of a row will be asked for soon, at an address that may lie behind the rows.
INLINED void OF(foresee)(uintptr_t address)
{
    UNROLLED
    for (int q = 0; q < STRIP_LANES; q++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a pointer must not go there
        __builtin_prefetch((const void *)(address + (uintptr_t)q * WW_LANES_BYTES), 1, 2);
    }
}

// Terms of `count` rows, by a block of samples. With `foresees` as many rows after them are told to
// come soon, whether they are there or not: a row's part of a strip is a few lines, and a row away
// from the next one's, too far for the processor to foresee.
INLINED void OF(add_terms)(WW_REAL *rows, int64_t count, int64_t dimension, const terms *found,
                           const WW_REAL *strips, int64_t samples, bool foresees)
{
    const int64_t columns = padded(dimension);
    const uintptr_t next = (uintptr_t)rows + (uintptr_t)(count * dimension) * sizeof *rows;
    for (int64_t start = 0; start < columns; start += STRIP) {
        const int64_t width = columns - start < STRIP ? columns - start : STRIP;
        for (int64_t row = 0; row < count; row++) {
            const int64_t place = row * dimension + start;
            if (foresees)
                OF(foresee)(next + (uintptr_t)place * sizeof *rows);
            OF(add_strip)
            (rows + place, dimension - start, width, found->factors[row], found->samples[row],
             found->counts[row], strips + start * samples);
        }
    }
}

TARGET static void OF(accumulate)(double scale, const void *factors, int64_t factor_stride,
                                  const void *strips, int64_t samples, int64_t units,
                                  int64_t dimension, void *rows)
{
    const WW_REAL *all = factors;
    const WW_REAL *strip = strips;
    WW_REAL *weights = rows;
    terms found;
    for (int64_t first = 0; first < samples; first += STRIP_SAMPLES) {
        const int64_t count = samples - first < STRIP_SAMPLES ? samples - first : STRIP_SAMPLES;
        for (int64_t unit = 0; unit < units; unit += TERM_ROWS) {
            const int64_t some = units - unit < TERM_ROWS ? units - unit : TERM_ROWS;
            WW_REAL *block = weights + unit * dimension;
            find_terms((WW_REAL)scale, all + unit * factor_stride + first, factor_stride, some,
                       count, &found);
            OF(add_terms)
            (block, some, dimension, &found, strip, count, first == 0);
        }
        strip += count * padded(dimension);
    }
}

INLINED void OF(add)(const VECTOR *term, VECTOR *sum)
{
    *sum = *sum + *term;
}

// sum [TABLE] = left + right.
INLINED void OF(add_strips)(const WW_REAL *left, const WW_REAL *right, WW_REAL *sum)
{
    UNROLLED
    for (int v = 0; v < TABLE_LANES * PARTS; v++) {
        VECTOR total, term;
        OF(load)(left + v * NUMBERS, &total);
        OF(load)(right + v * NUMBERS, &term);
        OF(add)(&term, &total);
        OF(store)(&total, sum + v * NUMBERS);
    }
}

// Entries of one more input: those that there are, with it added.
INLINED void OF(double_entries)(const WW_REAL *input, int64_t entries, WW_REAL *table)
{
    for (int64_t entry = 0; entry < entries; entry++)
        OF(add_strips)(table + entry * TABLE, input, table + (entries + entry) * TABLE);
}

// Tables of `samples` inputs, `stride` apart, in `width` columns: entry e of a group is the sum of
// the inputs whose bits are set in e, in their order.
INLINED void OF(fill_tables)(const WW_REAL *inputs, int64_t stride, int64_t width, int64_t samples,
                             WW_REAL *tables)
{
    for (int64_t first = 0; first < samples; first += GROUP, tables += (int64_t)ENTRIES * TABLE) {
        const int64_t count = samples - first < GROUP ? samples - first : GROUP;
        for (int64_t j = 0; j < TABLE; j++)
            tables[j] = 0;
        for (int64_t bit = 0; bit < count; bit++) {
            const WW_REAL *input = inputs + (first + bit) * stride;
            if (width >= TABLE) {
                OF(double_entries)(input, (int64_t)1 << bit, tables);
            } else {
                WW_REAL whole[TABLE] = {0};
                memcpy(whole, input, (size_t)width * sizeof *whole);
                OF(double_entries)(whole, (int64_t)1 << bit, tables);
            }
        }
    }
}

// Adds to sums [TABLE] one entry of each group, by the bits of `word`.
INLINED void OF(look_up)(const WW_REAL *tables, uint32_t word, int64_t groups, WW_REAL *sums)
{
    VECTOR total[TABLE_LANES * PARTS];
    UNROLLED
    for (int v = 0; v < TABLE_LANES * PARTS; v++)
        OF(load)(sums + v * NUMBERS, &total[v]);
    UNROLLED
    for (int64_t group = 0; group < groups; group++) {
        const WW_REAL *entry =
            tables + (group * ENTRIES + (int64_t)(word >> (group * GROUP)) % ENTRIES) * TABLE;
        UNROLLED
        for (int v = 0; v < TABLE_LANES * PARTS; v++) {
            VECTOR term;
            OF(load)(entry + v * NUMBERS, &term);
            OF(add)(&term, &total[v]);
        }
    }
    UNROLLED
    for (int v = 0; v < TABLE_LANES * PARTS; v++)
        OF(store)(&total[v], sums + v * NUMBERS);
}

// row += scale * sums in `width` columns.
INLINED void OF(add_scaled)(WW_REAL scale, const WW_REAL *sums, int64_t width, WW_REAL *row)
{
    VECTOR factor = {0};
    OF(spread)(scale, &factor);
    int64_t j = 0;
    for (; j + NUMBERS <= width; j += NUMBERS) {
        VECTOR total, term;
        OF(load)(row + j, &total);
        OF(load)(sums + j, &term);
        OF(multiply_add)(&factor, &term, &total);
        OF(store)(&total, row + j);
    }
    for (; j < width; j++)
        row[j] = WW_FMA(scale, sums[j], row[j]);
}

// Adds to the sums what `samples` inputs, at most TABLE_SAMPLES, come to in `width` columns; they
// lie `stride` apart.
INLINED void OF(add_tables)(const uint32_t *words, const WW_REAL *inputs, int64_t stride,
                            int64_t width, int64_t samples, int64_t units, pattern_room *room)
{
    OF(fill_tables)(inputs, stride, width, samples, room->tables);
    if (samples == TABLE_SAMPLES) {
        for (int64_t unit = 0; unit < units; unit++)
            OF(look_up)(room->tables, words[unit], GROUPS, room->sums + unit * TABLE);
        return;
    }
    const int64_t groups = (samples + GROUP - 1) / GROUP;
    for (int64_t unit = 0; unit < units; unit++)
        OF(look_up)(room->tables, words[unit], groups, room->sums + unit * TABLE);
}

// Some units, at most PATTERN_UNITS, and samples `from` .. from + count - 1, at most
// PATTERN_SAMPLES, of `samples`, in the columns from `start` on that a table has.
INLINED void OF(add_patterns_of)(const WW_REAL *scales, const WW_REAL *strips, int64_t samples,
                                 int64_t from, int64_t count, int64_t units, int64_t dimension,
                                 int64_t start, WW_REAL *rows, pattern_room *room)
{
    const int64_t columns = padded(dimension);
    const int64_t strip_start = start / STRIP * STRIP;
    const int64_t strip = columns - strip_start < STRIP ? columns - strip_start : STRIP;
    const int64_t left = dimension - start < TABLE ? dimension - start : TABLE;
    memset(room->sums, 0, (size_t)(units * TABLE) * sizeof *room->sums);
    for (int64_t first = from; first < from + count; first += TABLE_SAMPLES) {
        const int64_t block = first / STRIP_SAMPLES * STRIP_SAMPLES;
        const int64_t together = samples - block < STRIP_SAMPLES ? samples - block : STRIP_SAMPLES;
        const WW_REAL *inputs = strips + block * columns + strip_start * together +
                                (first - block) * strip + (start - strip_start);
        const int64_t some =
            from + count - first < TABLE_SAMPLES ? from + count - first : TABLE_SAMPLES;
        OF(add_tables)
        (room->words + (first - from) / TABLE_SAMPLES * PATTERN_UNITS, inputs, strip, left, some,
         units, room);
    }
    for (int64_t unit = 0; unit < units; unit++)
        OF(add_scaled)
    (scales[unit], room->sums + unit * TABLE, left, rows + unit * dimension + start);
}

TARGET static void OF(add_patterns)(const void *scales, const uint8_t *patterns,
                                    int64_t pattern_stride, const void *strips, int64_t samples,
                                    int64_t units, int64_t dimension, void *rows, void *room)
{
    const WW_REAL *factors = scales;
    WW_REAL *weights = rows;
    pattern_room *work = room;
    for (int64_t from = 0; from < samples; from += PATTERN_SAMPLES) {
        const int64_t count = samples - from < PATTERN_SAMPLES ? samples - from : PATTERN_SAMPLES;
        for (int64_t unit = 0; unit < units; unit += PATTERN_UNITS) {
            const int64_t some = units - unit < PATTERN_UNITS ? units - unit : PATTERN_UNITS;
            fill_words(patterns + unit * pattern_stride + from / 8, pattern_stride, some, count,
                       work->words);
            for (int64_t start = 0; start < dimension; start += TABLE)
                OF(add_patterns_of)
            (factors + unit, strips, samples, from, count, some, dimension, start,
             weights + unit * dimension, work);
        }
    }
}

#undef VECTOR
#undef NUMBERS
#undef PARTS
#undef OF
#undef VERSION
#undef TARGET
#undef VECTOR_BYTES
#undef ROWS
#undef PANELS
