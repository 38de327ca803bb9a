"""The LaTeX export: escaped, complete, and it compiles."""

import re
import shutil
import subprocess

import pytest

from unseg_bench.report.latex import escape, latex
from unseg_bench.report.statistics_tables import statistics_tables
from unseg_bench.report.tables import group_table, main_table, score_tables
from unseg_bench.score.metrics import DSC

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\usepackage{adjustbox}
\begin{document}
\input{table}
\end{document}
"""


def test_one_environment_for_each_table(make):
    comparison = make()
    text = latex(comparison)
    tables = [
        *(main_table(comparison), group_table(comparison, DSC)),
        *score_tables(comparison)[1:],
        *statistics_tables(comparison),
    ]
    assert re.findall(r"\\label\{tab:(.*)\}", text) == [table.key for table in tables]
    for block, table in zip(text.split(r"\begin{table}")[1:], tables, strict=True):
        lines = [line for line in block.splitlines() if re.search(r"(?<!\\)&", line) and line[0] != "%"]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(table.columns) - 1}
        assert len(lines) == len(table.rows) + max(len(column.heading) for column in table.columns)
        assert r"\textbf{phantom figures are no evidence about the real methods.}" in block
        assert r"\dag{} below the floor threshold in mean DSC" in block


def test_cells(make):
    text = latex(make())
    assert r"\textbf{85.60$\pm$9.26}\textsuperscript{{*}}" in text
    assert r"\phantom{0}\phantom{0}\textbf{6.72$\pm$5.41}" in text
    assert r"\underline{81.25$\pm$9.26}" in text
    assert r"sam\textbar{}x\_1 \& \textless{}script\textgreater{}\textsuperscript{\dag{}}" in text
    assert r"60.00$\pm$9.26\textsuperscript{2e 1m}" in text
    assert r"\multicolumn{4}{@{}l@{}}{\emph{published, other data: the paper, Table 1}} \\" in text
    assert r"$-$1.20 &" in text


def test_notes_cannot_become_commands(make):
    assert not re.search(r"\\\\\s*[*\[]", latex(make(notes=("[3] is a note", "* so is this"))))


def test_claims_are_comments(make):
    text = latex(make())
    assert "% What these figures carry, and what they do not:\n% " in text
    assert all(line.startswith("% ") for line in text.partition("% What these figures")[2].splitlines()[1:])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & $5 #1_a", r"50 \% \& \$5 \#1\_a"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("-1.2 to -.5", "$-$1.2 to $-$.5"),
        ("a-1 x-2 (3)-4", "a-1 x-2 (3)-4"),
        ("~^|", r"\textasciitilde{}\textasciicircum{}\textbar{}"),
    ],
)
def test_escaping(text, escaped):
    assert escape(text) == escaped


@pytest.mark.skipif(not (shutil.which("latexmk") or shutil.which("tectonic")), reason="no LaTeX here")
def test_it_compiles(make, tmp_path):
    (tmp_path / "table.tex").write_text(latex(make(notes=("[x] 5 % ~^\\ {}",))), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(DOCUMENT, encoding="utf-8")
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    if not shutil.which("latexmk"):
        command = ["tectonic", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
    log = (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace") if shutil.which("latexmk") else ""
    assert not re.search(r"Overfull \\hbox \(\d{2,}", log)
