"""From a `Source` to a `PipelineSpec`.

Reading map: `source` parses what the user wrote; `python_source` and `cpp_source` each turn one kind of file into an
`Algorithm`; `serialized` reads what Halide wrote; `estimates` completes the sizes; `build` goes back from the spec to
Halide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.pipeline.foreign import check_all_is_halide, effect_notes
from hltune.pipeline.operations import c_functions
from hltune.pipeline.prefetches import take_prefetches
from hltune.pipeline.serialized import SerializedOutput, plain_name, read_pipeline
from hltune.pipeline.source import Source
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.worker import Process
from hltune.values.errors import HltuneError, InputError
from hltune.values.pipeline import OutputImage, PipelineSpec

if TYPE_CHECKING:
    from hltune.pipeline.algorithm import Algorithm

_LOAD_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadJob:
    """Loads a pipeline. Run it in a fresh worker: the names that Halide invents depend on the process's history,
    and so does the content hash.

    Attributes:
        target: ``host`` or a Halide target string; a generator may ask for it.
        cache: directory for the executables of C++ generators.
    """

    source: Source
    target: str
    cache: Path

    def run(self, process: Process) -> PipelineSpec:
        """Runs in the worker, because user code may do anything."""
        # Imported here because the parent, which makes the job, does without Halide.
        from hltune.pipeline.user_code import kept_buffers

        process.enter("load", timeout_s=_LOAD_S)
        with kept_buffers():
            return self._load(process)

    def _load(self, process: Process) -> PipelineSpec:
        from hltune.pipeline.build import lost_images, spec_of
        from hltune.pipeline.estimates import complete_estimates
        from hltune.pipeline.manual import separate

        where = self.source.location
        loaded = _stored_densely(self._algorithm(process), where)
        separated = separate(loaded, where=where)
        algorithm = replace(loaded, hlpipe=separated.hlpipe)
        images = separated.output_images
        found = read_pipeline(algorithm.hlpipe, where=where, images=images)
        _check_different(found.outputs, where=where)
        called = c_functions(algorithm.hlpipe)
        check_all_is_halide(found, called, where=where)
        inputs, estimates = complete_estimates(algorithm, found.outputs, self.source)
        spec = spec_of(algorithm.name or self.source.name, algorithm.hlpipe, inputs, estimates, images)
        # A schedule was taken off, all but its rfactor.
        kept = None if separated.hlpipe == loaded.hlpipe else spec.rfactor_note()
        unknown = _unknown_promises(loaded.hlpipe, where) if self.source.kind == "hlpipe" else []
        notes = (*separated.notes, *effect_notes(found, called), *([kept] if kept else []), *unknown)
        spec = replace(spec, manual=separated.manual, manual_images=separated.manual_images, notes=notes)
        if separated.racy:  # it may differ from itself
            return spec
        theirs = lost_images(loaded.output_images, loaded.hlpipe)
        own = replace(spec, manual=loaded.hlpipe, manual_images=theirs) if separated.scheduled else spec
        note = self._compare(process, loaded, own, scheduled=separated.scheduled)
        return replace(spec, notes=(*spec.notes, *([note] if note else [])))

    def _compare(self, process: Process, loaded: Algorithm, spec: PipelineSpec, *, scheduled: bool) -> str | None:
        """The first check: the spec computes what the user's process computes; once for each text of the file.

        Says why that was not possible, if so.
        """
        from hltune.pipeline.cpp_check import digest, once
        from hltune.pipeline.own_output import CHECK_S, check_own_output, is_lasting

        where = self.source.location
        if loaded.check is not None:
            return loaded.check(spec, scheduled)
        if loaded.own is None:
            return None
        text = Path(where).read_text(errors="replace") if self.source.kind == "python" else where
        done = self.cache / f"same-{digest(spec, text, halide_version())}"
        process.enter("compare with the file's process", timeout_s=CHECK_S)
        check = partial(check_own_output, loaded.own, spec, scheduled=scheduled, where=where)
        return once(done, check, is_lasting=is_lasting)

    def _algorithm(self, process: Process) -> Algorithm:
        from hltune.pipeline.cpp_source import load_cpp_file
        from hltune.pipeline.python_source import load_module_function, load_python_file

        match self.source.kind:
            case "python":
                return load_python_file(self.source, self.target, process)
            case "module":
                return load_module_function(self.source)
            case "cpp":
                return load_cpp_file(self.source, self.target, self.cache, process)
            case "hlpipe":
                return _load_hlpipe_file(self.source)


def _unknown_promises(hlpipe: bytes, where: str) -> list[str]:
    """What of a file that Halide wrote nobody can know."""
    import halide as hl

    named, outputs = hl.deserialize_parameters(hlpipe), read_pipeline(hlpipe, where=where).outputs
    lost = [plain_name(output.name) for output in outputs if any(image in named for image in output.images)]
    if not lost:
        return []
    return [
        f"what the pipeline promises of the images of {', '.join(lost)} may not be in the file, for Halide leaves "
        "strides, bounds and alignment out where an expression names them: name the source instead if they are "
        "other than Halide's defaults"
    ]


def _check_different(outputs: Sequence[SerializedOutput], *, where: str) -> None:
    """Raises an `InputError` for a Func that is an output more than once."""
    name, count = Counter(output.name for output in outputs).most_common(1)[0]
    if count > 1:
        raise InputError(
            f"{name} is two outputs of the pipeline",
            where=where,
            expected="another Func as each output",
            todo=f"leave the second one out, or make it a Func of its own that copies {name}",
        )


def _stored_densely(algorithm: Algorithm, where: str) -> Algorithm:
    from hltune.pipeline.embedded import store_densely

    manual = algorithm.manual
    if manual is not None and not isinstance(manual, HltuneError):
        manual = _stored_densely(manual, where)
    return replace(algorithm, hlpipe=store_densely(algorithm.hlpipe, where=where), manual=manual)


def _load_hlpipe_file(source: Source) -> Algorithm:
    """Inputs in the order that Halide infers, images first; the file has no estimates of them."""
    import halide as hl

    from hltune.pipeline.algorithm import Algorithm, describe_input

    data = Path(source.location).read_bytes()
    found = read_pipeline(data, where=source.location)  # Halide does not check, and a damaged file can crash it
    try:
        parameters = hl.deserialize_parameters(data)
        readable = take_prefetches(data, where=source.location).data
        arguments = hl.deserialize_pipeline(readable, parameters).infer_arguments()
    except hl.HalideError as error:
        raise InputError("Halide cannot read this file", where=source.location, found=str(error).strip()) from error
    scalars = {name for name, parameter in parameters.items() if not parameter.is_buffer()}
    for key, _ in source.parameters:
        if key not in scalars:
            raise InputError(
                "a .hlpipe file has no parameters but its scalar inputs",
                where=f"-p {key}",
                expected=", ".join(sorted(scalars)) or "none: this pipeline has no scalar inputs",
                todo="set other parameters where the file is made",
            )
    # An image that only its own promise names is in the file, and Halide's reader takes it for an input all the same.
    kept = (
        OutputImage(name=image, constraints=output.constraints, alignment=output.alignment)
        for output in found.outputs
        for image in output.images
        if image in parameters
    )
    return Algorithm(
        hlpipe=data,
        inputs=tuple(describe_input(parameters[argument.name]) for argument in arguments),
        output_images=tuple(image for image in kept if image.is_promised),
    )
