"""Questions to the catalogue: conditions on facts, orders, and what is left out for a fact that nobody states."""

import json

import pytest
from test_cli import zoo as command

import zoo
from zoo.errors import OptionError
from zoo.plugins import installed
from zoo.search import FACTS, fact_of, select
from zoo.where import Where

KNOWN = ("top1", "params", "licence", "tasks", "name")
NETWORK = {"top1": 78.0, "params": 5_300_000, "licence": "apache-2.0", "tasks": ["classification"], "name": "b0.hub"}


def holds(condition, **facts):
    return Where(condition, KNOWN, percent=("top1",))(NETWORK | facts)


@pytest.mark.parametrize(
    "condition",
    [
        "top1 >= 75 and params < 10e6 and licence = 'apache-2.0'",
        "licence == 'Apache-2.0'",
        "licence in ('mit', 'apache-2.0')",
        "not licence = 'mit'",
        "'classification' in tasks and 'detection' not in tasks",
        "70 < top1 <= 78",
        "'b0' in name or top1 > 99",
        '(top1 > 99 or params != 1) and licence != "="',
    ],
)
def test_a_condition_that_fits(condition):
    assert holds(condition) is True


@pytest.mark.parametrize("condition", ["top1 > 78", "licence = 'mit'", "tasks != ['classification']", "0.79 < top1"])
def test_a_condition_that_does_not_fit(condition):
    assert holds(condition) is False


def test_a_number_up_to_one_beside_a_score_is_a_fraction():
    assert holds("top1 >= 0.78") is True
    assert holds("top1 > 0.78") is False
    assert holds("params > 0.78") is True


def test_a_fact_that_is_not_known_neither_fits_nor_fails():
    assert holds("top1 > 1", top1=None) is None
    assert holds("not top1 > 1", top1=None) is None
    assert holds("top1 > 1 and licence = 'apache-2.0'", top1=None) is None
    assert holds("top1 > 1 and licence = 'mit'", top1=None) is False
    assert holds("top1 > 1 or licence = 'apache-2.0'", top1=None) is True


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("top_1 > 3", "no fact is called 'top_1'; did you mean 'top1'. there are top1, params"),
        ("top1 >", "cannot be read"),
        ("top1", "holds 'top1', which is no comparison"),
        ("top1 + 1 > 3", r"holds 'top1 \+ 1', which is neither a fact nor a number"),
        ("name.upper() = 'X'", "is neither a fact nor a number, text or list"),
        ("open('/etc/passwd') = 1", "no fact is called 'open'"),
        ("top1 > 'a'", r"cannot compare top1 \(a number\) with 'a' \(text\)"),
        ("licence = 3", r"cannot compare licence \(text\) with 3 \(a number\)"),
        ("tasks = 'classification'", "tasks .a list: use 'in'"),
        ("", "cannot be read"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(condition, message):
    with pytest.raises(OptionError, match=message):
        holds(condition)


# ---------------------------------------------------------------------------------------------- over the catalogue


def test_the_question_of_a_phone_gets_its_answer():
    condition = "top1 >= 75 and params < 10e6 and licence = 'apache-2.0'"
    names = zoo.list_backbones(task="classification", where=condition, sort="-top1")
    assert "mobilenet_v3_large_100_224.hub_in1k" in names
    scores = [fact_of(zoo.spec(name), "top1") for name in names]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 75
    assert all(zoo.spec(name).params < 10e6 and zoo.spec(name).licence == "apache-2.0" for name in names)


def test_glob_task_and_condition_all_must_fit():
    names = zoo.list_backbones("nnlm_*", task="embedding", where="'de' in languages and width = 50")
    assert names
    assert all(name.startswith("nnlm_de_dim50") for name in names)


def test_those_without_the_fact_come_last_in_an_order_and_do_not_fit_a_condition():
    ordered = zoo.list_backbones("cait_*", sort="params,-top1") + zoo.list_backbones("xcit_*", sort="-params")
    assert set(zoo.list_backbones("cait_*")) | set(zoo.list_backbones("xcit_*")) == set(ordered)
    mixed = select(sort="params").backbones
    known = [spec.params is not None for spec in mixed]
    assert known == sorted(known, reverse=True)
    found = select("bit_*", where="params > 1")
    assert found.left_out == found.lacking["params"] > 0
    assert all(spec.params for spec in found.backbones)


def test_every_fact_is_known_of_some_backbone_and_is_of_one_kind():
    for fact in FACTS:
        values = [value for spec in installed().backbones if (value := fact_of(spec, fact)) is not None]
        assert values, fact
        assert len({isinstance(value, str) for value in values}) == 1, fact


def test_an_unknown_fact_in_an_order_names_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'params'"):
        zoo.list_backbones(sort="-parms")


# ------------------------------------------------------------------------------------------------- the command line


def test_list_shows_the_facts_that_were_asked_for_and_says_what_was_left_out():
    done = command("list", "bit_*", "--where", "top1 > 0.8", "--sort", "-top1")
    header, *rows = done.stdout.splitlines()
    assert header.split()[:5] == ["backbone", "tasks", "input", "licence", "top1"]
    assert rows[0].startswith("bit_m_r152x4.hub_in21k_ft_in1k")
    assert "left out for facts that nobody states (" in done.stderr
    assert " without top1)" in done.stderr


def test_list_refuses_a_fact_that_is_not_there_in_one_line():
    done = command("list", "--where", "speed > 3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("zoo: no fact is called 'speed'; there are name, architecture")
    assert len(done.stderr.splitlines()) == 1


def test_list_names_the_facts():
    listed = command("list", "--facts").stdout
    assert all(f"\n{fact} " in listed for fact in FACTS)
    assert json.loads(command("list", "--facts", "--json").stdout) == FACTS


def test_show_says_what_is_unstated_and_where_a_fact_is_from():
    shown = command("show", "swin_tiny_patch4_window7_224").stdout
    assert "range unstated by its publisher" in shown
    assert "parameters   unstated" in shown
    assert "mit (stated by the page)" in shown
    assert "input.range" in shown.splitlines()[-1]
    noted = command("show", "bit_m_r50x1").stdout
    assert "  range      the page does not say; Google's own notebooks for BiT feed [0, 1]" in noted


def test_what_publishers_leave_unstated_is_listed_and_counted():
    from click.testing import CliRunner

    from zoo.cli import zoo as command

    done = CliRunner().invoke(command, ["list", "--unstated", "swin_tiny*"])
    assert "swin_tiny_patch4_window7_224.hub_in1k  input.resize, input.range, " in done.stdout
    assert "1 without input.range" in done.stderr
    assert "inception_v3" not in CliRunner().invoke(command, ["list", "--unstated", "inception_v3.hub_in1k"]).stdout
