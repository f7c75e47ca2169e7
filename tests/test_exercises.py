"""The tutor says right to what is right and to nothing else, and knows what went wrong; the chapters keep one form."""

import dataclasses
import importlib
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from nnbook.exercises import check, hint
from nnbook.exercises.tutor import EXERCISES, complaint

TABLES = [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("wrong_answers_*.py"))]
WRONG = {name: answers for table in TABLES for name, answers in table.WRONG.items()}
NBS = Path(__file__).resolve().parent.parent / "nbs"
CHAPTERS = sorted(path for pattern in ("[01]*.ipynb", "A[123]_*.ipynb", "A18_*.ipynb") for path in NBS.glob(pattern)
                  if "import check, hint" in path.read_text(encoding="utf-8"))


# ---- the tutor ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [pytest.param(name, answer, says, id=f"{name}-{number}")
     for name, answers in WRONG.items() for number, (answer, says) in enumerate(answers)],
)
def test_wrong_answers_are_told_what_is_wrong(name, answer, says, capsys):
    verdict = check(name, answer)
    assert not verdict
    assert says in verdict.words
    printed = " ".join(capsys.readouterr().out.split())
    assert printed == " ".join(f"not yet: {verdict.words}".split())


def test_every_exercise_has_wrong_answers():
    assert set(WRONG) == set(EXERCISES)
    assert [name for name, answers in WRONG.items() if len(answers) < 3] == []


def perturbations(result):
    """The result with one part scaled, negated, shifted, with one entry changed, or turned over."""
    parts = result if isinstance(result, dict) else dict(enumerate(result)) if isinstance(result, tuple) else {"": result}

    def back(changed):
        return (changed if isinstance(result, dict) else tuple(changed.values())
                if isinstance(result, tuple) else changed[""])

    for part, value in parts.items():
        value = np.asarray(value, dtype=float)
        if value.size:
            one = value.copy()
            one.flat[-1] += 0.1 * (1 + abs(one.flat[-1]))
            changes = {"scaled": 1.1 * value + (value == 0), "negated": -value - (value == 0),
                       "added": value + 0.3 * (1 + np.abs(value).max()), "one entry": one,
                       "one axis more": value[None], "NaN": np.full_like(value, np.nan)}
            yield from ((f"{part} {how}", back({**parts, part: new})) for how, new in changes.items())


def handing_over(told, results):
    """What the tutor says of an answer that gives these results on the cases, one after the other."""
    results = iter(results)

    def run(*_):
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    return complaint(dataclasses.replace(told, takes="function", run=run), print)


def cases_of(told):
    return list(told.cases(np.random.default_rng(0)).values())


@pytest.mark.parametrize("name", EXERCISES)
def test_nothing_but_the_right_result_is_called_right(name):
    told = EXERCISES[name]
    right = [told.right(*arguments) for arguments in cases_of(told)]
    assert handing_over(told, right) == ""
    refused = 0
    for number in range(len(right)):
        for how, changed in perturbations(right[number]):
            words = handing_over(told, [*right[:number], changed, *right[number + 1:]])
            assert words, f"{how} is called right"
            refused += 1
    assert refused >= 5


def by_parts(told, result):
    if isinstance(result, dict):
        return result
    return dict(zip(told.parts, result)) if len(told.parts) > 1 else {"".join(told.parts): result}


@pytest.mark.parametrize("name", EXERCISES)
def test_every_mistake_can_be_made_and_is_told_from_the_others(name):
    told = EXERCISES[name]
    assert len(told.mistakes) >= 3
    for says, mistaken in told.mistakes.items():
        made = []
        for arguments in cases_of(told):
            try:
                with np.errstate(all="ignore"):
                    wrong = by_parts(told, mistaken(*arguments))
            except ValueError as error:
                made.append(error)
            else:
                made.append({**by_parts(told, told.right(*arguments)), **wrong})
        assert handing_over(told, made) == says


SYMBOLS = re.compile(r"(ReLU|W|V|J|Y|A|D|X|β|θ|ρ′?|√\S+|NaN)\b")


