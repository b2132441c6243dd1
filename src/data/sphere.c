// Points of the unit sphere (ZG section 3): uniform, or thrown until they keep a distance, or side
// by side on great circles. With a last coordinate mu it is the sphere of radius sqrt(1 - mu^2) in
// the other coordinates, the free ones. All is a pure function of seeds.data and the shape.

#include "data/apart.h"
#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 2 };

/// Substreams of WW_DRAW_SPHERE: part of every stored result, like purposes.
enum {
    TRAIN_POINTS = 0,
    SECOND_DIRECTION = 1, ///< from the first train point to the second
    TEST_POINTS = 2,
    ARC_FRAMES = 3,
    ARC_PLACES = 4, ///< of test points on the arcs
    TRAIN_TARGETS = 5,
    TEST_TARGETS = 6,
    TRAIN_TARGETS_ANEW = 7,
    TEST_TARGETS_ANEW = 8
};

/// Points or arcs that are thrown for each one that is wanted, and beside these.
enum { THROWS_EACH = 50, FURTHER_THROWS = 1000 };
/// Multiplications and additions after which no more are thrown.
static const double MOST_WORK = 4e12;

static const double TURN = 6.283185307179586476925286766559;

/// The sphere that points are thrown on.
typedef struct sphere {
    const ww_config *config;
    int64_t dimension; ///< d
    int64_t free;      ///< coordinates besides the last one
    double radius;     ///< of the sphere in these
    double last;       ///< mu; 0: there is no last coordinate
    double step;       ///< angle in which two points of it are data.sphere.separation apart
} sphere;

static sphere sphere_of(const ww_config *config)
{
    const double mu = config->data.last_coordinate;
    const int64_t d = config->data.sphere.dimension;
    const double radius = sqrt((1.0 - mu) * (1.0 + mu));
    return (sphere){.config = config,
                    .dimension = d,
                    .free = mu > 0.0 ? d - 1 : d,
                    .radius = radius,
                    .last = mu,
                    .step = 2.0 * asin(fmin(1.0, config->data.sphere.separation / radius / 2.0))};
}

static ww_stream stream_of(const ww_config *config, uint32_t substream)
{
    return (ww_stream){
        .seed = (uint64_t)config->seeds.data, .purpose = WW_DRAW_SPHERE, .substream = substream};
}

