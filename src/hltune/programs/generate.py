"""Puts kinds of stages together; runs in a worker."""

from dataclasses import replace

import halide as hl

from hltune.pipeline.build import expression_text, spec_of
from hltune.pipeline.serialized import plain_name
from hltune.programs.bounded import Bounded
from hltune.programs.choices import Draw
from hltune.programs.draft import Draft, Image, c, x, y
from hltune.programs.geometry import BORDERS, bordered
from hltune.programs.kinds import KINDS
from hltune.programs.program import Node, Program
from hltune.values.errors import Failure, JobFailed
from hltune.values.pipeline import PipelineSpec

_WIDTHS = (128, 256, 384, 512, 640, 768, 1024, 1280, 1536, 2048)
_HEIGHTS = (128, 192, 256, 384, 512, 720, 1024, 1080, 1536)
_CHANNELS = (1, 1, 1, 1, 3, 3, 4, 8, 16)
_INPUTS = ("uint8", "uint8", "uint8", "uint16", "int16", "float32", "float32", "uint32", "int32", "int8")
_LEAST_STAGES, _MOST_STAGES = 2, 8
_SECOND_INPUT, _SECOND_OUTPUT = 0.2, 0.15
_ATTEMPTS_PER_STAGE = 20
_LEAST_WIDTH = 64
"""Least width of an output: Adams2019 splits by the length of vectors, and writes narrower ones out of bounds."""


def generate(name: str, seed: int, stages: int | None) -> Program:
    """The program of a seed; raises JobFailed if no kind of stage fits what is there."""
    draw = Draw(seed)
    stages = stages or draw.between(_LEAST_STAGES, _MOST_STAGES)
    draft = Draft(draw)
    _add_inputs(draft)
    for _ in range(stages):
        _add_stage(draft)
    outputs = _outputs(draft)
    pipeline = hl.Pipeline([image.func for image in outputs])
    nodes = _reachable(draft.nodes, [image.func.name() for image in outputs])
    used = {node.name for node in nodes}
    spec = spec_of(
        name,
        hl.serialize_pipeline(pipeline),
        [argument for argument in draft.inputs if argument.name in used],
        [tuple((0, extent) for extent in image.extents) for image in outputs],
    )
    plain = (replace(node, name=plain_name(node.name), reads=tuple(map(plain_name, node.reads))) for node in nodes)
    return Program(seed=seed, stages=stages, spec=spec, nodes=tuple(plain), text=_text(pipeline, spec))


def _add_inputs(draft: Draft) -> None:
    draw = draft.draw
    for _ in range(2 if draw.chance(_SECOND_INPUT) else 1):
        while not draft.affordable(extents := (draw.choice(_WIDTHS), draw.choice(_HEIGHTS), draw.choice(_CHANNELS))):
            pass
        dtype, border = draw.choice(_INPUTS), draw.choice(BORDERS)
        param, low, high = draft.input(dtype, extents)
        draft.kind, func = border, bordered(param, border, extents)
        whole = Bounded(hl.Expr(func[x, y, c]), low, high, dtype == "float32")
        draft.images.append(draft.defined(func, dtype, extents, whole, [param]))
    draft.bordered_inputs = tuple(draft.images)


def _add_stage(draft: Draft) -> None:
    """Adds one stage of a kind that fits; a kind that does not fit changes nothing."""
    for _ in range(_ATTEMPTS_PER_STAGE):
        kind = draft.draw.weighted(KINDS)
        draft.kind = kind.__name__
        if (image := kind(draft)) is not None:
            draft.images.append(image)
            return
    raise JobFailed(Failure(stage="program", kind="error", message="no kind of stage fits what is there"))


def _outputs(draft: Draft) -> list[Image]:
    """The last stage that is wide enough, and sometimes one more."""
    wide = [image for image in draft.images if image.extents[0] >= _LEAST_WIDTH and image not in draft.bordered_inputs]
    if not wide:
        raise JobFailed(Failure(stage="program", kind="error", message="no stage is wide enough to be an output"))
    *others, last = wide
    if others and draft.draw.chance(_SECOND_OUTPUT):
        return [last, draft.draw.recent(others)]
    return [last]


def _reachable(nodes: list[Node], names: list[str]) -> list[Node]:
    wanted = set(names)
    for node in reversed(nodes):
        if node.name in wanted:
            wanted |= set(node.reads)
    return [node for node in nodes if node.name in wanted]


def _text(pipeline: hl.Pipeline, spec: PipelineSpec) -> tuple[str, ...]:
    lines: list[str] = []
    for index, info in enumerate(spec.funcs):
        func = pipeline.get_func(index)
        lines.append(f"{info.name}({', '.join(info.args)}) = {expression_text(func.value())}")
        for number in range(func.num_update_definitions()):
            place = ", ".join(map(expression_text, func.update_args(number)))
            lines.append(f"{info.name}({place}) = {expression_text(func.update_value(number))}")
    return tuple(map(plain_name, lines))
