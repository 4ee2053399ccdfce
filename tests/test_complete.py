"""Nothing public without a test and a documentation that runs."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from cases import CASES

import tfvae
from tfvae import zoo

PACKAGE = Path(tfvae.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "tfvae."))


def test_every_zoo_file_is_in_the_table():
    files = {path.stem for path in (PACKAGE / "zoo").glob("*.py") if not path.stem.startswith("_")}
    assert files == set(CASES) == set(zoo.__all__)
    assert all(getattr(zoo, name) is case.build for name, case in CASES.items())


@pytest.mark.parametrize(
    "room",
    [
        "heads",
        "priors",
        "objectives",
        "objectives.penalties",
        "networks",
        "density",
        "evaluation",
        "evaluation.anomaly",
        "evaluation.disentanglement",
        "evaluation.exact",
        "evaluation.samples",
        "presets",
    ],
)
def test_every_public_name_is_tried_by_a_test(room):
    module = importlib.import_module(f"tfvae.{room}")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    ours = {name: getattr(module, name) for name in module.__all__}
    parts = [n for n, v in ours.items() if inspect.isfunction(v) or hasattr(v, "get_config")]
    final = [name for name in parts if "(abstract)" not in inspect.getdoc(ours[name])]
    missing = [name for name in final if not re.search(rf"\b{name}\b", tests)]
    assert not missing


def _public():
    """Every class and function that a room offers in its __all__."""
    rooms = [f"tfvae.{name}" for name in tfvae.__all__ if inspect.ismodule(getattr(tfvae, name))]
    parts = [f"tfvae.evaluation.{name}" for name in ("anomaly", "disentanglement", "exact", "samples")]
    for name in ("tfvae", *rooms, *parts):
        module = importlib.import_module(name)
        for member in getattr(module, "__all__", ()):
            value = getattr(module, member)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{value.__module__}.{value.__qualname__}", value


PUBLIC = dict(_public())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert re.match(r"[A-Z][^\n]+\.", text), "one sentence first"
    value = PUBLIC[name]
    abstract = "(abstract)" in text or inspect.isabstract(value)
    plain = inspect.isclass(value) and issubclass(value, (tuple, Exception))
    record = plain or hasattr(value, "__dataclass_fields__")
    assert abstract or record or ">>> " in text, "an example that runs"


@pytest.mark.parametrize("room", ["heads", "priors", "objectives", "models", "density"])
def test_mathematics_names_its_source(room):
    module = importlib.import_module(f"tfvae.{room}")
    for member in module.__all__:
        value = getattr(module, member)
        final = inspect.isclass(value) and hasattr(value, "get_config") and "(abstract)" not in inspect.getdoc(value)
        if final and member not in ("FixedScale", "Constant"):
            assert re.search(r"Reference:[\s\S]+(Eq|Sec|App)\.[\s\S]+https?://", inspect.getdoc(value)), member


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert not failures


def test_every_class_is_abstract_or_final():
    """No concrete method of the package is overridden within the package."""
    owned = [v for v in PUBLIC.values() if inspect.isclass(v) and v.__module__.startswith("tfvae")]
    for cls in owned:
        for parent in cls.__mro__[1:]:
            if parent.__module__.startswith("tfvae") and issubclass(parent, tfvae.AbstractVAE | tfvae.Conditional):
                shared = {n for n in vars(cls) if n in vars(parent) and inspect.isfunction(vars(cls)[n])}
                concrete = {n for n in shared if "NotImplementedError" not in inspect.getsource(vars(parent)[n])}
                assert not concrete - {"__init__"}, (cls, concrete)


def test_only_one_training_step():
    steps = [p for p in PACKAGE.rglob("*.py") if "GradientTape(" in p.read_text()]
    assert [p.relative_to(PACKAGE).as_posix() for p in steps] == ["models/base.py"]


def test_sizes_stay_small():
    long = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        limit = 40 if path.parent.name == "zoo" and not path.stem.startswith("_") else 300
        if text.count("\n") > limit:
            long[str(path)] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                if lines > 40:
                    long[f"{path}:{node.name}"] = lines
        assert not re.search(r"^\s*assert\b", text, re.MULTILINE), f"assert is for tests: {path}"
    assert not long
