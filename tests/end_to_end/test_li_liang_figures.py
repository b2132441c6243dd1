"""Figures of Li and Liang (2018), and the page of overview, drawn of small runs."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from drawings import DrawingsTest  # noqa: E402

import averages  # noqa: E402  (program.py says where it is)
import catalogue  # noqa: E402
import li_liang  # noqa: E402
import li_liang_data  # noqa: E402
import overview  # noqa: E402
import style  # noqa: E402
import summary  # noqa: E402
from widthwise import settings_of  # noqa: E402

MIXTURE = """
model: li-liang
data:
  {source: mixture, train: 200, test: 200, normalize: sphere,
   mixture: {dimension: 40, classes: 4, components: 2, spread: 1.0, separation: 5.0}}
network: {width: 256}
training: {steps: 40}
"""

HARDER = MIXTURE + """
measure:
  every: 10
  quantities: [test_accuracy, coupling, distance]
  final: [update_spectrum, weight_spectrum]
"""

TARGET = MIXTURE.replace("steps: 40", "steps: 200, stop: {test_accuracy: 0.9}") + """
measure:
  {every: 1, quantities: [test_accuracy, distance], final: [accuracy_target], accuracy_target: 0.9}
sweep: {network.width: [128, 512, 2048], seed: [1, 2, 3]}
"""

XOR = """
model: li-liang
data: {source: xor-balls, train: 100, test: 20, normalize: none}
network: {width: 64}
training: {steps: 20}
measure: {every: 10, quantities: [loss], final: [separation]}
output: {record: [data]}
"""

# Hinge loss on data that no figure of Brutzkus et al. is about, without a test error: no paper's.
PLAIN = """
model: brutzkus
data: {source: mixture, train: 60, test: 30, mixture: {dimension: 10, classes: 2}}
network: {width: 20}
training: {epochs: 3}
measure: {every: 30, quantities: [loss, weight_norm, updates], final: [separation]}
sweep: {seed: [1, 2]}
"""


class FiguresTest(DrawingsTest):
    """Each figure of analysis/li_liang.py and li_liang_data.py, and overview.py."""

    def setUp(self) -> None:
        """One style for what is drawn here as for what the program draws."""
        super().setUp()
        style.use()

    def test_figure3(self) -> None:
        """What is said of A1 is what the program measured of the same samples, for l = 2 and l = 1."""
        file = self.draw(XOR, "data")
        member = file.members[0]
        inputs, classes, components = (member.record[name] for name in li_liang_data.DATASETS)
        found = li_liang_data.separability(inputs, classes, components)
        for name, value in (
            ("separation_delta", found.distance),
            ("separation_lambda", found.ratio),
            ("separation_lambda_limit", found.limit),
        ):
            self.assertAlmostEqual(value, float(member.final[name]), places=12, msg=name)
        self.assertLessEqual(found.ratio, found.limit)
        whole = li_liang_data.separability(inputs, classes, np.zeros_like(components))
        self.assertEqual(whole.limit, 1 / 8)
        self.assertGreater(whole.ratio, 1.4)  # the diagonal of the square over 1.9
        self.check_texts(li_liang_data.data(file))

    def test_figures_4_and_5(self) -> None:
        """Powers of the width, as least squares over all runs have them."""
        file = self.draw(TARGET, "accuracy-target")
        found = li_liang.targets(file.trainings)
        self.assertEqual(len(found), 9)
        logs = np.log([[one.width, one.steps, one.distance] for one in found])
        for column, law in ((1, li_liang.flatness(found)), (2, li_liang.closeness(found))):
            slope = np.polyfit(logs[:, 0], logs[:, column], 1)[0]
            self.assertAlmostEqual(law.exponent, slope, places=12)
        self.check_texts(li_liang.target(file))

    def test_power_law(self) -> None:
        """Exponent, factor and standard error of points whose answer is known."""
        places = np.array([1.0, 10.0, 100.0])
        exact = averages.power_law(places, 3 / np.sqrt(places))
        np.testing.assert_allclose((exact.exponent, exact.factor), (-0.5, 3.0), rtol=1e-12)
        self.assertLess(exact.error, 1e-12)
        # Logs 0, a, 0 at 0, 1, 2: slope 0, residuals -a/3, 2a/3, -a/3, variance 2a^2/3 over sum 2.
        bent = averages.power_law(np.exp([0, 1, 2]), np.exp([0, 0.3, 0]))
        self.assertAlmostEqual(bent.exponent, 0.0, places=12)
        self.assertAlmostEqual(bent.error, 0.3 / np.sqrt(3), places=12)

    def test_figures_6_and_7(self) -> None:
        """Values at step 20 by variance and by components, and the gap after the k l-th value."""
        for name, key, values in (
            ("variances", li_liang_data.VARIANCES, (1, 3, 6)),
            ("components", li_liang_data.COMPONENTS, (1, 2, 3)),
        ):
            with self.subTest(name):
                sweep = f"sweep: {{{key}: {list(values)}, seed: [1, 2]}}\n"
                file = self.draw(HARDER + sweep, name, also=("four-panels",))
                found = li_liang_data.at_step(file.trainings, key, "test_accuracy", 20)
                self.assertEqual(list(found), [float(value) for value in values])
                for member in file.members:
                    place = float(settings_of(member.label)[key])
                    self.assertIn(float(member.trajectory["test_accuracy"][2]), found[place])
                    last = 4 * int(member.parameters["components"])
                    spectrum = member.final["update_spectrum"]
                    gap = li_liang_data.spectral_gap(member)
                    self.assertAlmostEqual(gap * spectrum[last], spectrum[last - 1], places=12)
                self.check_texts(li_liang_data.harder(file))
                self.check_texts(li_liang.four_panels(file))

    def test_overview(self) -> None:
        """A run that no paper has gets a page: what ran, and its last numbers."""
        file = self.draw(PLAIN, "overview")
        self.assertEqual([drawing.name for drawing in catalogue.choose(file, None)], ["overview"])
        listed = self.figures("overview.h5", "--list")
        self.assertEqual((listed.code, listed.errors), (0, ""))
        self.assertEqual([line.split()[0] for line in listed.output.splitlines()], ["overview"])
        missing = self.figures("overview.h5", "--only", "four-panels")
        self.assertEqual((missing.code, missing.output), (1, ""))
        self.assertIn("nothing yet that figure four-panels could show", missing.errors)
        facts = dict(summary.facts_of(file))
        self.assertEqual(facts["hidden units m"], "20")
        self.assertEqual(facts["loss"], "hinge")
        self.assertEqual(facts["runs"], "2 done")
        numbers = summary.key_numbers(file.trainings)
        losses = [member.trajectory["loss"][-1] for member in file.members]
        np.testing.assert_array_equal(summary.named(numbers, "loss").values, losses)
        self.assertEqual(summary.named(numbers, "separation_delta").kind, "result")
        self.check_texts(overview.draw(file))


if __name__ == "__main__":
    unittest.main()
