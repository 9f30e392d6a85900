"""References, what is put in their place, and what is never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from trickle.errors import ConfigurationError
from trickle.relay.options import option
from trickle.relay.problems import Misconfigured
from trickle.relay.secrets import Access, Filled, Resolved, files_below, read_secret_file, redact, resolve


@dataclass(frozen=True, slots=True)
class Inner:
    token: str = option("A token.", default="", secret=True)


@dataclass(frozen=True, slots=True)
class Outer:
    url: str = option("An address.")
    inner: Inner = option("Nested.", default=Inner())
    several: tuple[Inner, ...] = option("Many.", default=())
    headers: dict[str, str] = option("Texts.", default={})
    eggs: int = option("A number.", default=2)
    subject: str = option("A template.", default="", template=True)


def filled(outer: Outer, **environment: str) -> Resolved[Outer]:
    return resolve(outer, environment, where="pipeline 'post'")


def test_references_are_filled_in_everywhere(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    outer = Outer(
        "postgresql://me:${env:PW}@h/${env:DB}",
        Inner(f"${{file:{secret}}}"),
        (Inner("plain"), Inner("${env:PW}")),
        {"authorization": "Bearer ${env:PW}"},
    )
    made = filled(outer, PW="pw-value", DB="shop")
    assert made.options == Outer(
        "postgresql://me:pw-value@h/shop",
        Inner("from-file"),
        (Inner("plain"), Inner("pw-value")),
        {"authorization": "Bearer pw-value"},
    )
    assert {"pw-value", "from-file"} <= made.secrets


def test_what_has_no_reference_stays_the_very_same() -> None:
    outer = Outer("x", headers={"a": "b"})
    assert filled(outer).options is outer


def test_what_is_filled_in_is_not_looked_through() -> None:
    assert filled(Outer("${env:A}"), A="${env:B}", B="b").options.url == "${env:B}"


def test_what_is_put_into_a_template_is_no_template() -> None:
    made = filled(Outer("${env:A}", subject="{op}.${env:A}"), A="{key}").options
    assert (made.url, made.subject) == ("{key}", "{op}.{{key}}")


def test_nothing_filled_in_is_in_a_repr() -> None:
    made = filled(Outer("redis://:${env:PW}@h", Inner("${env:PW}"), headers={"a": "${env:PW}"}), PW="hunter22")
    assert "hunter22" not in repr(made)
    assert "hunter22" not in repr(made.options)
    assert isinstance(made.options.url, Filled) and f"{made.options.url}" == "redis://:hunter22@h"


def test_everything_missing_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    outer = Outer("${env:A}", Inner("${file:/no/such/file}"), (Inner("${env:EMPTY}"),), {"x": "${env:A}"})
    with pytest.raises(Misconfigured) as caught:
        filled(outer, EMPTY="")
    assert str(caught.value) == (
        "pipeline 'post': url: the environment variable A is not set; "
        "pipeline 'post': inner.token: cannot read /no/such/file: No such file or directory; "
        "pipeline 'post': several[0].token: the environment variable EMPTY is empty; "
        "pipeline 'post': headers.x: the environment variable A is not set"
    )


def test_a_secret_that_has_changed_is_noticed(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    outer = Outer("${env:A}", Inner(f"${{file:{secret}}}"))
    seen = []
    for content, variable in (("one\n", "a"), ("one", "a"), ("two", "a"), ("two", "b")):
        secret.write_text(content)
        seen.append(filled(outer, A=variable).fingerprint)
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert filled(Outer("x")).fingerprint == filled(Outer("y")).fingerprint


def test_files_that_are_no_secrets_are_refused(tmp_path: Path) -> None:
    large, binary, pipe = tmp_path / "large", tmp_path / "binary", tmp_path / "pipe"
    large.write_bytes(b"x" * 65537)
    binary.write_bytes(b"\xff\xfe")
    os.mkfifo(pipe)
    for path, said in (
        (large, "larger than 65536 bytes"),
        (binary, "is not UTF-8 text"),
        (pipe, "is no file"),
        (tmp_path, "is no file"),
        (Path("/dev/zero"), "is no file"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            read_secret_file(path)


def test_files_may_be_kept_to_a_directory(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.write_text("hidden")
    (inside / "good").write_text("good\r\n")
    (inside / "link").symlink_to(outside)
    read = files_below(inside)
    assert resolve(Inner(f"${{file:{inside}/good}}"), {}, read).options.token == "good"
    for name in (f"{inside}/link", f"{inside}/../out", str(outside)):
        with pytest.raises(Misconfigured, match="may not be read"):
            resolve(Inner(f"${{file:{name}}}"), {}, read)


def test_a_relay_may_say_what_pipelines_may_refer_to(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("good")
    access = Access("TENANT_", (tmp_path,))
    environment = {"TENANT_TOKEN": "theirs", "TOKEN": "ours"}
    assert access.resolve(Inner("${env:TENANT_TOKEN}"), environment).options.token == "theirs"
    assert access.resolve(Inner(f"${{file:{tmp_path}/good}}"), environment).options.token == "good"
    for reference in ("${env:TOKEN}", "${env:NONE}", "${file:/etc/hostname}"):
        with pytest.raises(Misconfigured, match="may not be read") as caught:
            access.resolve(Inner(reference), environment)
        assert "ours" not in str(caught.value)
    assert Access().resolve(Inner("${env:TOKEN}"), environment).options.token == "ours"


def test_a_relay_may_let_pipelines_refer_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("good")
    for access in (Access(None, None), Access(None, (tmp_path / "other",))):
        for reference in ("${env:TOKEN}", f"${{file:{tmp_path}/good}}"):
            with pytest.raises(Misconfigured, match="may not be read"):
                access.resolve(Inner(reference), {"TOKEN": "ours"})


def test_texts_lose_their_secrets_however_they_are_escaped() -> None:
    text = "cannot reach amqp://me:p%40ss%2Fword@h (p@ss/word): p@ss/word"
    assert redact(text, {"p@ss/word"}) == "cannot reach amqp://me:***@h (***): ***"
    assert redact("a secret, secretly", {"secret", "secretly"}) == "a ***, ***"
    assert redact("nothing is abc", {"abc", ""}) == "nothing is abc"


def test_the_password_of_an_address_that_is_a_secret_as_a_whole_is_one() -> None:
    made = filled(Outer("${env:URL}"), URL="nats://me:hunter22@h:4222")
    assert "hunter22" in made.secrets
    assert redact("refused for me with hunter22", made.secrets) == "refused for me with ***"
