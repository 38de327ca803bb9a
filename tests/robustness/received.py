"""A run folder as it may come from elsewhere, and values that no run writes."""

import json
from pathlib import Path
from typing import Any

from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.table import write_named_scores, write_scores

ESC = "\x1b[2J\x1b]0;title\x07"
CASES = ["p0", "p1", "p2"]
RECORD: dict[str, Any] = {
    "format": 1,
    "state": "complete",
    "method": "good",
    "floor": False,
    "ceiling": False,
    "supervision": "none",
    "preset": "paper",
    "differs": {"preset": None, "options": {"level": 2.0}},
    "seed": 0,
    "dataset": "folder",
    "dataset_identity": {"name": "folder", "options": {"image": "*/flair.nii.gz"}},
    "evidence": True,
    "split": "all-test",
    "part": "test",
    "cases": CASES,
    "settings": {
        "methods": ["good"],
        "dataset": "folder",
        "dataset_options": {"data": "/gone", "image": "*/flair.nii.gz"},
        "preset": None,
        "set": {"level": 2.0, "names": ["a"]},
        "seeds": [0],
        "device": "auto",
        "part": "test",
        "limit": None,
        "sealed": "auto",
    },
    "versions": {"unseg-bench": "0.1.0", "python": "3.11.7", "torch": "2.14.1"},
    "machine": {"system": "Linux", "processor": "x86_64", "cpus": 2, "threads": "one a core"},
    "started": "2026-01-02T00:00:00.000001+00:00",
    "ended": "2026-01-02T00:01:00.000001+00:00",
    "label_reads": [{"case": "p0", "kind": "mask", "purpose": "loss", "when": "2026-01-02T00:00:30+00:00"}],
    "error": None,
    "failed_cases": {"p3": "RuntimeError: no"},
    "missing_cases": ["p3"],
    "without_map": ["p1"],
    "without_reference": [],
    "images": {"train": "ab" * 32, "test": "cd" * 32},
    "weights": {"clip": "ef" * 32},
    "seal": {
        "mode": "sealed",
        "reason": "",
        "landlock_abi": 7,
        "network": "no sockets at all (seccomp)",
        "refused": ["list the home folder"],
        "volumes": {"test": 3},
        "weights": {"clip": {"sha256": "ef" * 32, "published_checksum": True}},
    },
    "mask_sources": {
        "/gone/other": {
            "run": "other",
            "mode": "ledger",
            "own_weights": False,
            "opened_data_files": 0,
            "masks": {"p0": {"name": "p0.nii.gz", "sha256": "ab" * 32}},
        }
    },
    "source": {"folder": "/gone", "pattern": None, "labels": [1], "threshold": None, "files": {}},
    "made_elsewhere": False,
    "label_use": None,
    "all_empty": False,
    "scoring_rules": SCORING_RULES,
}
DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]
HOSTILE: list[Any] = [
    *(
        None,
        True,
        -1,
        10**30,
        1e308,
        [],
        {},
        [None],
        [[]],
        {"": None},
        {"a": {"b": ESC}},
        {ESC: 1},
        [{"case": 1}],
        DEEP,
    ),
    *("", "../../etc/passwd", "/etc/passwd", f"a{ESC}b", "[/red]", "[bold]x", "=1+1", "\ud800", "\u202eevil"),
    *("a\nb", "<script>alert(1)</script>", "x" * 5000),
]


def write_received(folder: Path, record: Any) -> Path:
    """Write a run of three cases with tables, alternatives and a log; `record` is put into run.json as it is."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    scores = [
        CaseScore(
            case,
            5.0 + place,
            4.0,
            dict(zip(BUILT_IN, (0.5 + place / 10, 9.0, 9.0, 8.0, 0.5, 0.5, 0.5), strict=True)),
            90.0,
        )
        for place, case in enumerate(CASES)
    ]
    write_scores(folder / "scores.csv", scores)
    write_named_scores(folder / "scores-alternatives.csv", {"q0.9": scores})
    for name in ("predictions", "maps", "alternatives/q0.9", "tables"):
        (folder / name).mkdir(parents=True)
    (folder / "tables" / "levels.csv").write_text("case,level\np0,1.5\np1,2.5\np2,3.5\np3,4.5\n")
    (folder / "tables" / "thresholds.csv").write_text(
        "name,value,chosen,labels,normal_share\nq0.9,0.25,true,false,0.1\nq0.8,0.5,false,true,\n"
    )
    lines = [{"event": "stage", "stage": "levels", "seconds": 1.5, "cached": False}, {"event": "note", "x": [1]}]
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder
