"""What came out of each experiment of jobs/, as a sentence with numbers from its file.

Every function takes a file of that experiment, at any size, and says its own numbers: nothing here knows
what to expect.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import numpy as np

import arora
import brutzkus
import li_liang
import li_liang_data
import zou_gu_data
from arora import last_value, mean_by, number
from arora_widths import WIDTH, split, width_of
from averages import PowerLaw, first_reached, power_law
from li_liang import fact
from widthwise import File, Training, group_members, settings_of
from zou_gu_runs import kernel_rate, least, line_of, rate_of, result, samples_of

Value = Callable[[Training], Optional[float]]


def shown(value: float, digits: int = 3) -> str:
    """A number with so many digits that count, by powers of ten only where it is small or large."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def listed(values: Sequence[float], digits: int = 3) -> str:
    """Numbers with commas: 1, 0.97, 0.74."""
    return ", ".join(shown(value, digits) for value in values)


def span(values: Sequence[float], digits: int = 3) -> str:
    """From the least to the greatest, or the one value."""
    low, high = shown(min(values), digits), shown(max(values), digits)
    return low if low == high else f"{low} to {high}"


def power(law: Optional[PowerLaw]) -> str:
    """A power of m with its standard error."""
    return "?" if law is None else f"m^({law.exponent:.3f} ± {law.error:.3f})"


def _by(members: Sequence[Training], key: Value, value: Value) -> tuple[str, list[float]]:
    """The places, listed, and the mean value at each."""
    places, means = mean_by(members, key, value)
    return ", ".join(f"{place:g}" for place in places), list(means)


# Li & Liang


def four_panels(file: File) -> str:
    """Accuracy, coupling, distance and gap at the end, over widths."""
    widths, accuracy = _by(file.trainings, width_of, last_value("test_accuracy"))
    _, coupling = _by(file.trainings, width_of, last_value("coupling"))
    _, distance = _by(file.trainings, width_of, last_value("distance"))
    text = (
        f"m = {widths}: test accuracy {listed(accuracy)}; "
        f"{listed([100 * share for share in coupling], 2)}% of the patterns changed; "
        f"distance {listed(distance, 2)}"
    )
    gaps = [gap for gap in map(li_liang_data.spectral_gap, file.trainings) if gap is not None]
    if gaps:
        text += f"; the singular value kl of the update is {span(gaps, 2)} times the next"
    return text


def samples_in_the_plane(file: File) -> str:
    """delta and lambda of figure 3."""
    return "; ".join(
        f"l = {round(1 / (8 * found.limit))}: λ = {found.ratio:.3f}, 1/(8l) = {found.limit:.3g}"
        for found in li_liang_data.both_views(file)
    )


def accuracy_target(file: File) -> str:
    """Powers of m, and the distance times sqrt(m)."""
    found = li_liang.targets(file.trainings)
    scaled = [one.distance * np.sqrt(one.width) for one in found]
    return (
        f"{len(found)} runs, m = {min(one.width for one in found):.0f} to "
        f"{max(one.width for one in found):.0f}: steps go like {power(li_liang.flatness(found))}, "
        f"distance like {power(li_liang.closeness(found))}; it is {np.mean(scaled):.3g}/√m"
    )


def harder(file: File) -> str:
    """Accuracy at step 20 and at the end, distance at step 20."""
    key = next(iter(settings_of(file.members[0].label)))
    symbol = li_liang.SYMBOLS[key]
    early = li_liang_data.at_step(file.trainings, key, "test_accuracy", li_liang_data.EARLY_STEP)
    last = li_liang_data.at_step(
        file.trainings, key, "test_accuracy", li_liang_data.last_step(file.trainings)
    )
    coupling = li_liang_data.at_step(file.trainings, key, "coupling", li_liang_data.EARLY_STEP)
    places = ", ".join(f"{place:g}" for place in early)
    return (
        f"{symbol} = {places}: accuracy after 20 steps {listed([np.mean(v) for v in early.values()])}; "
        f"at the end {span([float(np.mean(v)) for v in last.values()])}; "
        f"{listed([100 * np.mean(v) for v in coupling.values()], 2)}% of the patterns changed after 20 steps"
    )


