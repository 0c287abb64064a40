from __future__ import annotations

import pytest

from hltune.schedule.parse import parse_schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from tests.schedule.strategies import FUNCS, to_text


def parsed(text: str) -> list[str]:
    """The directives, one per line, without semicolons."""
    return to_text(parse_schedule(text, FUNCS)).replace(";", "").splitlines()


def test_adams2019() -> None:
    text = """
        Func output = pipeline.get_func(4);
        Func hist = pipeline.get_func(1);
        Var x(output.get_schedule().dims()[0].var);
        Var xi("xi");
        Var y(output.get_schedule().dims()[1].var);
        RVar r_x(hist.update(0).get_schedule().dims()[0].var);
        RVar r4_xi("r4$xi");
        output
            .split(x, x, xi, 464, TailStrategy::ShiftInwards)
            .vectorize(xi)
            .compute_root()
            .reorder({xi, y, x})
            .parallel(x);
        hist
            .store_in(MemoryType::Stack)
            .compute_at(output, x)
            .reorder_storage(_0, x);
        hist.update(1)
            .split(r4_x, r4_x, r4_xi, 2, TailStrategy::GuardWithIf)
            .reorder({r4_xi});
        hist.update(2);
    """
    assert parsed(text) == [
        "output.split(x, x, xi, 464, TailStrategy::ShiftInwards)",
        "output.vectorize(xi)",
        "output.compute_root()",
        "output.reorder(xi, y, x)",
        "output.parallel(x)",
        "hist.store_in(MemoryType::Stack)",
        "hist.compute_at(output, x)",
        "hist.reorder_storage(_0, x)",
        "hist.update(1).split(r4_x, r4_x, r4_xi, 2, TailStrategy::GuardWithIf)",
        "hist.update(1).reorder(r4_xi)",
    ]


def test_mullapudi2016() -> None:
    text = """
Var x_vi("x_vi");
Var x_vo("x_vo");

Func hist = pipeline.get_func(1);

{
    Var x = hist.args()[0];
    RVar r$x(hist.update(0).get_schedule().rvars()[0].var);
    RVar r$y(hist.update(0).get_schedule().rvars()[1].var);
    hist
        .compute_at(output, __outermost);
    hist.update(0)
        .reorder(r$y, r$x);
    hist.update(1)
        .split(x, x_vo, x_vi, 16, TailStrategy::GuardWithIf)
        .vectorize(x_vi);
    hist.update(2).unscheduled();
}
"""
    assert parsed(text) == [
        "hist.compute_at(output, Var::outermost())",
        "hist.update(0).reorder(r_y, r_x)",
        "hist.update(1).split(x, x_vo, x_vi, 16, TailStrategy::GuardWithIf)",
        "hist.update(1).vectorize(x_vi)",
        "hist.update(2).unscheduled()",
    ]


LI2018 = """output.compute_root()
    .split(x,v52,v53,32,ShiftInwards)
    .fuse(v52,y,v52)
    .reorder(v53,v52)
    .parallel(v52,972,ShiftInwards)
    .vectorize(v53)
;
hist.update(1)
    .split(r4$x,r35,r36,16,GuardWithIf)
;
hist_intm_7 = hist.update(1)
    .rfactor({{r35,v10}})
    .compute_root()
    .parallel(v10)
;
hist_intm_7.update()
    .reorder(r36,v10)
hist.update(1)
    .atomic()
    .vectorize(r35)
;
"""


def test_li2018_and_its_missing_semicolon() -> None:
    assert parsed(LI2018) == [
        "output.compute_root()",
        "output.split(x, v0, v1, 32, TailStrategy::ShiftInwards)",
        "output.fuse(v0, y, v0)",
        "output.reorder(v1, v0)",
        "output.split(v0, v0, v2, 972, TailStrategy::ShiftInwards)",
        "output.parallel(v0)",
        "output.vectorize(v1)",
        "hist.update(1).split(r4_x, r3, r4, 16, TailStrategy::GuardWithIf)",
        "hist_intm = hist.update(1).rfactor({{r3, v5}})",
        "hist_intm.compute_root()",
        "hist_intm.parallel(v5)",
        "hist_intm.update(0).reorder(r4, v5)",
        "hist.update(1).atomic()",
        "hist.update(1).vectorize(r3)",
    ]


