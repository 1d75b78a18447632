"""Every public class, method and function is documented as numpydoc asks."""

import importlib
import inspect
import pkgutil
import tomllib
from functools import cache
from pathlib import Path

import pytest

import sknc
import sknc.metrics

validate = pytest.importorskip("numpydoc.validate")
ROOT = Path(__file__).parents[1]
EXPORTED = {*sknc.__all__, *sknc.metrics.__all__}


@cache
def checks():
    """Return the codes that the project asks for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["numpydoc_validation"]["checks"]
    every = set(validate.ERROR_MSGS)
    assert set(named) - {"all"} <= every
    return every - set(named) if "all" in named else set(named)


def public_modules():
    """Yield the modules whose names, and those of their packages, are public."""
    yield sknc
    for item in pkgutil.walk_packages(sknc.__path__, "sknc."):
        if not any(part.startswith("_") for part in item.name.split(".")):
            try:
                yield importlib.import_module(item.name)
            except ImportError:  # needs an optional library
                continue


def _is_public(module):
    parts = module.split(".")
    return parts[0] == "sknc" and not any(part.startswith("_") for part in parts)


def public_objects():
    """Return the dotted names of public classes, methods and functions."""
    found = {}
    for module in public_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or not (
                inspect.isclass(value) or inspect.isfunction(value)
            ):
                continue
            if not _is_public(value.__module__) and name not in EXPORTED:
                continue
            found.setdefault(id(value), f"{value.__module__}.{name}")
            if inspect.isclass(value):
                for owner, attribute in _methods(value):
                    found.setdefault(
                        (owner, attribute),
                        f"{owner.__module__}.{owner.__name__}.{attribute}",
                    )
    return sorted(set(found.values()))


def _methods(cls):
    """Yield the public methods that sknc itself defines for a class."""
    for owner in cls.__mro__:
        if owner.__module__.startswith("sknc"):
            for name, value in vars(owner).items():
                function = getattr(value, "__func__", value)
                if not name.startswith("_") and inspect.isfunction(function):
                    yield owner, name


def errors_of(name):
    """Return the errors that the project does not ignore, and any missing docstring."""
    wanted = checks()
    result = validate.validate(name)
    found = [f"{code}: {text}" for code, text in result["errors"] if code in wanted]
    if not result["docstring"]:
        found.append("GL08: no docstring")
    return found


def is_short(name):
    """Whether a docstring is one line, which will do where no argument needs a word."""
    docstring = validate.validate(name)["docstring"]
    return bool(docstring) and "\n" not in docstring.strip()


def is_user_facing(name):
    """Whether a user meets it by a name of `sknc` or `sknc.metrics`."""
    return not {*EXPORTED, "CenterEstimator"}.isdisjoint(name.split("."))


def test_docstrings():
    found = {
        name: errors_of(name)
        for name in public_objects()
        # Others are internal, and may be as short as the project's style lets them be.
        if is_user_facing(name) or not is_short(name)
    }
    assert {name: errors for name, errors in found.items() if errors} == {}


def test_every_kind_of_object_is_looked_at():
    names = public_objects()
    assert "sknc.estimators.analyzer.NeuralCollapseAnalyzer" in names
    assert "sknc.estimators.base.CenterEstimator.partial_fit" in names
    assert "sknc.metrics.variability.nc1_pinv" in names
    assert "sknc.statistics.class_statistics.ClassStatistics.from_samples" in names


def test_validation_can_fail():
    assert errors_of("textwrap.dedent")