def random_labels(file: File) -> str:
    """Steps and distance to the train accuracy, of random labels over true ones."""
    kinds: dict[str, list[tuple[float, float]]] = {}
    for member in file.trainings:
        kind = settings_of(member.label).get(li_liang.LABELS_KEY, "")
        at = first_reached(member, "train_accuracy", li_liang.accuracy_looked_for(member))
        if at is not None:
            kinds.setdefault(kind, []).append((at.step, float(member.trajectory["distance"][at.row])))
    return "; ".join(
        f"{kind} labels fit after {np.mean([steps for steps, _ in found]):.0f} steps at distance "
        f"{np.mean([far for _, far in found]):.2g}"
        for kind, found in kinds.items()
    )


# Arora et al.


def convergence(file: File) -> str:
    """Residuals over those at the start beside (8); how labels lie in the spectrum."""
    parts = []
    for label, members in group_members(file.trainings).items():
        run = members[0]
        residual, limit = run.trajectory["residual"], arora.course(run, "residual_limit")
        kind = settings_of(label).get("data.labels.kind", "")
        parts.append(
            f"{kind} {residual[-1] / residual[0]:.3f} (equation (8): {limit[-1] / limit[0]:.3f})"
        )
    gram = file.trainings[0].gram
    shares = []
    for name, text in arora.LABEL_SETS[:2]:
        projections = gram[f"projections_{name}"]
        shares.append(f"{100 * (projections[:20] ** 2).sum() / (projections**2).sum():.0f}% of {text}")
    steps = int(file.trainings[0].trajectory["step"][-1])
    return (
        f"residual after {steps} steps over that at the start: {', '.join(parts)}; "
        f"{' and '.join(shares)} lie on the first 20 of {len(gram['eigenvalues'])} eigenvectors"
    )


def complexity(file: File) -> str:
    """Errors and complexity at both ends, and how they go together."""
    def share(member: Training) -> Optional[float]:
        return float(settings_of(member.label)[arora.FRACTION])

    _, complexities = mean_by(
        file.trainings, share, lambda member: number(member, "complexity_train")
    )
    fractions, errors = mean_by(file.trainings, share, last_value("test_absolute_error"))
    together = np.corrcoef(complexities, errors)[0, 1]
    return (
        f"from {100 * fractions[0]:.0f}% to {100 * fractions[-1]:.0f}% of random labels complexity rises "
        f"from {complexities[0]:.3g} to {complexities[-1]:.3g}, the l1 error from {errors[0]:.2g} to "
        f"{errors[-1]:.2g}; they correlate with {together:.2f}"
    )


def movement(file: File) -> str:
    """Distance over that at infinite width, and the farthest unit's power of m."""
    parts = []
    for label, members in split(file.trainings, WIDTH).items():
        def beyond(member: Training) -> Optional[float]:
            limit = arora.course(member, "distance_limit")[-1]
            return float(member.trajectory["distance_absolute"][-1] / limit)

        widths, ratios = mean_by(members, width_of, beyond)
        law = power_law(*mean_by(members, width_of, last_value("row_movement")))
        parts.append(
            f"{arora.described(label)}: {ratios[0]:.3f} times the limit's distance at m = "
            f"{widths[0]:.0f}, {ratios[-1]:.3f} at {widths[-1]:.0f}; farthest unit like "
            f"m^{law.exponent:.2f}"
        )
    return "; ".join(parts)


def deviations(file: File) -> str:
    """Largest deviation of outputs from (7), over the widths."""
    parts = []
    for label, members in split(file.trainings, WIDTH).items():
        def off(member: Training) -> Optional[float]:
            labels = member.gram["labels_train"]
            values = arora.course(member, "deviation_limit")
            return float(np.nanmax(values) / np.linalg.norm(labels))

        widths, values = mean_by(members, width_of, off)
        parts.append(
            f"{arora.described(label)}: {100 * values[0]:.2g}% of the labels at m = {widths[0]:.0f}, "
            f"{100 * values[-1]:.2g}% at {widths[-1]:.0f}"
        )
    return "outputs off equation (7) by " + "; ".join(parts)