static double product_of(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

static void to_length(double length, int64_t count, double *vector)
{
    const double norm = sqrt(product_of(vector, vector, count));
    for (int64_t j = 0; j < count; j++)
        vector[j] *= length / norm;
}

/// Makes `vector` a unit vector orthogonal to the unit vector `other`.
static void make_tangent(const double *other, int64_t count, double *vector)
{
    for (int pass = 0; pass < 2; pass++) { // once leaves the rounding of what was taken away
        const double part = product_of(other, vector, count);
        for (int64_t j = 0; j < count; j++)
            vector[j] -= part * other[j];
    }
    to_length(1.0, count, vector);
}

/// The input at angle `angle` from the unit vector `start` towards `tangent` [free].
static void place(const sphere *self, const double *start, const double *tangent, double angle,
                  double *input)
{
    const double along = self->radius * cos(angle);
    const double across = self->radius * sin(angle);
    for (int64_t j = 0; j < self->free; j++)
        input[j] = along * start[j] + across * tangent[j];
    if (self->free < self->dimension)
        input[self->free] = self->last;
}

/// Uniform points number first .. first + count - 1 of a substream, into inputs [count, d].
static void throw_points(const sphere *self, uint32_t substream, int64_t first, int64_t count,
                         double *inputs)
{
    const ww_stream stream = stream_of(self->config, substream);
    for (int64_t s = 0; s < count; s++) {
        double *input = inputs + s * self->dimension;
        ww_normals(stream, (uint64_t)((first + s) * self->free), (size_t)self->free, input);
        to_length(self->radius, self->free, input);
        if (self->free < self->dimension)
            input[self->free] = self->last;
    }
}

static double separation_of(const sphere *self)
{
    return self->config->data.sphere.separation;
}

/// How many points or arcs are thrown at most, where checking one takes so much work.
static int64_t most_throws(int64_t wanted, double work)
{
    const double throws = (double)THROWS_EACH * (double)wanted + (double)FURTHER_THROWS;
    return (int64_t)fmax(2.0 * (double)wanted, fmin(throws, MOST_WORK / work));
}

// ---- points that keep a distance ----------------------------------------------------------------

/// The second sample, at the separation from the first.
static ww_status place_second(const sphere *self, double *inputs, ww_error *error)
{
    double *start = ww_allocate((size_t)(2 * self->free), sizeof *start, "two samples", error);
    if (start == NULL)
        return WW_FAILED;
    double *tangent = start + self->free;
    memcpy(start, inputs, (size_t)self->free * sizeof *start);
    to_length(1.0, self->free, start);
    ww_normals(stream_of(self->config, SECOND_DIRECTION), 0, (size_t)self->free, tangent);
    make_tangent(start, self->free, tangent);
    place(self, start, tangent, self->step, inputs + self->dimension);
    free(start);
    return WW_OK;
}

/// Of the next block of candidates those that are far enough from all kept ones, in their order.
static void keep_block(const sphere *self, const ww_apart *apart, const double *block,
                       int64_t count, double *inputs, int64_t *kept)
{
    const int64_t d = self->dimension;
    bool near[WW_APART_BLOCK] = {false};
    const int64_t before = *kept;
    ww_apart_mark(apart, block, WW_APART_BLOCK, inputs, before, near);
    for (int64_t i = 0; i < WW_APART_BLOCK && *kept < count; i++) {
        for (int64_t j = before; j < *kept && !near[i]; j++)
            near[i] = ww_apart_is_near(apart, block + i * d, inputs + j * d);
        if (near[i])
            continue;
        memcpy(inputs + *kept * d, block + i * d, (size_t)d * sizeof *inputs);
        ++*kept;
    }
}

static ww_status too_close(const sphere *self, const char *what, int64_t throws, int64_t kept,
                           int64_t wanted, ww_error *error)
{
    return ww_data_fail(self->config, "data.sphere.separation", error,
                        "is %g, and of %lld %s thrown on the sphere of %lld free coordinates only "
                        "%lld keep that distance, but %lld are wanted; lower it, or raise "
                        "data.sphere.dimension",
                        separation_of(self), (long long)throws, what, (long long)self->free,
                        (long long)kept, (long long)wanted);
}

static ww_status throw_apart(const sphere *self, const ww_apart *apart, int64_t count,
                             double *inputs, ww_error *error)
{
    const int64_t d = self->dimension;
    const int64_t most = most_throws(count, (double)count * (double)d);
    int64_t kept = count < 2 ? count : 2;
    int64_t thrown = 1; // the first sample
    throw_points(self, TRAIN_POINTS, 0, 1, inputs);
    if (count > 1)
        WW_TRY(place_second(self, inputs, error));
    double *block =
        ww_allocate((size_t)(WW_APART_BLOCK * d), sizeof *block, "candidates for samples", error);
    if (block == NULL)
        return WW_FAILED;
    while (kept < count && thrown < most) {
        throw_points(self, TRAIN_POINTS, thrown, WW_APART_BLOCK, block);
        keep_block(self, apart, block, count, inputs, &kept);
        thrown += WW_APART_BLOCK;
    }
    free(block);
    return kept == count ? WW_OK : too_close(self, "points", thrown, kept, count, error);
}

// ---- points side by side on arcs ----------------------------------------------------------------

/// Samples on arc number `arc`: nearly equally many on each.
static int64_t arc_samples(const sphere *self, int64_t count, int64_t arc)
{
    const int64_t arcs = self->config->data.sphere.arcs;
    return count / arcs + (arc < count % arcs);
}

/// Unit vectors [2, free] that arc number `throw` begins at and turns towards.
static void throw_frame(const sphere *self, int64_t throw, double *frame)
{
    ww_normals(stream_of(self->config, ARC_FRAMES), (uint64_t)(2 * throw *self->free),
               (size_t)(2 * self->free), frame);
    to_length(1.0, self->free, frame);
    make_tangent(frame, self->free, frame + self->free);
}

static bool is_clear(const sphere *self, const ww_apart *apart, const double *inputs, int64_t kept,
                     int64_t count)
{
    const int64_t d = self->dimension;
    for (int64_t first = 0; first < count; first += WW_APART_BLOCK) {
        const int64_t left = count - first;
        const int64_t rows = left < WW_APART_BLOCK ? left : WW_APART_BLOCK;
        bool near[WW_APART_BLOCK] = {false};
        ww_apart_mark(apart, inputs + (kept + first) * d, rows, inputs, kept, near);
        for (int64_t i = 0; i < rows; i++)
            if (near[i])
                return false;
    }
    return true;
}

/// Train samples arc by arc, and the frames [arcs, 2, free] of those kept.
static ww_status throw_arcs(const sphere *self, const ww_apart *apart, int64_t count,
                            double *inputs, double *frames, ww_error *error)
{
    const int64_t arcs = self->config->data.sphere.arcs;
    const int64_t d = self->dimension;
    const double work = (double)count / (double)arcs * (double)count * (double)d;
    const int64_t most = most_throws(arcs, work);
    int64_t kept = 0;
    int64_t kept_arcs = 0;
    int64_t thrown = 0;
    for (; kept_arcs < arcs && thrown < most; thrown++) {
        double *frame = frames + kept_arcs * 2 * self->free;
        const int64_t samples = arc_samples(self, count, kept_arcs);
        throw_frame(self, thrown, frame);
        for (int64_t s = 0; s < samples; s++)
            place(self, frame, frame + self->free, (double)s * self->step, inputs + (kept + s) * d);
        if (!is_clear(self, apart, inputs, kept, samples))
            continue;
        kept += samples;
        kept_arcs++;
    }
    return kept_arcs == arcs ? WW_OK : too_close(self, "arcs", thrown, kept_arcs, arcs, error);
}

/// Test samples, uniform on all arcs together, each from its first train sample to its last one.
static void place_on_arcs(const sphere *self, int64_t train, const double *frames,
                          ww_samples *samples)
{
    const int64_t steps = train - self->config->data.sphere.arcs;
    for (int64_t s = 0; s < samples->count; s++) {
        double uniform = 0.0;
        ww_uniforms(stream_of(self->config, ARC_PLACES), (uint64_t)s, 1, &uniform);
        double along = uniform * (double)steps;
        int64_t arc = 0;
        while (along > (double)(arc_samples(self, train, arc) - 1))
            along -= (double)(arc_samples(self, train, arc++) - 1);
        const double *frame = frames + arc * 2 * self->free;
        place(self, frame, frame + self->free, along * self->step,
              samples->inputs + s * self->dimension);
    }
}

static ww_status fill_arcs(const sphere *self, const ww_apart *apart, ww_dataset *dataset,
                           ww_error *error)
{
    const int64_t arcs = self->config->data.sphere.arcs;
    int64_t values = 0;
    WW_TRY(ww_multiply(arcs, 2 * self->free, "the arcs", &values, error));
    double *frames = ww_allocate((size_t)values, sizeof *frames, "the arcs", error);
    if (frames == NULL)
        return WW_FAILED;
    const ww_status status =
        throw_arcs(self, apart, dataset->train.count, dataset->train.inputs, frames, error);
    if (status == WW_OK)
        place_on_arcs(self, dataset->train.count, frames, &dataset->test);
    free(frames);
    return status;
}

// ---- the source ---------------------------------------------------------------------------------

static ww_status check(const sphere *self, ww_error *error)
{
    const ww_config *config = self->config;
    const int64_t arcs = config->data.sphere.arcs;
    WW_TRY(ww_drawn_count(config, "data.train", config->data.train, error));
    WW_TRY(ww_drawn_count(config, "data.test", config->data.test, error));
    if (separation_of(self) > 2.0 * self->radius)
        return ww_data_fail(config, "data.sphere.separation", error,
                            "is %g, but no two inputs with last coordinate %g are more than %g "
                            "apart; lower one of them",
                            separation_of(self), self->last, 2.0 * self->radius);
    if (arcs == 0)
        return WW_OK;
    if (config->data.train <= arcs)
        return ww_data_fail(config, "data.sphere.arcs", error,
                            "is %lld, with one sample each for data.train = %lld, so that none has "
                            "a neighbour; choose fewer",
                            (long long)arcs, (long long)config->data.train);
    if ((double)arc_samples(self, config->data.train, 0) * self->step > TURN)
        return ww_data_fail(config, "data.sphere.arcs", error,
                            "is %lld, and with %lld samples at distance %g an arc would close over "
                            "itself, which has room for %.0f; choose more arcs or a smaller "
                            "data.sphere.separation",
                            (long long)arcs, (long long)arc_samples(self, config->data.train, 0),
                            separation_of(self), floor(TURN / self->step));
    return WW_OK;
}

ww_status ww_source_sphere(const ww_config *config, bool samples, ww_dataset *dataset,
                           ww_error *error)
{
    const sphere self = sphere_of(config);
    ww_apart apart;
    WW_TRY(check(&self, error));
    dataset->dimension = self.dimension;
    dataset->classes = CLASSES;
    dataset->components = 1;
    ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    if (!samples)
        return WW_OK;
    WW_TRY(ww_samples_allocate(&dataset->train, config->data.train, self.dimension, "the train set",
                               error));
    WW_TRY(ww_samples_allocate(&dataset->test, config->data.test, self.dimension, "the test set",
                               error));
    ww_status status = ww_apart_make(self.dimension, separation_of(&self), &apart, error);
    if (status == WW_OK && config->data.sphere.arcs > 0) {
        status = fill_arcs(&self, &apart, dataset, error);
    } else if (status == WW_OK) {
        if (separation_of(&self) > 0.0)
            status = throw_apart(&self, &apart, config->data.train, dataset->train.inputs, error);
        else
            throw_points(&self, TRAIN_POINTS, 0, config->data.train, dataset->train.inputs);
        throw_points(&self, TEST_POINTS, 0, config->data.test, dataset->test.inputs);
    }
    ww_apart_free(&apart);
    return status; // labels are all 0 until ww_sphere_values
}

// ---- targets ------------------------------------------------------------------------------------

/// Target `column` of a sample, of all that a substream has.
static double target_of(const ww_config *config, uint32_t substream, int64_t sample, int64_t column)
{
    const int64_t outputs = config->data.sphere.outputs;
    const uint64_t index = (uint64_t)sample * (uint64_t)outputs + (uint64_t)column;
    const double size = 1.0 / sqrt((double)outputs);
    if (config->data.sphere.targets == WW_SPHERE_SIGNS) {
        int64_t is_negative = 0;
        ww_integers(stream_of(config, substream), index, 1, 2, &is_negative);
        return is_negative ? -size : size;
    }
    double normal = 0.0;
    ww_normals(stream_of(config, substream), index, 1, &normal);
    return size * normal;
}

/// The class of a sample is the sign of its first target.
static int64_t label_of(const ww_config *config, uint32_t substream, int64_t sample)
{
    return target_of(config, substream, sample, 0) > 0.0 ? 0 : 1;
}

static void set_targets(const ww_config *config, const ww_dataset *dataset, uint32_t substream,
                        int64_t sample, ww_samples *samples)
{
    for (int64_t column = 0; column < dataset->outputs; column++)
        samples->targets[sample * dataset->outputs + column] =
            target_of(config, substream, samples->first + sample, column);
}

ww_status ww_sphere_values(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                           ww_error *error)
{
    (void)error;
    const uint32_t substream = samples == &dataset->test ? TEST_TARGETS : TRAIN_TARGETS;
    for (int64_t s = 0; s < samples->count; s++) {
        samples->labels[s] = samples->components[s] =
            label_of(config, substream, samples->first + s);
        if (dataset->has_targets)
            set_targets(config, dataset, substream, s, samples);
    }
    return WW_OK;
}

void ww_sphere_redraw(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                      int64_t sample)
{
    const uint32_t substream = samples == &dataset->test ? TEST_TARGETS_ANEW : TRAIN_TARGETS_ANEW;
    samples->labels[sample] = label_of(config, substream, samples->first + sample);
    set_targets(config, dataset, substream, sample, samples);
}
