"""The rule of the house: includes point down only, services never include each other, Boost stays in io."""
import pathlib
import re

import pytest

source = pathlib.Path(__file__).resolve().parents[2] / "src"
services = {"pbx", "relay", "recorder", "echo", "broker", "guard", "sms", "console"}
floor = {"base": 0, "wire": 1, "io": 2, "media": 3, **{name: 4 for name in services}, "app": 5}
include = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes_of(path):
    return include.findall(path.read_text())


def files():
    return sorted(p for p in source.rglob("*") if p.suffix in (".cpp", ".hpp"))


def breaches(room, included):
    """What is wrong with a file of `room` including `included`, or nothing."""
    if room not in floor:
        return None
    other = included.split("/")[0]
    if other not in floor or other == room:
        return None
    if floor[other] > floor[room]:
        return f"{room} is below {other}"
    if room in services and other in services:
        return f"services do not include each other ({room}, {other})"
    return None


def test_the_sources_are_found():
    assert len(files()) > 20


@pytest.mark.parametrize("room,included,wrong", [
    ("wire", "io/loop.hpp", True), ("media", "pbx/channel.hpp", True), ("pbx", "relay/call.hpp", True),
    ("pbx", "wire/sip/uri.hpp", False), ("media", "io/loop.hpp", False), ("base", "wire/sip/uri.hpp", True)])
def test_the_rule_itself_can_fail(room, included, wrong):
    assert bool(breaches(room, included)) == wrong


def test_includes_point_down_only():
    found = []
    for path in files():
        room = path.relative_to(source).parts[0]
        for kind, name in includes_of(path):
            if kind == '"' and (breach := breaches(room, name)):
                found.append(f"{path.relative_to(source)} includes {name}: {breach}")
    assert not found, "\n".join(found)


def test_boost_stays_in_io():
    found = [f"{path.relative_to(source)} includes {name}"
             for path in files() if path.relative_to(source).parts[0] != "io"
             for _, name in includes_of(path) if name.startswith("boost/")]
    assert not found, "\n".join(found)


def is_internal(path):
    return path.name.endswith("_impl.hpp")


def test_io_headers_do_not_show_boost():
    found = [str(path) for path in (source / "io").glob("*.hpp")
             if not is_internal(path) and any(name.startswith("boost/") for _, name in includes_of(path))]
    assert not found, "\n".join(found)


def test_internal_headers_stay_in_their_folder():
    internal = {str(path.relative_to(source)) for path in files() if is_internal(path)}
    assert internal, "the rule has nothing to hold"
    found = [f"{path.relative_to(source)} includes {name}" for path in files() for _, name in includes_of(path)
             if name in internal and (path.parent != (source / name).parent or
                                      path.suffix == ".hpp" and not is_internal(path))]
    assert not found, "\n".join(found)