def functions(file: File) -> str:
    """Forms over their bounds at the most samples."""
    shares, beyond = [], []
    most = max(len(member.gram["labels_train"]) for member in file.trainings)
    for member in file.trainings:
        if len(member.gram["labels_train"]) != most:
            continue
        bound, form = float(member.theory["function_bound"]), number(member, "quadratic_form_true")
        if form is not None and np.isfinite(bound):
            shares.append(np.sqrt(form) / bound)
        elif form is not None:
            beyond.append(np.sqrt(form))
    return (
        f"n = {most}: √(y'H⁻¹y) is at {span([100 * share for share in shares], 2)}% of the bound; "
        f"without a bound it comes to {listed(beyond, 2)}"
    )


# Brutzkus et al.


def separable(file: File) -> str:
    """Updates, test error and ratios over widths."""
    widths, updates = _by(file.trainings, width_of, last_value("updates"))
    accuracies = "test_accuracy" if "test_accuracy" in file.trainings[0].trajectory else "test_error"
    _, found = _by(file.trainings, width_of, last_value(accuracies))
    errors = [100 * (1 - one if accuracies == "test_accuracy" else one) for one in found]
    zero = sum(last_value("loss")(member) == 0 for member in file.trainings)
    text = (
        f"{zero} of {len(file.trainings)} runs end at loss 0; m = {widths}: {listed(updates, 4)} updates, "
        f"test error {listed(errors, 2)}%"
    )
    known = [one for one in map(least("output_ratio_min"), file.trainings) if one is not None]
    if file.members[0].setting("network.train_output") == "true" and known:
        text += f"; smallest v_t/v_0 {min(known):.2g}"
    return text


def rates(file: File) -> str:
    """Updates over rates."""
    def rate(member: Training) -> Optional[float]:
        return fact(member, "learning_rate")

    places, updates = _by(file.trainings, rate, last_value("updates"))
    _, bounds = _by(file.trainings, rate, lambda member: brutzkus.bound(member, "update_bound"))
    return f"η = {places}: {listed(updates, 4)} updates; theorem 2 allows {listed(bounds, 2)}"


def successes(file: File) -> str:
    """Shares of success beside their exact probability."""
    within, total, promised = 0, 0, []
    for members in brutzkus.starts(file).values():
        share = np.mean([brutzkus.last(run, "violations") == 0 for run in members])
        exact = float(members[0].theory["success_probability"])
        total += 1
        within += abs(share - exact) <= 2 * np.sqrt(exact * (1 - exact) / len(members)) + 1e-12
        half = (fact(members[0], "width") or 0) / 2
        upper = brutzkus.bound(members[0], "units_success")
        if upper is not None and half >= upper:
            promised.append(share)
    return (
        f"{within} of {total} shares are within 2 deviations of the exact probability; above the upper "
        f"threshold at least {100 * min(promised):.1f}% succeed"
    )


def lower_bound(file: File) -> str:
    """Updates over both bounds."""
    below, above = [], []
    for member in file.trainings:
        updates = last_value("updates")(member)
        low = brutzkus.bound(member, "update_lower_bound")
        high = brutzkus.bound(member, "update_bound")
        if updates and low and high:
            below.append(updates / low)
            above.append(100 * updates / high)
    return (
        f"{len(below)} runs make {span(below, 2)} times the updates of theorem 10, and "
        f"{span(above, 2)}% of those of theorem 2"
    )


# Zou & Gu


