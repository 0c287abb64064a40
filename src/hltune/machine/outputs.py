"""The expected outputs of a pipeline, one per element of each, and how exact they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hltune.machine.doubts import disputed
from hltune.machine.options import MeasureOptions
from hltune.machine.runs import Ran
from hltune.machine.tolerance import Tolerance, exact, limited, measured
from hltune.pipeline.images import Array
from hltune.pipeline.operations import rounded_outputs
from hltune.values.pipeline import PipelineSpec


@dataclass(frozen=True)
class Outputs:
    """What is known of the outputs before they are computed, with the user's limits."""

    spec: PipelineSpec
    options: MeasureOptions

    @cached_property
    def names(self) -> list[str]:
        """Per output, for people."""
        return self.spec.output_names

    @cached_property
    def _dtypes(self) -> list[str]:
        return [dtype for output in self.spec.outputs for dtype in output.dtypes]

    @cached_property
    def _origins(self) -> list[tuple[int, ...]]:
        """The coordinates of the first element of each."""
        return [tuple(least for least, _ in each.estimate) for each in self.spec.outputs for _ in each.dtypes]

    @cached_property
    def _rounded(self) -> list[bool]:
        """Whether floats take part."""
        flags = zip(rounded_outputs(self.spec), self._dtypes, strict=True)
        return [flag or dtype.startswith("float") for flag, dtype in flags]

    @cached_property
    def measured(self) -> list[bool]:
        """Per output, whether its tolerance is measured, or what is near zero for the user's."""
        pairs = zip(self._dtypes, self._rounded, strict=True)
        return [flag and (dtype.startswith("float") or self._overruled(dtype) is None) for dtype, flag in pairs]

    def _overruled(self, dtype: str) -> float | None:
        """The user's limit; truths have none, for nothing lies between them."""
        if dtype == "bool":
            return None
        return self.options.tolerance if dtype.startswith("float") else self.options.integer_tolerance

    def agree(self, one: Sequence[Array], other: Sequence[Array]) -> bool:
        """Both may be right."""
        each = zip(self.names, self._rounded, one, other, strict=True)
        return all(
            not measured(name, ours, [("", theirs)]).chaotic if rounded else np.array_equal(ours, theirs)
            for name, rounded, ours, theirs in each
        )

    def chaotic(self, base: Ran, other: Ran) -> bool:
        """All whose tolerance is measured differ more than anything could allow."""
        return all(self._tolerance(number, base, [other]).chaotic for number, flag in enumerate(self.measured) if flag)

    def tolerances(self, reference: Ran, others: Sequence[Ran]) -> Iterator[Tolerance]:
        """How far each may be from a reference, by what others differ from it."""
        for number, origin in enumerate(self._origins):
            yield replace(self._tolerance(number, reference, others), origin=origin)

    def _tolerance(self, number: int, reference: Ran, others: Sequence[Ran]) -> Tolerance:
        name, expected = self.names[number], reference.outputs[number]
        most = self._overruled(self._dtypes[number])
        if most is not None:
            is_float = expected.dtype.kind == "f"
            text = f"a relative {most:.2g}" if is_float else f"off by {most:.0f} at most"
            reason = "--tolerance" if is_float else "--integer-tolerance"
            variants = [each.outputs[number] for each in others]
            return limited(name, expected, most, text=text, reason=reason, variants=variants)
        if not self._rounded[number]:
            same = all(np.array_equal(each.outputs[number], expected) for each in others)
            return replace(exact(name, expected), advice="" if same else disputed(self.spec))
        return measured(name, expected, [(each.variant.name, each.outputs[number]) for each in others])
