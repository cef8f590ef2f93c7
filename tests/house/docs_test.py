"""What the program can do stands in its documentation: command-line options, commands, applications, functions."""
import pathlib
import re
import subprocess
import sys

import pytest

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "tools"))
from exchange import Exchange, program  # noqa: E402

CONFIG = {
    "pjsip.conf": "[t_udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:5060\n",
    "rtp.conf": "[general]\nrtpstart = 21000\nrtpend = 21010\n",
}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    config = tmp_path_factory.mktemp("config")
    for name, text in CONFIG.items():
        (config / name).write_text(text)
    running = Exchange(config, tmp_path_factory.mktemp("state"), bind="127.0.0.1:0", options=["--media-threads", "1"])
    yield running
    assert running.stop() == 0


def page(name):
    return (root / "docs" / name).read_text()


def code(text):
    """What stands in backticks, with the bars of tables unescaped."""
    return [span.replace(r"\|", "|") for span in re.findall(r"`([^`]+)`", text)]


def options_of(*subcommand):
    text = subprocess.run([program, *subcommand, "--help"], capture_output=True, text=True, check=True).stdout
    listed = text.split("Options:", 1)[1].split("Subcommands:", 1)[0]
    return sorted({option for line in listed.splitlines()
                   for option in re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", line[:30])})


def names_in(listing):
    return [line.split(":", 1)[0].strip() for line in listing.splitlines() if ":" in line]


def missing(wanted, spans):
    """Names that are never the beginning of a code span, as `Dial(...)` is of Dial."""
    known = {re.match(r"[^\s(,\[]*", span).group() for span in spans}
    return [name for name in wanted if name not in known]


@pytest.mark.parametrize("name,subcommand", [
    ("pbx.md", ()), ("pbx.md", ("pbx",)), ("pbx.md", ("compare",)), ("pbx.md", ("health",)),
    ("echo.md", ("echo", "server")), ("echo.md", ("echo", "client")), ("echo.md", ("echo", "load")),
    ("broker.md", ("broker",)), ("broker.md", ("task",)), ("broker.md", ("task", "run"))])
def test_every_command_line_option_is_in_its_page(name, subcommand):
    spans = " ".join(code(page(name)))
    options = [option for option in options_of(*subcommand) if option != "-h"]
    assert options
    absent = [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", spans)]
    assert not absent, f"docs/{name} lacks {absent}"


def test_every_variable_of_the_broker_is_in_its_page():
    text = subprocess.run([program, "broker", "--help"], capture_output=True, text=True, check=True).stdout
    variables = set(re.findall(r"WASIMOFF_\w+", text))
    assert len(variables) > 15
    assert not variables - set(code(page("broker.md")))


def test_the_brokers_metrics_are_those_of_its_page():
    told = set(re.findall(r"wasimoff_\w+", section(page("broker.md"), "Metrics")))
    sources = "".join(path.read_text() for path in (root / "src" / "broker").glob("*.cpp"))
    assert told == set(re.findall(r'"(wasimoff_\w+)"', sources))


def test_every_command_is_in_its_page(exchange):
    commands = [re.match(r"[a-z]+( [a-z]+)*", line).group() for line in exchange.ask("core show help").splitlines()]
    assert len(commands) > 20
    spans = code(page("pbx.md"))
    absent = [c for c in commands if not any(re.match(re.escape(c) + r"(?![a-z])", span) for span in spans)]
    assert not absent, f"docs/pbx.md lacks {absent}"


def test_every_application_is_in_its_page(exchange):
    applications = names_in(exchange.ask("core show applications"))
    assert "Dial" in applications and len(applications) > 50
    absent = missing(applications, code(page("dialplan.md")))
    assert not absent, f"docs/dialplan.md lacks {absent}"


def test_every_function_is_in_its_page(exchange):
    functions = names_in(exchange.ask("core show functions"))
    assert "CALLERID" in functions and len(functions) > 70
    absent = missing(functions, code(page("dialplan.md")))
    assert not absent, f"docs/dialplan.md lacks {absent}"


def section(text, heading):
    return re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE).group(1)


def described(text):
    """Names that a section's tables describe: `NAME(` in the first cell of a row."""
    cells = [row.split(" | ")[0] for row in text.splitlines() if row.startswith("| `")]
    return {name for cell in cells for span in code(cell) for name in re.findall(r"^(\w\w+)\(", span)}  # one letter is an option


@pytest.mark.parametrize("heading,command", [("Applications", "core show applications"),
                                             ("Functions", "core show functions")])
def test_what_the_page_describes_exists(exchange, heading, command):
    names = described(section(page("dialplan.md"), heading))
    assert len(names) > 50
    assert not names - set(names_in(exchange.ask(command)))


def test_every_command_of_the_page_exists(exchange):
    known = [re.match(r"[a-z]+( [a-z]+)*", line).group() for line in exchange.ask("core show help").splitlines()]
    rows = section(page("pbx.md"), "The command line").splitlines()
    named = [span for row in rows if row.startswith("| `") for span in code(row.split(" | ")[0])]
    assert len(named) > 20
    unknown = [name for name in named if not any(name.startswith(command) for command in known)]
    assert not unknown


def test_the_metrics_are_those_of_the_pages():
    told = {name for service in ("pbx.md", "echo.md")
            for name in re.findall(r"strowger_\w+", section(page(service), "Metrics and health"))}
    assert told == set(re.findall(r'"(strowger_\w+)"', "".join(
        path.read_text() for path in (root / "src").rglob("*.cpp") if not path.name.endswith("_test.cpp"))))


def test_what_is_not_there_is_noticed():
    spans = code("`Dial(a,b)` and `MusicOnHold([class])`")
    assert missing(["Dial", "MusicOnHold", "Dia"], spans) == ["Dia"]


def schema_keys(text):
    """The keys of the option schemas in a source of src/pbx/config."""
    keys = re.findall(r'\.(?:on|text|boolean|number(?:<[^>]*>)?|choice(?:<[^>]*>)?|list|growing_list|rule|tos)\(\s*"([^"]+)"',
                      text)
    for ignored in re.findall(r"\.ignore\(\{(.*?)\}\)", text, re.DOTALL):
        keys += re.findall(r'"([^"]+)"', ignored)
    return keys


@pytest.mark.parametrize("source", ["account", "acl", "endpoint", "global", "registration", "transport", "wizard", "queue",
                                    "follow_me"])
def test_every_sip_option_is_in_its_page(source):
    keys = schema_keys((root / "src" / "pbx" / "config" / f"{source}.cpp").read_text())
    assert keys
    spans = code(page("configuration.md"))
    prefixes = tuple(span[:-1] for span in spans if re.fullmatch(r"[a-z0-9_]+_\*", span))  # `dtls_*`
    absent = [key for key in keys if key != "type" and key not in spans and not key.startswith(prefixes)]
    assert not absent, f"docs/configuration.md lacks {absent}"


def links(path):
    # Not in code, which may show anything.
    text = re.sub(r"^```.*?^```|^    .*?$|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [root / "README.md", *sorted((root / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_every_link_leads_somewhere(path):
    broken = []
    for link in links(path):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken, f"{path.name}: {broken}"


def relay_table(path, pattern):
    return re.findall(pattern, (root / "src" / "relay" / path).read_text())


def test_every_option_of_the_relay_is_in_its_page():
    spans = " ".join(code(page("relay.md")))
    options = options_of("relay")
    assert len(options) > 30
    absent = [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", spans)]
    assert not absent, f"docs/relay.md lacks {absent}"


def test_every_option_of_the_recorder_is_in_its_page():
    spans = " ".join(code(page("recorder.md")))
    options = options_of("recorder")
    assert len(options) > 30
    absent = [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", spans)]
    assert not absent, f"docs/recorder.md lacks {absent}"


def test_every_header_of_the_recorders_notifications_is_in_its_page():
    facts = re.search(r"return \{\{\"Call-ID\".*?\}\};", (root / "src" / "recorder" / "notifier.cpp").read_text(), re.DOTALL).group()
    made = {f"X-Recording-{name}" for name in re.findall(r'\{"([\w-]+)"', facts)}
    assert len(made) > 10 and made == set(re.findall(r"X-Recording-[\w-]+", page("recorder.md")))


def test_every_command_of_the_relay_is_in_its_page_and_the_other_way_round():
    commands = set(relay_table("relay.cpp", r'\{"([a-z-]+)", &Relay::'))
    assert len(commands) > 20
    rows = re.search(r"### Commands\n(.*?)\n###", page("relay.md"), re.DOTALL).group(1).splitlines()
    told = {span.lower().replace(" ", "-") for row in rows if row.startswith("| `") for span in code(row.split(" | ")[0])}
    assert told == commands


def test_every_key_and_flag_of_the_relay_is_in_its_page():
    source = (root / "src" / "relay" / "request.cpp").read_text()
    words = set(re.findall(r'^        \{"([a-z-]+)", (?!nothing)', source, re.MULTILINE)) - {"command", "callid", "from-label"}
    assert len(words) > 60
    told = {re.sub(r"[ _]", "-", span.lower()) for span in code(page("relay.md"))}
    told |= {word for span in told for word in span.split("=")}
    # named among the commands that they belong to, or not at all by rtpengine's own documentation
    rare = {"repeat-duration", "unidirectional", "reset", "single-codec", "inject-dtmf", "block-egress", "early-media", "bidirectional",
            "to-tag", "blob"}
    assert not words - told - rare


def test_the_metrics_of_the_relay_are_those_of_its_page():
    source = (root / "src" / "relay" / "metrics_page.cpp").read_text()
    made = set(re.findall(r'(?:family|single|ports)\(\s*"(\w+)"', source))
    assert {f"rtpengine_{name}" for name in made} == set(re.findall(r"rtpengine_\w+", page("relay.md")))