def linear_rate(file: File) -> str:
    """R^2 and rates over depths, beside those of the kernel."""
    def depth(member: Training) -> Optional[float]:
        return fact(member, "depth")

    fits = [line.fit for line in map(line_of, file.trainings) if line is not None]
    depths, found = _by(file.trainings, depth, rate_of)
    _, told = _by(file.trainings, depth, kernel_rate)
    text = f"R² of log loss at least {np.floor(1e5 * min(fits)) / 1e5:.5g}; L = {depths}: {listed(found)} a step"
    return text + (f" (kernel at the start: {listed(told)})" if told else "")


def lengths(file: File) -> str:
    """Powers of m of lengths and distances."""
    parts = []
    for label, members in split(file.trainings, WIDTH).items():
        law = power_law(*mean_by(members, width_of, last_value("trajectory_length")))
        depth = settings_of(label).get("network.depth", "1")
        parts.append(f"m^{law.exponent:.2f} with L = {depth}")
    return f"trajectory lengths go like {', '.join(parts)}"


def separation(file: File) -> str:
    """Smallest eigenvalue of the kernel and rate over phi."""
    most = max(samples_of(member) or 0 for member in file.trainings)
    members = [member for member in file.trainings if samples_of(member) == most]
    key = "data.sphere.separation"
    place: Value = lambda member: float(settings_of(member.label)[key])
    smallest = power_law(*mean_by(members, place, result("limit_kernel_least")))
    speed = power_law(*mean_by(members, place, rate_of))
    return (
        f"n = {most:.0f}: λ_min of the limit kernel goes like φ^{smallest.exponent:.2f}, the rate like "
        f"φ^{speed.exponent:.2f}"
    )


def regions(file: File) -> str:
    """What the union of gradient regions gains."""
    gains = mean_by(file.trainings, samples_of, result("region_gain"))
    return "; ".join(f"n = {n:.0f}: union {gain:.3g} times one region" for n, gain in zip(*gains))


def table1(file: File) -> str:
    """Numbers of the paper and of the run."""
    member = file.trainings[0]
    values = zou_gu_data.table1_values(member)
    target = float(member.setting("theory.target_loss") or "nan")
    reached = zou_gu_data.iterations_to(member, target)
    own = values["Zou & Gu"]
    others = [pair[0] for pair in values.values()]
    return (
        f"n = {samples_of(member):.0f}, L = {fact(member, 'depth'):.0f}: widths of {span(others, 1)} asked for, "
        f"{shown(own[0], 2)} by Zou & Gu with {own[1]:.0f} iterations; m = {width_of(member):.0f} took "
        f"{'more than all' if reached is None else f'{reached:.0f}'} steps to a loss of {target:g}"
    )


def batches(file: File) -> str:
    """Last loss by batch."""
    sizes, losses = _by(file.trainings, lambda member: fact(member, "batch"), last_value("loss"))
    return f"B = {sizes}: loss {listed(losses, 2)} at the end"


def narrow(file: File) -> str:
    """Widths at which the width is insufficient."""
    def too_narrow(member: Training) -> Optional[float]:
        return float(zou_gu_data.is_too_narrow(member))

    widths, shares = _by(file.trainings, width_of, too_narrow)
    return f"m = {widths}: {listed([100 * share for share in shares], 3)}% of the runs too narrow"


def accuracies(file: File) -> str:
    """Accuracies and loss over widths."""
    widths, train = _by(file.trainings, width_of, last_value("train_accuracy"))
    _, test = _by(file.trainings, width_of, last_value("test_accuracy"))
    return f"m = {widths}: train accuracy {listed(train, 2)}, test accuracy {listed(test, 2)}"


def gain_of_top_layer(file: File) -> str:
    """Rate with V trained over that without."""
    places: dict[str, dict[float, float]] = {}
    for label, members in split(file.trainings, WIDTH).items():
        trained = settings_of(label)["network.train_output"]
        places[trained] = dict(zip(*mean_by(members, width_of, rate_of)))
    gains = {m: 100 * (places["true"][m] / rate - 1) for m, rate in places["false"].items()}
    return ", ".join(f"m = {m:.0f}: {gain:+.1f}%" for m, gain in gains.items()) + " in the rate"
