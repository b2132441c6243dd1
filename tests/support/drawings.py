"""Tests of drawings: all of them are there, none is empty, no text leaves its place."""

from __future__ import annotations

import sys

from program import SOURCE, Argument, ProgramTest, Result, execute

import style
import widthwise


class DrawingsTest(ProgramTest):
    """Runs a configuration and draws what its file holds."""

    def figures(self, *arguments: Argument) -> Result:
        """Runs figures.py."""
        command = [sys.executable, SOURCE / "analysis" / "figures.py", *arguments]
        return execute(command, self.folder)

    def draw(self, config: str, *names: str, also: tuple[str, ...] = ()) -> widthwise.File:
        """The figures, and no others, are drawn in silence: a layout without room would be said.

        The file has the name of the first; those of `also` come before all in the order of drawing.
        """
        path = self.train(config, f"{names[0]}.h5", ranks=2)
        result = self.figures(path, "--out", "out")
        self.assertEqual(result.code, 0, result.text)
        self.assertEqual(result.errors, "")
        drawn_names = (*also, *names)
        expected = [f"out/{names[0]}-{name}.{kind}" for name in drawn_names for kind in ("png", "pdf")]
        self.assertEqual(result.output.split(), expected)
        for drawn in expected:
            self.assertGreater((self.folder / drawn).stat().st_size, 8000, drawn)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        return file

    def check_texts(self, figure: style.Figure) -> None:
        """Legends lie within the figure, and none lies on another or on a panel; no panel is empty."""
        figure.canvas.draw()
        page = figure.bbox
        boxes = [legend.get_window_extent() for legend in figure.legends]
        for axes in figure.axes:
            self.assertGreater(axes.bbox.width, 0.25 * page.width)
            if axes.axison:
                self.assertTrue(axes.has_data(), axes.get_title())
            if axes.get_legend() is not None:
                boxes.append(axes.get_legend().get_window_extent())
            boxes.append(axes.bbox)
        for number, box in enumerate(boxes):
            self.assertGreaterEqual(box.x0, page.x0 - 1)
            self.assertLessEqual(box.x1, page.x1 + 1)
            self.assertGreaterEqual(box.y0, page.y0 - 1)
            self.assertFalse(any(box.overlaps(other) for other in boxes[:number]))
        style.plt.close(figure)
