"""Kamailio under a configuration of the test's own."""
import pathlib
import subprocess


def run_kamailio(folder, config, **fields):
    """Its process, and how to read its log; `{name}` in the configuration is what `fields` has for it."""
    path = pathlib.Path(folder) / "kamailio.cfg"
    for name, value in fields.items():
        config = config.replace("{" + name + "}", str(value))
    path.write_text(config)
    with open(path.with_name("log"), "wb") as log:
        process = subprocess.Popen(["kamailio", "-f", path, "-DD", "-E", "-m", "16", "-M", "4", "-Y", folder, "-w", folder],
                                   stdout=log, stderr=subprocess.STDOUT)
    return process, lambda: path.with_name("log").read_text(errors="replace")
