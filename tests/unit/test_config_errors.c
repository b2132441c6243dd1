// Every mistake in a configuration gets one sentence with place, key and what is wanted.
#include "config_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mistake {
    const char *text, *setting; // settings: at most one
    const char *wanted[6];      // parts of the message
} mistake;

static const mistake mistakes[] = {
    // The document as a whole.
    {"seed: [1\n", NULL, {"test.yaml, line 2, column 1: malformed YAML", "flow sequence"}},
    {"seed: 1\nname: a: b\n", NULL, {"test.yaml, line 2, column 8: malformed YAML"}},
    {"seed: 1\nname: \xFF\n", NULL, {"test.yaml, line 2: ", "UTF-8"}},
    {"seed: *one\n", NULL, {"test.yaml, line 1, column 7", "undefined alias"}},
    {"seed: 1\n---\nseed: 2\n", NULL, {"test.yaml, line 2: a second YAML document"}},
    {"seed: 1\n---\n- [\n", NULL, {"test.yaml, line 4, column 1: malformed YAML"}},
    {"hello\n", NULL, {"test.yaml, line 1: ", "mapping of keys", "hello"}},
    {"\n- seed: 1\n", NULL, {"test.yaml, line 2: ", "a list was found"}},
    {"!!set {seed: 1}\n", NULL, {"test.yaml, line 1: ", "a tag"}},
    // Names.
    {"network:\n  widht: 5\n",
     NULL,
     {"line 2: network.widht is not a known key; did you mean network.width?"}},
    {"netwrok: {width: 5}\n", NULL, {"line 1: netwrok is not", "did you mean network?"}},
    {"width: 5\n", NULL, {"line 1: width is not", "did you mean network.width?"}},
    {"network: {hidden: {std: 1, pears: none}}\n",
     NULL,
     {"network.hidden.pears is not a known key"}},
    {"sede: 5\n", NULL, {"did you mean seed?"}},
    {"zzzzzzzz: 5\n", NULL, {"zzzzzzzz is not a known key; `widthwise list keys` names them all"}},
    {"<<: {seed: 1}\n", NULL, {"<< is not a known key"}},
    {"? [a]\n: 1\n", NULL, {"line 1: a list stands where the name of a key is wanted"}},
    {"\"\": 1\n", NULL, {"line 1: ", "name of a key"}},
    {"&a seed: 1\ndata: &b {mixture: *b}\n", NULL, {"line 2: data.mixture.mixture is not"}},
    {"seed: 1\nname: a\nseed: 1\n", NULL, {"line 3: seed is given twice, first in line 1"}},
    {"data: {train: 5}\ndata: {test: 5}\n", NULL, {"line 2: data is given twice, first in line 1"}},
    {"data:\n  train: 5\ndata.train: 6\n",
     NULL,
     {"line 3: data.train is given twice, first in line 2"}},
    {"data:\n  mixture: {classes: 3, classes: 3}\n",
     NULL,
     {"line 2: data.mixture.classes is given twice"}},
    // Sections and values in each other's place.
    {"network: 5\n", NULL, {"line 1: network must be a section of keys", "5 was found"}},
    {"data:\n  mixture: [1]\n", NULL, {"line 2: data.mixture must be a section", "a list"}},
    {"seed: 2\ntraining:\n", NULL, {"line 2: section training has no keys"}},
    {"network: {width: {m: 5}}\n",
     NULL,
     {"network.width must be an integer of at least 1 (hidden units), but a mapping was found"}},
    {"network: {width: }\n",
     NULL,
     {"network.width must be", "no value was found; give one or leave the key out"}},
    {"network: {width: ~}\n", NULL, {"network.width must be", "no value was found"}},
    // Numbers, by our own rules.
    {"network: {width: 1e400}\n", NULL, {"network.width must be", "1e400 was found"}},
    {"seed: 9223372036854775808\n", NULL, {"seed must be an integer of at least 0"}},
    {"seed: 1.5\n", NULL, {"1.5 was found"}},
    {"seed: 15e-1\n", NULL, {"15e-1 was found"}},
    {"seed: 0x10\n", NULL, {"0x10 was found"}},
    {"seed: 1_000\n", NULL, {"1_000 was found"}},
    {"seed: \"1\"\n", NULL, {"the quoted text \"1\" was found; write it without quotes"}},
    {"seed: !!int 1\n", NULL, {"a tag was found; write the value without it"}},
    {"seed: 5 apples\n", NULL, {"5 apples was found"}},
    {"training: {rate: 1.5x}\n",
     NULL,
     {"training.rate must be a number above 0, but 1.5x was found"}},
    {"training: {rate: nan}\n", NULL, {"nan was found"}},
    {"training: {rate: .inf}\n", NULL, {".inf was found"}},
    {"training: {rate: inf}\n", NULL, {"inf was found"}},
    {"training: {rate: 0x1p3}\n", NULL, {"0x1p3 was found"}},
    {"training: {rate: 1e999}\n", NULL, {"1e999 was found"}},
    {"training: {rate: 0}\n", NULL, {"above 0, but 0 was found"}},
    {"training: {rate: '1'}\n", NULL, {"without quotes"}},
    {"network: {depth: 1001}\n",
     NULL,
     {"network.depth must be an integer from 1 to 1000 (hidden layers), but 1001"}},
    {"network: {depth: 2, hidden: {pairs: antisymmetric}}\n",
     NULL,
     {"network.hidden.pairs is antisymmetric", "network.depth is 2"}},
    {"model: brutzkus\ndata: {source: mixture}\nnetwork: {depth: 2}\n",
     NULL,
     {"network.hidden.kind is ball", "choose gaussian"}},
    {"network: {depth: 3, start: fit}\n", NULL, {"network.start is fit", "choose drawn"}},
    {"network: {depth: 2}\ntraining: {engine: dense}\n",
     NULL,
     {"line 2: training.engine is dense", "network.depth is 2", "layers or auto"}},
    {"training: {engine: window, batch: 600}\n",
     NULL,
     {"training.engine is window", "training.batch is 600", "smaller batches"}},
    {"data: {last_coordinate: 0.5, normalize: ball}\n",
     NULL,
     {"data.last_coordinate is 0.5", "data.normalize: sphere"}},
    {"model: zou-gu\ndata: {sphere: {dimension: 2}}\n",
     NULL,
     {"data.sphere.dimension is 2", "choose at least 3"}},
    {"model: zou-gu\ndata: {sphere: {arcs: 4}}\n",
     NULL,
     {"data.sphere.arcs is 4", "give a separation"}},
    {"model: zou-gu\nloss: hinge\n", NULL, {"loss is hinge", "source sphere has real numbers"}},
    {"data: {labels: {random_fraction: 1.01}}\n", NULL, {"must be a number from 0 to 1, but 1.01"}},
    {"measure: {accuracy_target: 0}\n", NULL, {"above 0 and at most 1, but 0"}},
    {"data: {train: 0}\n",
     NULL,
     {"data.train must be an integer of at least 1 (samples) or the word all, but 0"}},
    {"data: {train: every}\n", NULL, {"or the word all, but every was found"}},
    // Words.
    {"data: {labels: {noisy_test: yes}}\n", NULL, {"must be true or false, but yes was found"}},
    {"data: {labels: {noisy_test: \"true\"}}\n", NULL, {"without quotes"}},
    {"data: {source: mixtrue}\n",
     NULL,
     {"data.source must be one of mixture, xor-balls, points, idx, cifar10, hdf5, function, "
      "separable, orthonormal, sphere, but mixtrue was found; did you mean mixture?"}},
    {"network: {activation: {kind: sigmoid}}\n",
     NULL,
     {"one of relu, leaky-relu, but sigmoid was found"}},
    {"model: aror\n", NULL, {"model must be one of li-liang, arora, brutzkus, zou-gu, but aror"}},
    {"name: a/b\n", NULL, {"name must be a name", "a/b was found"}},
    {"name: .hidden\n", NULL, {"name must be a name"}},
    {"name: \"\"\n", NULL, {"name must be a name", "the quoted text \"\" was found"}},
    {"name: \"a\\0b\"\n", NULL, {"name must be a name"}},
    {"data: {source: hdf5, hdf5: {file: \"\"}}\n",
     NULL,
     {"data.hdf5.file must be the path of a file"}},
    // Lists and mappings.
    {"measure:\n  snapshots: 5\n",
     NULL,
     {"line 2: measure.snapshots must be a list of integers", "5 was found"}},
    {"measure:\n  snapshots:\n  - 5\n  - x\n",
     NULL,
     {"line 4: measure.snapshots must be", "but entry 2 is x"}},
    {"measure: {snapshots: [1, [2]]}\n", NULL, {"entry 2 is a list"}},
    {"measure: {snapshots: [1,,2]}\n", NULL, {"malformed YAML"}},
    {"measure: {quantities: loss}\n",
     NULL,
     {"a list of names or the word all, but loss was found"}},
    {"output: {record: all}\n", NULL, {"output.record must be a list of"}},
    {"measure: {quantities: [loss, loss]}\n", NULL, {"entry 2 is loss; name it once"}},
    {"measure: {quantities: [a b]}\n", NULL, {"entry 1 is a b"}},
    {"output: {record: [data, batch]}\n",
     NULL,
     {"a list of some of data, initial-weights, batches, but entry 2 is batch; did you mean "
      "batches?"}},
    {"output: {record: [data, data]}\n", NULL, {"entry 2 is data; name it once"}},
    {"output: {record: data}\n", NULL, {"output.record must be a list", "data was found"}},
    {"training: {stop: 0.98}\n", NULL, {"training.stop must be a mapping", "0.98 was found"}},
    {"training: {stop: {loss: low}}\n", NULL, {"training.stop must be", "entry 1 is low"}},
    {"training: {stop: {loss: 1, loss: 2}}\n", NULL, {"entry 2 is loss; name it once"}},
    {"training: {stop: {loss:1}}\n", NULL, {"write a space after every colon"}},
    // What keys require of each other.
    {"data:\n  source: idx\n",
     NULL,
     {"test.yaml, line 2: data.source is idx, which needs data.idx.train_images; give it"}},
    {"data: {source: hdf5}\n", NULL, {"data.source is hdf5, which needs data.hdf5.file"}},
    {"model: arora\ndata: {source: hdf5, hdf5: {file: a, test_labels: b,\n  test_targets: c}}\n",
     NULL,
     {"test.yaml, line 3: data.hdf5.test_targets is given, and data.hdf5.test_labels too",
      "leave one of them out"}},
    {"model: arora\ndata: {source: hdf5, hdf5: {file: a, train_labels: b}}\n",
     "data.hdf5.train_targets=c",
     {"--set data.hdf5.train_targets is given, and data.hdf5.train_labels too"}},
    {"model: arora\ndata: {source: hdf5, hdf5: {file: a, kind: targets,\n  train_labels: b}}\n",
     NULL,
     {"line 3: data.hdf5.train_labels has an effect only where data.hdf5.kind is labels, but it is "
      "targets"}},
    {"model: arora\ndata: {source: hdf5, hdf5: {file: a, kind: labels,\n  test_targets: b}}\n",
     NULL,
     {"line 3: data.hdf5.test_targets has an effect only where data.hdf5.kind is targets, but it "
      "is labels"}},
    {"data: {train: 20, hdf5: {train_targets: a}}\n",
     NULL,
     {"data.hdf5.train_targets has an effect only where data.source is hdf5, but it is mixture"}},
    {"data: {source: hdf5, hdf5: {file: a, kind: targets}}\n",
     NULL,
     {"loss is cross-entropy, which is of classes, but the samples have real targets",
      "choose loss: squared"}},
    {"data: {source: hdf5, hdf5: {file: a, kind: targets}}\nloss: hinge\n",
     NULL,
     {"line 2: loss is hinge, which is of classes, but the samples have real targets"}},
    {"model: arora\ndata: {source: hdf5, hdf5: {file: a, kind: targets},\n"
     "  subset: {kind: separable}}\n",
     NULL,
     {"line 3: data.subset.kind is separable, which is of two classes, but the samples have"}},
    {"network: {activation: {kind: leaky-relu}}\n", NULL, {"which needs network.activation.slope"}},
    {"network: {activation: {slope: 0.1}}\n",
     NULL,
     {"network.activation.slope has an effect only where network.activation.kind is leaky-relu, "
      "but it is relu"}},
    {"network: {activation: {kind: leaky-relu, slope: 1}}\n", NULL, {"above 0 and below 1, but 1"}},
    {"data:\n  source: points\n  idx:\n    divisor: 1\n",
     NULL,
     {"line 4: data.idx.divisor has an effect only where data.source is idx, but it is points",
      "line 2"}},
    {"training:\n  method: gd\n  batch: 5\n",
     NULL,
     {"line 3: training.batch has an effect only where training.method is sgd, but it is gd"}},
    {"training:\n  batch: 2000\n",
     NULL,
     {"line 2: training.batch is 2000, more than the 1000 samples"}},
    {"data:\n  train: 10\n",
     NULL,
     {"line 2: data.train is 10, fewer samples than training.batch = 16 (its default)"}},
    {"data: {source: points, points: {classes: 2, components: 2}}\n",
     NULL,
     {"training.batch is 16, more than the 4 samples of data.train"}},
    {"training:\n  method: gd\n  engine: window\n",
     NULL,
     {"line 3: training.engine is window, which goes over batches", "or training.engine: dense"}},
    {"data: {source: points, train: 21}\n",
     NULL,
     {"data.train is 21, but source points has", "= 20 samples"}},
    {"data: {source: points, test: all}\n", NULL, {"data.test is all, but source points has"}},
    {"data: {test: all}\n", NULL, {"data.test is all, but source mixture has no end"}},
    {"data: {source: points, points: {classes: 4e18, components: 4}}\n",
     NULL,
     {"data.points.classes times", "64 bits"}},
    {"data: {mixture: {classes: 4e18, components: 4}}\n",
     NULL,
     {"data.mixture.classes times", "64 bits"}},
    {"data: {mixture: {classes: 2, probabilities: [0.5, 0.5]}}\n",
     NULL,
     {"data.mixture.probabilities has 2 entries", "= 4;"}},
    {"data: {mixture: {classes: 2, components: 1, probabilities: [0.5, 0.6]}}\n",
     NULL,
     {"data.mixture.probabilities has the sum 1.1"}},
    {"data: {mixture: {probabilities: [-0.5]}}\n",
     NULL,
     {"a list of numbers from 0 to 1, but entry 1 is -0.5"}},
    {"data: {mixture: {spread: 0, separation: 0}}\n",
     NULL,
     {"data.mixture.spread and data.mixture.separation are both 0"}},
    {"data:\n  function: {exponent: 4}\n",
     NULL,
     {"line 2: data.function.exponent has an effect only where data.source is function, but it is "
      "mixture"}},
    {"data:\n  source: function\n  function: {exponent: 4}\n",
     NULL,
     {"line 3: data.function.exponent has an effect only where data.function.kind is power, but it "
      "is linear"}},
    {"data: {source: function, function: {kind: quadratic, norm: 2}}\n",
     NULL,
     {"data.function.norm has an effect only where", "linear or power or cosine or arctan"}},
    {"data:\n  source: function\n  function: {kind: quadratic, dimension: 3, terms: 4}\n",
     NULL,
     {"line 3: data.function.terms is 4, but only data.function.dimension = 3 directions"}},
    {"data: {source: function, train: all}\n", NULL, {"source function has no end"}},
    {"network: {width: 33,\n  hidden: {pairs: antisymmetric}}\n",
     NULL,
     {"line 1: network.width is 33, but network.hidden.pairs", "choose an even width"}},
    {"data: {labels: {kind: worst-case}}\n",
     NULL,
     {"line 1: data.labels.kind is worst-case", "set loss: squared"}},
    {"model: arora\ndata: {labels: {kind: worst-case}}\nreplicas: 3\n",
     NULL,
     {"line 2: data.labels.kind is worst-case", "replicas is 3"}},
    {"model: arora\ndata:\n  labels: {kind: worst-case, random_fraction: 0.5}\n",
     NULL,
     {"line 3: data.labels.random_fraction is 0.5, but data.labels.kind: worst-case"}},
    {"data: {labels: {worst_case_norm: one}}\n",
     NULL,
     {"data.labels.worst_case_norm has an effect only where data.labels.kind is worst-case"}},
    {"model: arora\ntraining: {batch: 4}\n",
     NULL,
     {"training.batch has an effect only where training.method is sgd, but it is gd"}},
    {"data: {labels: {kind: random, random_fraction: 0.5}}\n",
     NULL,
     {"data.labels.random_fraction is 0.5, but data.labels.kind: random"}},
    {"data:\n  source: cifar10\n",
     NULL,
     {"test.yaml, line 2: data.source is cifar10, which needs data.cifar10.folder; give it"}},
    {"data: {source: cifar10, cifar10: {folder: a, train_files: []}}",
     NULL,
     {"data.cifar10.train_files names no file"}},
    {"data: {source: cifar10, cifar10: {folder: a, test_files: [a, b, a]}}",
     NULL,
     {"data.cifar10.test_files must be a list of texts, but entry 3 is", "name it once"}},
    {"data: {source: cifar10, cifar10: {folder: a, classes: [3, 10]}}",
     NULL,
     {"data.cifar10.classes must be a list of integers from 0 to 9, but entry 2 is"}},
    {"data: {source: cifar10, cifar10: {folder: a, classes: [3, 3]}}",
     NULL,
     {"data.cifar10.classes has 3 twice"}},
    {"data: {source: idx, idx: {train_images: a, train_labels: b, test_images: c, test_labels: d, "
     "classes: [3]}}\n",
     NULL,
     {"data.idx.classes has one class"}},
    {"data: {source: idx, idx: {train_images: a, train_labels: b, test_images: c, test_labels: d, "
     "classes: [3, 5, 3]}}\n",
     NULL,
     {"data.idx.classes has 3 twice"}},
    {"model: brutzkus\nnetwork: {width: 11}\n",
     NULL,
     {"line 2: network.width is 11, but network.output.kind: halves", "choose an even width"}},
    {"model: brutzkus\nnetwork: {width: 10, hidden: {pairs: antisymmetric}}\n",
     NULL,
     {"network.hidden.pairs is antisymmetric, but network.output.kind: halves"}},
    {"network: {start: fit}\n",
     NULL,
     {"network.output.kind is not halves, but network.start: fit builds on"}},
    {"model: brutzkus\nnetwork: {start: local-minimum}\n",
     NULL,
     {"line 2: network.start is local-minimum", "choose network.activation.kind: relu"}},
    {"network: {start: file}\n",
     NULL,
     {"network.start is file, which needs network.start_file; give it"}},
    {"model: brutzkus\nnetwork: {start: fit, hidden: {radius: 2}}\n",
     NULL,
     {"network.hidden.radius has an effect only where network.start is drawn, but it is fit"}},
    {"model: brutzkus\nnetwork: {hidden: {std: 2}}\n",
     NULL,
     {"network.hidden.std has an effect only where network.hidden.kind is gaussian"}},
    {"network: {hidden: {radius: 2}}\n",
     NULL,
     {"network.hidden.radius has an effect only where network.hidden.kind is ball or cube or "
      "opposed, but it is gaussian"}},
    {"model: brutzkus\ndata: {source: function}\n",
     NULL,
     {"loss is hinge, which is of two classes, but source function"}},
    {"model: brutzkus\ndata: {labels: {kind: worst-case}}\n",
     NULL,
     {"line 2: data.labels.kind is worst-case", "loss: hinge is of two classes"}},
    {"training: {stop_at_rest: false}\n",
     NULL,
     {"training.stop_at_rest has an effect only where loss is hinge, but it is cross-entropy"}},
    {"training: {epochs: 3, steps: 5}\n",
     NULL,
     {"training.epochs is 3, which makes 186 steps, but training.steps is 5"}},
    {"data: {source: idx, train: all, idx: {train_images: a, train_labels: b, test_images: c, "
     "test_labels: d}}\ntraining: {epochs: 2}\n",
     NULL,
     {"line 2: training.epochs counts epochs of data.train: all",
      "set data.train to that number (`widthwise plan` with --set training.steps=1 tells it)",
      "or set training.steps"}},
    {"model: brutzkus\n"
     "data: {source: hdf5, train: all, hdf5: {file: a}}\n",
     NULL,
     {"line 2: data.train is all, and the steps of 1000 epochs (training.epochs, of the model)",
      "or set training.steps"}},
    {"training: {epochs: 9e18}\n", NULL, {"training.epochs times the batches of an epoch is more"}},
    {"data: {source: orthonormal, train: 5}\n",
     NULL,
     {"data.train is 5, but source orthonormal has data.orthonormal.dimension = 10 samples"}},
    {"data: {source: points, subset: {kind: separable}}\n",
     NULL,
     {"data.subset.kind is separable, but source points has exactly the samples"}},
    {"data: {source: hdf5, train: all, hdf5: {file: a}, subset: {kind: separable}}\n",
     NULL,
     {"data.train is all, but of a separable subset"}},
    {"data: {subset: {kind: separable, candidates: all}}\n",
     NULL,
     {"data.subset.candidates is all, but source mixture has no end"}},
    {"data: {subset: {kind: separable, candidates: 1999}}\n",
     NULL,
     {"data.subset.candidates is 1999, fewer than the 1000 samples of data.train and the 1000"}},
    {"data: {subset: {margin: 0.1}}\n",
     NULL,
     {"data.subset.margin has an effect only where data.subset.kind is separable"}},
    {"model: brutzkus\ngram: {network: true}\nnetwork: {train_output: true}\n",
     NULL,
     {"line 2: gram.network is true, but H(0)", "stay as they are"}},
    {"measure: {snapshots: [5, 5]}\n", NULL, {"measure.snapshots has 5 after 5"}},
    {"measure: {snapshots: [5, 401]}\n",
     NULL,
     {"measure.snapshots has step 401", "training.steps = 400"}},
    {"network: {width: 9e18}\n",
     NULL,
     {"network.width (9000000000000000000) times the input dimension (1000)"}},
    {"network: {width: 2e18}\ndata: {mixture: {dimension: 1}}\n",
     NULL,
     {"network.width (2000000000000000000)"}},
    {"data: {test: 2e15}\n",
     NULL,
     {"data.test (2000000000000000) times the input dimension (1000)"}},
    // Sweeps.
    {"sweep: [1]\n", NULL, {"line 1: sweep must be a mapping", "a list was found"}},
    {"sweep:\n", NULL, {"line 1: sweep must be a mapping", "no value"}},
    {"sweep:\n  seed: 5\n",
     NULL,
     {"line 2: sweep.seed must be a list of the values that seed takes, but 5"}},
    {"sweep: {seed: []}\n", NULL, {"an empty list was found"}},
    {"sweep: {sede: [1]}\n", NULL, {"sede is not a known key; did you mean seed?"}},
    {"sweep: {name: [a, b]}\n", NULL, {"name cannot be swept"}},
    {"sweep: {sweep: [1]}\n", NULL, {"sweep is not a known key"}},
    {"sweep: {network: {width: [1]}}\n",
     NULL,
     {"sweep.network is a section", "network.width: [500, 1000]"}},
    {"sweep: {seed: [1], seed: [2]}\n", NULL, {"sweep.seed is given twice"}},
    {"sweep: {seed: [1], zip: {seed: [2]}}\n", NULL, {"seed is swept twice"}},
    {"sweep: {zip: [1]}\n", NULL, {"sweep.zip must be a mapping"}},
    {"sweep: {zip: {seed: [1, 2], network.width: [5]}}\n",
     NULL,
     {"network.width has 1 values and seed has 2"}},
    {"sweep:\n  seed:\n  - 1\n  - x\n", NULL, {"test.yaml, line 4: seed must be an integer"}},
    {"sweep: {seed: [1, 2, 1]}\n", NULL, {"member seed=1 twice"}},
    {"sweep: {training.rate: [1, 1.0]}\n", NULL, {"member training.rate=1.0 twice"}},
    {"sweep:\n  training.batch: [16, 2000]\n",
     NULL,
     {"member 1 (training.batch=2000): test.yaml, line 2: training.batch is 2000"}},
    {"sweep: {training.method: [gd], training.batch: [5]}\n",
     NULL,
     {"training.batch has an effect only"}},
    {"sweep: {data.source: [points, mixture]}\ndata: {idx: {divisor: 2}}\n",
     NULL,
     {"line 2: data.idx.divisor has an effect only"}},
    // Settings.
    {"", "network.width", {"--set network.width: a setting is written key=value"}},
    {"", "=5", {"a setting is written key=value"}},
    {"", "seed=", {"--set seed=: seed has no value"}},
    {"", "seed=[", {"--set seed=[: malformed YAML"}},
    {"",
     "network.widht=5",
     {"--set network.widht=5: network.widht is not a known key; did you mean network.width?"}},
    {"",
     "network.width=abc",
     {"--set network.width=abc: network.width must be an integer", "abc was found"}},
    {"", "network=5", {"--set network=5: network must be a section"}},
    {"", "training.batch=2000", {"--set training.batch is 2000, more than"}},
    {"", "training.stop={test_accuracy:0.98}", {"write a space after every colon"}},
    {"", "measure.snapshots=[3, 2]", {"--set measure.snapshots has 2 after 3"}},
    {"", "data.idx.divisor=3", {"--set data.idx.divisor=3: data.idx.divisor has an effect only"}},
    {"", "sweep.seed=5", {"--set sweep.seed=5: sweep.seed must be a list"}},
    {"", "sweep=5", {"sweep must be a mapping"}},
    {"", "data.train={a: 1}", {"data.train must be", "a mapping was found"}},
    {"sweep.seed: [1]\nsweep: {seed: [2]}\n", NULL, {"line 2: seed is swept twice"}},
};