@pytest.mark.parametrize("name", EXERCISES)
def test_sentences_follow_a_colon(name):
    """Each continues "right:", "not yet:" or "hint 1 of 2:", and ends without a full stop."""
    told = EXERCISES[name]
    assert told.hints and told.verified and told.asks
    for sentence in (*told.mistakes, *told.hints, told.verified, told.asks):
        assert sentence == " ".join(sentence.split()).rstrip(".")
        assert not sentence[0].isupper() or SYMBOLS.match(sentence), sentence


def test_an_exercise_that_does_not_exist_raises_with_names_that_come_near():
    for ask in (lambda name: check(name, abs), hint):
        with pytest.raises(ValueError, match="did you mean 'softplus'"):
            ask("softpluss")
        with pytest.raises(ValueError, match=r"there is no exercise 'xyzzy'$"):
            ask("xyzzy")


def test_the_tutor_is_light_and_waits_until_it_is_asked():
    program = ("import sys, nnbook; assert 'nnbook.exercises' not in sys.modules; import nnbook.exercises; "
               "print(*{'matplotlib', 'lark', 'pooch', 'tqdm'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_hints_come_one_after_the_other(capsys):
    hints = EXERCISES["softplus"].hints
    for _ in range(2 * len(hints)):
        hint("softplus")
    printed = re.split(r"hint \d of \d: ", " ".join(capsys.readouterr().out.split()))[1:]
    assert [text.strip() for text in printed] == [*hints, *hints]


# ---- the chapters ------------------------------------------------------------------------------

EXERCISE = re.compile(r"^```\{exercise(?:-start)?\} (?P<title>.+)\n:label: (?P<label>\S+)$", re.MULTILINE)
SOLUTION = re.compile(r"^```\{solution(?:-start)?\} (?P<label>\S+)\n:class: dropdown$", re.MULTILINE)
TITLE = re.compile(r".+ · (easy|medium|hard), (on paper|in code|by experiment)")
HEADING = re.compile(r"^## (Summary|Exercises|Notes)$", re.MULTILINE)
CHECK = re.compile(r"^(assert )?check\(\"([a-z0-9-]+)\", [\w(]", re.MULTILINE)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


def text_of(path):
    return "\n\n".join(cell.source for cell in cells_of(path) if cell.cell_type == "markdown")


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def checked_in(path):
    """What the chapter hands to the tutor: the name, whether it is asserted, and the cell."""
    return [(match[2], bool(match[1]), cell) for cell in cells_of(path) if cell.cell_type == "code"
            for match in CHECK.finditer(cell.source)]


@each_chapter
def test_a_chapter_ends_in_one_form(path):
    text = text_of(path)
    headings = HEADING.findall(text)
    assert headings == [name for name in ("Summary", "Exercises", "Notes") if name in headings]
    titles = [match["title"] for match in EXERCISE.finditer(text)]
    assert len(titles) >= 3 and len(titles) == text.count("```{exercise}") + text.count("```{exercise-start}")
    ways = [TITLE.fullmatch(title)[2] for title in titles if TITLE.fullmatch(title)]
    assert len(ways) == len(titles), "an exercise without its difficulty and its way"
    assert "on paper" in ways and "in code" in ways
    # a folded solution right after each exercise
    labels = [match["label"] for match in EXERCISE.finditer(text)]
    assert [match["label"] for match in SOLUTION.finditer(text)] == labels
    assert ways.count("in code") == len([name for name, asserted, _ in checked_in(path) if not asserted])


@each_chapter
def test_starters_wait_and_solutions_are_right(path):
    checked = checked_in(path)
    starters = {name: cell for name, asserted, cell in checked if not asserted}
    solutions = {name: cell for name, asserted, cell in checked if asserted}
    assert list(starters) == list(solutions) and len(checked) == 2 * len(starters)
    for name, cell in starters.items():
        assert printed(cell).startswith("not yet: ") and "`...`" in printed(cell)
        assert printed(solutions[name]).startswith("right: ")
    assert re.findall(r"^```\{hints\} (\S+)$", text_of(path), re.MULTILINE) == list(starters)


def test_the_tutor_knows_the_exercises_of_the_chapters_and_no_others():
    names = [name for path in CHAPTERS for name, asserted, _ in checked_in(path) if not asserted]
    assert sorted(names) == sorted(EXERCISES)
