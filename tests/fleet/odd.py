"""Camera lines that stretch the format: what the stub camera says to ``odd NAME``."""

from __future__ import annotations

from typing import Any

ODD: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "two": [("i", {"text": "the first", "extra": 3}), ("i", {"n": [1, 2], "extra": "b c"})],
    "nested": [
        ("i", {"matrix": [[1, 2], [3, [4, 5]]]}),
        ("i", {"deep": {"a": {"b": [1, {"c": 2}]}, "d": "e"}}),
    ],
    "numbers": [
        ("i", {"floats": [1.0, 1.5e-07, 1e22, -0.0, 0.1, 3]}),
        ("i", {"big": 12345678901234567890}),
        ("i", {"zero": 0}),
        ("i", {"strange": [float("nan"), float("inf")]}),
    ],
    "flags": [("i", {"flag": True}), ("i", {"flags": [True, False, {"deep": True}]})],
    "none": [("i", {"nothing": None}), ("i", {"some": [None, 1, {"deep": None}]})],
    "empty": [
        ("i", {"blank": ""}),
        ("i", {"blanks": ["", "a", ""]}),
        ("i", {"bare": []}),
        ("i", {"bare_dict": {}}),
    ],
    "words": [
        ("i", {"one": "word", "path": "/data/gcam/x.fits"}),
        ("i", {"spaced": "two words"}),
        ("i", {"lookalikes": ["1", "1.0", "T", "None", "NA", "-"]}),
        ("i", {"degrees": "-25 °C at 3 µm"}),
        ("i", {"long": "x" * 5000}),
    ],
    "double-quotes": [("i", {"text": 'he said "no" twice'})],
    "single-quotes": [("i", {"text": "it's a camera's"})],
    "both-quotes": [("i", {"text": "it's \"both\""})],
    "lone-quote": [("i", {"one": 'say"so'}), ("i", {"other": "say'so"})],
    "backslash": [("i", {"text": r"C:\data\new"}), ("i", {"text": "ends with \\"})],
    "semicolon": [("i", {"text": "first; second=3"}), ("i", {"one": "a;b"})],
    "comma": [("i", {"text": "first, second"}), ("i", {"one": "a,b"}), ("i", {"one": "a=b"})],
    "newline": [("i", {"text": "line one\nline two"})],
    "forged": [("i", {"text": "x\n1 999 f text=forged"})],
    "control": [("i", {"text": "tab\there\rand return"})],
    "codes": [(code, {"text": f"code {code}"}) for code in ">diwe"],
    "silent": [(code, {}) for code in "diwe"],
    "errors": [
        ("e", {"error": ["a", "b"]}),
        ("e", {"error": {"error": "no camera"}}),
        ("e", {"error": {"camera": "gfa1", "why": "strange"}}),
        ("w", {"error": "only a warning", "text": "with words"}),
    ],
    "helps": [("i", {"help": "one line"}), ("i", {"help": ["a", "b"], "text": "and words"})],
    "filenames": [
        ("i", {"filename": "/data/plain.fits"}),
        ("i", {"filename": ["gfa1", "/data/list.fits"]}),
        ("i", {"filename": {"filename": "/data/other-order.fits", "camera": "gfa1"}}),
    ],
    "names": [("i", {"a.b": 1}), ("i", {"under_score": 1}), ("i", {"dash-ed": 1}),
              ("i", {"9lives": 1}), ("i", {"two words": 1})],
}  # fmt: skip