static void test_mistakes_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        expect_refused(mistakes[i].text, mistakes[i].setting, mistakes[i].wanted);
}

static void expect_settings_refused(const char *first, const char *second, const char *wanted)
{
    const char *const settings[] = {first, second};
    ww_experiment experiment;
    ww_error error = {0};
    assert_int_equal(ww_experiment_parse("", "test.yaml", "/", settings, 2, &experiment, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, wanted));
}

static void test_settings_must_not_contradict_each_other(void **state)
{
    (void)state;
    expect_settings_refused("seed=1", "seed=1", "--set seed=1: seed is set twice");
    expect_settings_refused("data.train=20", "data={train: 30}", "data.train is set twice");
    expect_settings_refused("seed=1", "sweep.seed=[1]", "seed is set and swept by settings");
    expect_settings_refused("sweep.seed=[2]", "seed=3", "seed is set and swept by settings");
    expect_settings_refused("sweep.seed=[2]", "sweep.seed=[3]", "seed is swept twice");
    expect_settings_refused("sweep.seed=[2]", "sweep={seed: [2]}", "the sweep is set twice");
}

// Long and odd texts are shown in short, on one line.
static void test_messages_stay_short(void **state)
{
    (void)state;
    static char text[20000];
    const char *const wanted[] = {"xxxx...", NULL};
    (void)snprintf(text, sizeof text, "seed: ");
    memset(text + 6, 'x', sizeof text - 7);
    expect_refused(text, NULL, wanted);
    memset(text, 'x', 500); // a YAML key has at most 1024 characters
    (void)snprintf(text + 500, 10, ": 5");
    expect_refused(text, NULL, wanted);
    memset(text, 'x', 5000);
    (void)snprintf(text + 5000, 10, "=5");
    expect_refused("", text, wanted);
    const char *const control[] = {"a??b", NULL};
    expect_refused("seed: \"a\\n\\eb\"", NULL, control);
    // A character of several bytes is not cut in two.
    const char *const whole[] = {"\xC3\xA9...", NULL};
    (void)snprintf(text, sizeof text, "seed: a");
    for (size_t i = 0; i < 100; i++)
        memcpy(text + 7 + 2 * i, "\xC3\xA9", 3);
    expect_refused(text, NULL, whole);
}