def test_counted_names_do_not_depend_on_the_process() -> None:
    later = LI2018.replace("v5", "v105").replace("r3", "r203").replace("intm_7", "intm_12").replace("v10", "v1077")
    assert parse_schedule(later, FUNCS) == parse_schedule(LI2018, FUNCS)


def test_counted_names_of_the_pipeline_stay() -> None:
    funcs = (FuncInfo(name="f", args=("v0", "v7")),)
    text = "f.split(v0, v8, v9, 4).split(v7, v3, v4, 4);"
    assert to_text(parse_schedule(text, funcs)) == (
        "f.split(v0, v1, v2, 4, TailStrategy::Auto);\nf.split(v7, v3, v4, 4, TailStrategy::Auto);\n"
    )


@pytest.mark.parametrize(
    ("text", "directives"),
    [
        ("output.vectorize(x, 16);", ["split(x, x, v0, 16, TailStrategy::Auto)", "vectorize(v0)"]),
        ("output.unroll(x, 4, TailStrategy::RoundUp);", ["split(x, x, v0, 4, TailStrategy::RoundUp)", "unroll(v0)"]),
        ("output.parallel(y, 16);", ["split(y, y, v0, 16, TailStrategy::Auto)", "parallel(y)"]),
        (
            "output.tile(x, y, xo, yo, xi, yi, 64, 8, TailStrategy::GuardWithIf);",
            [
                "split(x, xo, xi, 64, TailStrategy::GuardWithIf)",
                "split(y, yo, yi, 8, TailStrategy::GuardWithIf)",
                "reorder(xi, yi, xo, yo)",
            ],
        ),
        (
            "output.tile(x, y, xi, yi, 64, 8);",
            [
                "split(x, x, xi, 64, TailStrategy::Auto)",
                "split(y, y, yi, 8, TailStrategy::Auto)",
                "reorder(xi, yi, x, y)",
            ],
        ),
        ("output.compute_inline().parallel(y);", ["parallel(y)"]),
        ("/* a */ output // b\n .fold_storage(x, 4);", ["fold_storage(x, 4)"]),
        ('Var a("p"), b; output.split(x, a, b, 4);', ["split(x, p, b, 4, TailStrategy::Auto)"]),
        ("Var row = output.args()[1]; output.parallel(row);", ["parallel(y)"]),
        ("{ Var x = output.args()[1]; } output.parallel(x);", ["parallel(x)"]),
        ("output.compute_at(output, Var::outermost());", ["compute_at(output, Var::outermost())"]),
        ("output; output.vectorize(x);", ["vectorize(x)"]),
    ],
)
def test_conveniences(text: str, directives: list[str]) -> None:
    assert parsed(text) == [f"output.{directive}" for directive in directives]


def test_names_that_are_no_identifiers() -> None:
    text = """Func odd_name = pipeline.get_func(2);
        odd-name.split(1st, 1st, 1sti, 4); odd_name.vectorize(1sti); output.compute_at(odd-name, class);"""
    assert parsed(text) == [
        "odd-name.split(1st, 1st, 1sti, 4, TailStrategy::Auto)",
        "odd-name.vectorize(1sti)",
        "output.compute_at(odd-name, class)",
    ]


def test_names_beyond_ascii_are_printed_byte_by_byte() -> None:
    text = "Func gr____e = pipeline.get_func(0); gr____e.compute_root(); _1st.compute_root();"
    schedule = parse_schedule(text, (FuncInfo(name="größe", args=("x",)), FuncInfo(name="1st", args=("x",))))
    assert [directive.stage.func for directive in schedule.directives] == ["größe", "1st"]


