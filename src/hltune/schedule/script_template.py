"""What `hltune.schedule.script` writes around a schedule: a program for whoever is to see a failure without hltune."""

MAIN = '''

TARGET = "{target}"
"""What it was compiled for; the first argument of this script, if there is one, is used instead."""
IMAGES = {images}
"""Inputs: name, type, and per dimension minimum, extent and stride, the innermost first."""
FILES = {files}
"""Those that are read from a file beside this one; the others are drawn."""
SEED = {seed}
RANGES = {ranges}
"""Of random integers, by their type."""
SCALARS = {scalars}
OUTPUTS = {outputs}
"""Types of the elements of each output, and the same of its dimensions."""
ALIGNMENT = {alignment}
"""Images begin at multiples of so many bytes."""
TOLERANCES = {tolerances}
"""Per output image, distances, and how many elements may be farther off: of all, and in any slice of each axis;
then what floats are related to near zero, None for a hundredth of the largest."""
USUAL = {by_rule}
"""What people should know of tolerances that nobody measured."""
FAILURE = {failure}
"""What came of the schedule when it was measured; None if it worked."""
GIVEN_UP = {given_up}
"""The stage that took too long then, and after how many seconds it was given up."""
ORDER = {order}
RUNS = 5
GUARD = 4096
"""Bytes before and behind an image that belong to nobody."""


PATIENCE = 5
"""How many times as long as it had when it was measured, and a minute more, a schedule that took too long has here."""
HERE = "--here"
"""The argument with which this script does all in its own process, as for a debugger."""


def main() -> None:
    """Checks in a process of its own, which a wrong schedule may take down."""
    if {{"-h", "--help"}} & {{*sys.argv}}:
        print(f"python {{Path(__file__).name}} [TARGET] [{{HERE}}]: for another target of Halide's; in this process")
        return
    if HERE in sys.argv:
        sys.argv.remove(HERE)
        verdict()
        return
    stage, after_s = GIVEN_UP or ("", None)
    patient_s = None if after_s is None else PATIENCE * after_s + 60
    try:
        code = subprocess.run([sys.executable, __file__, *sys.argv[1:], HERE], timeout=patient_s).returncode
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except subprocess.TimeoutExpired:
        then = f"when it was measured, {{stage}} was given up after {{after_s:.3g}} s"
        raise SystemExit(f"not done after {{patient_s:.0f}} s; {{then}}: it takes too long") from None
    if code not in (0, 1):
        known = -code in list(signal.Signals)
        name = signal.Signals(-code).name if known else f"exit code {{code}}"
        as_measured = known and name in (FAILURE or "")
        how = "as it did when it was measured" if as_measured else f"otherwise than then: {{FAILURE or 'it worked'}}"
        print(f"the process ended with {{name}}, {{how}}; {{HERE}} runs it without another process", file=sys.stderr)
    raise SystemExit(1 if code else 0)


def verdict() -> None:
    """Runs the pipeline with the schedule, then in a way that is right, and compares; says how it fails, if so."""
    try:
        check()
    except Refused as refused:
        stage, error = refused.args
        print(f"{{type(error).__name__}}: {{error}}", file=sys.stderr)
        first = str(error).strip().splitlines()[0][:20]  # what comes later may have names that count up
        as_measured = (FAILURE or "").startswith(f"{{stage}}: ") and first in FAILURE
        how = "in this step, as it did when it was measured" if as_measured else "otherwise than when it was measured"
        raise SystemExit(f"it fails {{how}}: {{FAILURE or 'then it worked'}}") from None


class Refused(Exception):
    """The schedule fails in this stage, with this error of Halide's."""


def check() -> None:
    """Raises `Refused` if the schedule does not run, and `SystemExit` if it is wrong or takes too long."""
    target, here = hl.Target(sys.argv[1] if len(sys.argv) > 1 else TARGET), hl.get_host_target()
    lacks = [name for name, each in hl.TargetFeature.__members__.items() if is_lacking(name, each, target, here)]
    if lacks or (target.arch, target.os, target.bits) != (here.arch, here.os, here.bits):
        began = time.perf_counter()
        with stage("compile"):
            pipeline, arguments = build(apply_schedule)
            pipeline.compile_to({{hl.OutputFileType.object: "reproduce.o"}}, arguments, "reproduce", target)
        is_late(time.perf_counter() - began, None)
        todo = "to run the schedule on this one: python reproduce.py host"
        why = f", which lacks {{', '.join(lacks)}}" if lacks else ""
        raise SystemExit(f"compiled, but code for {{target}} does not run on this computer{{why}}; {{todo}}")
    if GIVEN_UP is not None:
        print("{{}} was given up after {{:.3g}} s then; now it has longer".format(*GIVEN_UP), flush=True)
    runs, compile_s, run_s = run(apply_schedule, target, RUNS)
    print(f"the schedule: {{min(run_s) * 1e3:.3f}} ms, compiled in {{compile_s:.3g}} s", flush=True)
    late = is_late(compile_s, max(run_s))
    expected = reference(target)
    if expected is None:
        print("nothing to compare with but the first run of the schedule itself")
    said = [[*compare(expected or runs[0], found)] for found in runs]
    wrong = [lines for lines in said if any(line.startswith("  wrong") for line in lines)]
    print(*(wrong or said)[0], sep="\\n")
    if USUAL is not None:
        print(USUAL)
    if wrong:
        raise SystemExit(f"wrong in {{len(wrong)}} of {{len(runs)}} runs")
    if late:
        raise SystemExit("it takes too long, as it did when it was measured")
    if FAILURE is not None:
        print(f"what was measured did not happen this time: {{FAILURE}}")


def is_lacking(name, feature, target, here):
    """The processor has to have this feature for code of the target, and has not."""
    of_processors = name.upper().startswith(("SSE", "AVX", "FMA", "F16C", "ARM", "SVE", "VSX", "POWER", "RVV"))
    return of_processors and target.has_feature(feature) and not here.has_feature(feature)


@contextlib.contextmanager
def stage(name):
    """Says in which stage of a measurement Halide raises an error."""
    try:
        yield
    except hl.HalideError as error:
        raise Refused(name, error) from error


def is_late(compile_s, run_s):
    """Whether what took too long does so again; says it."""
    stage, after_s = GIVEN_UP or (None, None)
    done, taken_s = {{"compile": ("compiled", compile_s), "run": ("ran", run_s)}}.get(stage, (None, None))
    if taken_s is None:
        return False
    late = taken_s > after_s
    how = "too slow" if late else "not this time"
    print(f"{{done}} in {{taken_s:.3g}} s; it was given up after {{after_s:.3g}} s: {{how}}", flush=True)
    return late


def reference(target):
    """The outputs with every Func at root, or with no schedule at all; None if neither runs."""
    for name, schedule in [("every Func at root", at_root), ("without a schedule", lambda pipeline: None)]:
        try:
            (outputs,), _, (seconds,) = run(schedule, target, 1)
        except Refused as refused:
            print(f"{{name}}: {{refused.args[1]}}", flush=True)
        else:
            print(f"{{name}}: {{seconds * 1e3:.3f}} ms", flush=True)
            return outputs
    return None


def compare(expected, found):
    """How many elements of each output differ, and what is wrong with it."""
    for number, ((one, _), (other, untouched)) in enumerate(zip(expected, found)):
        levels, near_zero = TOLERANCES[number]
        far = distances(one, other, near_zero)
        wrong = [*mistakes(one, other, far, levels, untouched)]
        count = f"{{np.count_nonzero(far)}} of {{one.size}} elements differ"
        right = far.any() and not wrong
        near = f"right within its tolerance, though not bit by bit: {{count}}"
        yield f"output {{number}}: {{near if right else count}}"
        yield from wrong


def mistakes(one, other, far, levels, untouched):
    """What is wrong with an output whose elements are so far off."""
    if not untouched:
        yield "  wrong: something was written beyond the ends of the output, or of its rows"
    for distance, allowed in levels:
        wrong = far > distance
        axes = range(wrong.ndim)
        slices = [wrong.sum(axis=tuple(each for each in axes if each != axis)).max() for axis in axes]
        if any(count > most for count, most in zip([wrong.sum(), *slices], allowed)):
            yield f"  wrong: {{wrong.sum()}} are off by more than {{distance:g}}, and {{allowed[0]}} may"
            first = tuple(np.argwhere(wrong)[0].tolist())
            yield f"  the first at {{first}}: {{other[first]}} instead of {{one[first]}}"
            break


def distances(one, other, near_zero):
    """How far elements are: integers in units, floats relative to the value."""
    if one.dtype.kind != "f":
        wide = [each.view(np.uint8) if each.dtype.kind == "b" else each for each in (one, other)]
        return np.maximum(*wide).astype(np.uint64) - np.minimum(*wide).astype(np.uint64)
    one, other = one.astype(np.float64), other.astype(np.float64)
    if near_zero is None:
        near_zero = np.abs(one[np.isfinite(one)]).max(initial=0.0) / 100
    with np.errstate(all="ignore"):
        far = np.abs(other - one) / (np.abs(one) + near_zero)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isfinite(far), far, np.inf))


def build(schedule):
    """The pipeline with a schedule, and its arguments."""
    data = Path(__file__).with_name("pipeline.hlpipe").read_bytes()
    parameters = hl.deserialize_parameters(data)
    for name, kind, dimensions in IMAGES:
        if name not in parameters:
            parameters[name] = hl.ImageParam(TYPES[kind], len(dimensions), name).parameter()
        for number, (minimum, extent, _) in enumerate(dimensions):
            parameters[name].set_min_constraint_estimate(number, minimum)
            parameters[name].set_extent_constraint_estimate(number, extent)
    for name, kind, _ in SCALARS:
        if name not in parameters:
            parameters[name] = hl.Param(TYPES[kind], name).parameter()
{promised}    pipeline = hl.deserialize_pipeline(data, parameters)
    schedule(pipeline)
    return pipeline, [parameters[name]._to_argument() for name in ORDER]


{promises}def run(schedule, target, times):
    """Compiles, runs so many times, and returns the outputs of each run, and the seconds of compiling and of each run.

    What was given up since a run takes too long is not run again when one did, for each may take minutes.
    Memory is full of poison before each run, so that what was not written shows, and what was written around an output.
    """
    began = time.perf_counter()
    with stage("compile"):
        pipeline, arguments = build(schedule)
        function = pipeline.compile_to_callable(arguments, target)
    compile_s = time.perf_counter() - began
    values = {{name: buffer(image(name, kind, dimensions), dimensions) for name, kind, dimensions in IMAGES}}
    values |= {{name: value for name, _, value in SCALARS}}
    outputs = [(*empty(kind, dimensions), dimensions) for kinds, dimensions in OUTPUTS for kind in kinds]
    arguments = [*(values[name] for name in ORDER), *(buffer(array, each) for _, array, each in outputs)]
    found, seconds = [], []
    for _ in range(times):
        for memory, array, _ in outputs:
            memory.fill(poison(array))
        began = time.perf_counter()
        with stage("run"):
            function(*arguments)
        seconds.append(time.perf_counter() - began)
        found.append([(array.copy(), is_untouched(memory, array)) for memory, array, _ in outputs])
        if GIVEN_UP is not None and GIVEN_UP[0] == "run" and seconds[-1] > GIVEN_UP[1]:
            break
    return found, compile_s, seconds


def at_root(pipeline) -> None:
    """Computes every Func once, in full."""
    for number in range({funcs}):
        pipeline.get_func(number).compute_root()


def empty(kind, dimensions):
    """Memory, with guards, and an array in it with these strides."""
    kind = np.dtype(kind)
    size = kind.itemsize * max([stride * extent for _, extent, stride in dimensions] or [1])
    memory = np.empty(size + 2 * GUARD + ALIGNMENT, np.uint8)
    begin = -(memory.ctypes.data + GUARD) % ALIGNMENT
    memory = memory[begin : begin + size + 2 * GUARD]
    shape = [extent for _, extent, _ in reversed(dimensions)]
    strides = [stride * kind.itemsize for _, _, stride in reversed(dimensions)]
    return memory, np.ndarray(shape, kind, memory.data, GUARD, strides)


def poison(array):
    """A byte of which floats are no numbers."""
    return 0xFF if array.dtype.kind == "f" else 0xA5


def is_untouched(memory, array):
    """Whether everything but the elements is poison still: the guards, and what lies between rows."""
    owned = np.zeros(memory.size, bool)
    np.ndarray((*array.shape, array.itemsize), bool, owned.data, GUARD, (*array.strides, 1))[...] = True
    return bool((memory[~owned] == poison(array)).all())


def image(name, kind, dimensions):
    """The elements of an input as they were measured with: from a file, or random, floats over [0, 1)."""
    (_, array), rng = empty(kind, dimensions), np.random.default_rng([SEED, *name.encode()])
    if name in FILES:
        array[...] = np.load(Path(__file__).with_name(f"{{name}}.npy"))
    elif kind == "float16":
        array[...] = rng.integers(0, 2**11, array.shape) / 2**11
    elif array.dtype.kind == "f":
        array[...] = rng.random(array.shape, dtype=kind)
    elif kind == "bool":
        array[...] = rng.integers(0, 2, array.shape, dtype=np.uint8)
    else:
        array[...] = rng.integers(*RANGES[kind], array.shape, dtype=kind, endpoint=True)
    return array


def buffer(array, dimensions):
    """Halide's view of an array; NumPy makes up the strides of axes of one element, so these have two at first."""
    known = array.view(np.ulonglong) if array.dtype == np.uint64 else array
    shape = tuple(extent + (extent == 1) for extent in array.shape)
    found = hl.Buffer(np.lib.stride_tricks.as_strided(known, shape, array.strides))
    for axis, (_, extent, _) in enumerate(dimensions):
        if extent == 1:
            found.crop(axis, 0, 1)
    found.set_min([minimum for minimum, _, _ in dimensions])
    return found


TYPES = {{f"uint{{bits}}": hl.UInt(bits) for bits in (8, 16, 32, 64)}}
TYPES |= {{f"int{{bits}}": hl.Int(bits) for bits in (8, 16, 32, 64)}}
TYPES |= {{f"float{{bits}}": hl.Float(bits) for bits in (16, 32, 64)}} | {{"bool": hl.Bool()}}

if __name__ == "__main__":
    main()
'''

PROMISE = '''def promise(parameters) -> None:
    """What the algorithm demands of its images and scalars, and a serialized pipeline does not know."""
{lines}

'''

EXPRESSION = '''def expression(file, parameters):
    """The value of a pipeline of one Func."""
    data = Path(__file__).with_name(file).read_bytes()
    return hl.deserialize_pipeline(data, parameters).get_func(0).value()


'''
