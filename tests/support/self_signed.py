"""A certificate for 127.0.0.1 that nobody has signed but itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from support.brokers import missing


class Certificate(NamedTuple):
    certificate: Path
    key: Path


def make(folder: Path) -> Certificate:
    if shutil.which("openssl") is None:
        missing("openssl", "install the package openssl")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-out", str(made.certificate), "-keyout", str(made.key)]
    subprocess.run(["openssl", "req", "-x509", *key, *names, *files], check=True, capture_output=True, timeout=30)
    return made