@pytest.mark.parametrize("names", [("blur_x", "blur-x"), ("blur-x", "blur_x")])
def test_the_name_of_a_func_means_that_one(names: tuple[str, str]) -> None:
    funcs = tuple(FuncInfo(name=name, args=("x",)) for name in names)
    schedule = parse_schedule("blur_x.compute_root();", funcs)
    assert [directive.stage.func for directive in schedule.directives] == ["blur_x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output.vectorize(xi);", "line 1: output has no loop 'xi' here\n  expected: one of x, y"),
        (
            "output\n  .parallel(y)\n  .vectorise(x);",
            "line 3: no such scheduling call is known here\n  expected: one of spl",
        ),
        (
            "output.parallel(y);\noutptu.parallel(y);",
            "line 2: the pipeline has no Func 'outptu'\n  expected: one of blur",
        ),
        ("output.update(0);", "no stage output.update(0)\n  expected: one of output"),
        ("output.parallel(y) garbage", "expected: '.' or ';'\n  found: 'garbage'"),
        ("output.parallel(y);\n\ngarbage", "line 3: the pipeline has no Func 'garbage'"),
        ("output.parallel(y", "expected: ')'\n  found: the end of the text"),
        ("output.parallel(y)", "expected: '.' or ';'\n  found: the end of the text"),
        ("output.parallel();", "expected: the name of a loop\n  found: ')'"),
        ("output.parallel(y, x);", "expected: a whole number from 1 to 2147483647\n  found: 'x'"),
        ("output.split(x, x, xi, 0);", "split: factor is wrong"),
        ("output.split(x, x, xi, 8, TailStrategy::RoundIn);", "split: tail is wrong\n  expected: one of Auto, RoundUp"),
        ("output.split(x, x, xi);", "expected: ','\n  found: ')'"),
        ("output.store_in(MemoryType::GPUShared);", "store_in: memory is wrong"),
        ("output.gpu_blocks(x);", "no such scheduling call"),
        ("output.tile(x, y, xi, 8, 8);", "tile takes 4 or 6 loops"),
        ("output.compute_root().compute_inline();", "output was given another place before"),
        ("hist.update(0).compute_root();", "expected: a Func, not one of its updates"),
        ("hist.update(0).rfactor(r_x, u);", "expected: NAME = hist.update(0).rfactor(...)"),
        ("g = hist.update(0).atomic();", "nothing is assigned to g"),
        ("g = hist.update(0).rfactor({{r_x, u, w}});", "rfactor: preserved is wrong"),
        ("Func output = pipeline.get_func(3);", "another Func of this number\n  expected: scalar\n  found: output"),
        ("Func output = pipeline.get_func(5);", "no Func of this number\n  expected: less than 5\n  found: 5"),
        ("Var x(output.get_schedule().dims()[2].var);", "no loop of this number\n  expected: less than 2"),
        ("RVar r(hist.update(1).get_schedule().rvars()[1].var);", "expected: less than 1"),
        ("Var x = output.args()[2];", "no variable of this number"),
        ("{ output.parallel(y);", "expected: '}'\n  found: the end of the text"),
        ("output.parallel(y); }", "found: '}'"),
        ("output.parallel(y); @", "line 1: the text is not a schedule\n  expected: a scheduling call\n  found: '@'"),
        (
            "blur.compute_root();\nblur.compute_at(output,\n xo);\noutput.parallel(y);",
            "line 3: output has no loop 'xo'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_schedule(text, FUNCS)
    assert str(caught.value).startswith("schedule, line ")
    assert message in str(caught.value)


def test_numbers_in_text_are_bounded() -> None:
    with pytest.raises(InputError):
        parse_schedule(f"output.split(x, x, xi, {'9' * 5000});", FUNCS)


def test_funcs_that_are_called_like_numbers() -> None:
    text = """Func 3 = pipeline.get_func(1); Func 0 = pipeline.get_func(0);
        3.split(x, x, xi, 32).vectorize(xi); 0.compute_at(3, x).vectorize(x, 3);"""
    funcs = (FuncInfo(name="0", args=("x",)), FuncInfo(name="3", args=("x",)))
    assert to_text(parse_schedule(text, funcs)).splitlines()[0] == "3.split(x, x, xi, 32, TailStrategy::Auto);"