// Puts lines before the one that is tested: those that the key needs to be in use. Returns the
// number of the next line.
static int write_needs(const ww_key *key, FILE *stream)
{
    if (key->condition == NULL)
        return 1;
    const ww_key *condition = ww_key_at(ww_key_find(key->condition));
    int line = write_needs(condition, stream);
    unsigned choice = 0;
    while ((key->states >> choice & 1u) == 0)
        choice++;
    fprintf(stream, "%s: %s\n", condition->path, condition->choices[choice]);
    line++;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *other = ww_key_at(index);
        if (other == key || other->default_from != WW_DEFAULT_NONE ||
            strcmp(other->condition, key->condition) != 0 || (other->states >> choice & 1u) == 0)
            continue;
        fprintf(stream, "%s: %s\n", other->path, other->type == WW_KEY_REAL ? "0.5" : "/file");
        line++;
    }
    return line;
}

// Writes `value` for `key` on a line of its own and demands a message with key and line, and
// `also`.
static void expect_value_refused(const ww_key *key, const char *path, const char *value,
                                 const char *also)
{
    char *text = NULL, where[100];
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    const int line = write_needs(key, stream);
    fprintf(stream, "%s: %s\n# last\n", path, value);
    assert_int_equal(fclose(stream), 0);
    (void)snprintf(where, sizeof where, "test.yaml, line %d: ", line);
    const char *const wanted[] = {where, path, also, NULL};
    expect_refused(text, NULL, wanted);
    free(text);
}

static void test_every_key_refuses_what_is_no_value_for_it(void **state)
{
    (void)state;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        char wanted[1200], phrase[1100];
        ww_value_describe(key, phrase, sizeof phrase);
        (void)snprintf(wanted, sizeof wanted, "%s must be %s, but ", key->path, phrase);
        if (key->type != WW_KEY_STOP_RULES)
            expect_value_refused(key, key->path, "{a: 1}", wanted);
        expect_value_refused(key, key->path, "[[1]]", wanted);
        expect_value_refused(key, key->path, "{? [1] : 2}", wanted);
        expect_value_refused(key, key->path, "", wanted);
        expect_value_refused(key, key->path, "null", wanted);
        expect_value_refused(key, key->path, "!!binary x", wanted);
        if (key->type != WW_KEY_TEXT && key->type != WW_KEY_PATH) {
            expect_value_refused(key, key->path, "\"two words\"", wanted);
            expect_value_refused(key, key->path, "a$b", wanted);
        }
        if (key->type != WW_KEY_NAME && key->type != WW_KEY_TEXT && key->type != WW_KEY_PATH &&
            key->type != WW_KEY_REAL)
            expect_value_refused(key, key->path, "1.5", wanted);
    }
}

static void test_every_number_has_its_range(void **state)
{
    (void)state;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        const bool list = key->type == WW_KEY_INTEGER_LIST || key->type == WW_KEY_REAL_LIST;
        char value[64];
        if (key->type == WW_KEY_INTEGER || key->type == WW_KEY_SAMPLES ||
            key->type == WW_KEY_INTEGER_LIST) {
            (void)snprintf(value, sizeof value, list ? "[%lld]" : "%lld",
                           (long long)key->least - 1);
            expect_value_refused(key, key->path, value, " must be ");
            if (key->most < INT64_MAX) {
                (void)snprintf(value, sizeof value, list ? "[%lld]" : "%lld",
                               (long long)key->most + 1);
                expect_value_refused(key, key->path, value, " must be ");
            }
            expect_value_refused(key, key->path, list ? "[99999999999999999999]" : "1e19",
                                 " must be ");
        }
        if (key->type == WW_KEY_REAL || key->type == WW_KEY_REAL_LIST) {
            (void)snprintf(value, sizeof value, list ? "[%.17g]" : "%.17g",
                           key->above ? key->low : key->low - 0.001);
            expect_value_refused(key, key->path, value, " must be ");
            if (key->high < 1e300) {
                (void)snprintf(value, sizeof value, list ? "[%.17g]" : "%.17g",
                               key->below ? key->high : key->high + 0.001);
                expect_value_refused(key, key->path, value, " must be ");
            }
        }
    }
}

static void test_every_key_is_found_from_a_misspelling(void **state)
{
    (void)state;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        char path[WW_PATH_LIMIT], also[2 * WW_PATH_LIMIT];
        (void)snprintf(path, sizeof path, "%sx", key->path);
        (void)snprintf(also, sizeof also, "did you mean %s?", key->path);
        expect_value_refused(key, path, "1", also);
    }
}

static void test_every_key_is_refused_twice(void **state)
{
    (void)state;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        char text[600], line[WW_PATH_LIMIT + 60];
        (void)snprintf(text, sizeof text, "# first\n%s: 1\n\n%s: 1\n", key->path, key->path);
        (void)snprintf(line, sizeof line, "test.yaml, line 4: %s is given twice, first in line 2",
                       key->path);
        const char *const wanted[] = {line, NULL};
        expect_refused(text, NULL, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_explained),
        cmocka_unit_test(test_settings_must_not_contradict_each_other),
        cmocka_unit_test(test_messages_stay_short),
        cmocka_unit_test(test_every_key_refuses_what_is_no_value_for_it),
        cmocka_unit_test(test_every_number_has_its_range),
        cmocka_unit_test(test_every_key_is_found_from_a_misspelling),
        cmocka_unit_test(test_every_key_is_refused_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
