"""The files of prompts: what is read, what is refused, and what Langfuse should have of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aspora.problem_formats import format_text
from aspora.prompts import files
from aspora.prompts.plan import plan
from aspora.prompts.reconcile import Step, Version, steps
from tests.core import MINIMAL, ROOT, loaded, repository, settings

OWN = (
    MINIMAL
    + """\
skills:
  - {name: weigh, agent: vet, description: Says what a pet weighs.}
"""
)
HERE = "pets/skills/vet/advise/prompts"


def put(folder: Path, name: str, text: str | bytes = "Be kind.\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(folder: Path, text: str = MINIMAL) -> list[str]:
    found = format_text(loaded(folder, text).problems).replace(f"{folder}/", "")
    return [line for line in found.splitlines() if not line.startswith(" ")]


def test_files_beside_a_skill_are_its_prompts(tmp_path: Path) -> None:
    put(tmp_path, f"{HERE}/system.md", "\r\nBe kind.\r\n\r\nAsk first.\r\n")
    put(tmp_path, f"{HERE}/greeting.txt", "Hello.")
    put(tmp_path, f"{HERE}/.gitkeep", "")
    put(tmp_path, "pets/skills/weigh/prompts/system.md")
    put(tmp_path, "pets/skills/vet/advise/notes.md", "no prompt")
    found = loaded(tmp_path, OWN)
    assert found.problems == ()
    assert [(each.skill, each.name, each.text) for each in found.prompts] == [
        ("pets/vet/advise", "greeting", "Hello."),
        ("pets/vet/advise", "system", "Be kind.\n\nAsk first."),
        ("pets/weigh", "system", "Be kind."),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("System.md", "a", '1:1: ASP204: "System.md" is no name of a prompt'),
        ("system.yaml", "a", '1:1: ASP204: "system.yaml" is no name of a prompt'),
        ("system\u202e.md", "a", 'ASP204: "system\\u202e.md" is no name of a prompt'),
        ("system.md", "", "1:1: ASP204: the prompt is empty"),
        ("system.md", " \n\n", "1:1: ASP204: the prompt is empty"),
        ("system.md", b"a\n\xff", "2:1: ASP103: byte 0xff is not UTF-8"),
        ("system.md", "Be\nki\u200bnd.", "2:3: ASP104: a character that cannot be seen, U+200B"),
        ("system.md", "a" * 65537, "1:1: ASP113: the prompt is bigger than 64 KiB"),
        ("system.md", "a" * 2**21, "1:1: ASP113: the file is bigger than 1024 KiB"),
        ("system.md", "@@@langfusePrompt:name=x|label=y@@@", "ASP204: the prompt has another one"),
    ],
)
def test_what_is_no_prompt(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    put(tmp_path, f"{HERE}/{name}", text)
    (found,) = problems(tmp_path)
    assert found.startswith(f"{HERE}/")
    assert said in found


def test_a_prompt_may_be_as_big_as_the_limit(tmp_path: Path) -> None:
    put(tmp_path, f"{HERE}/system.md", "a" * files.MAX_BYTES)
    assert problems(tmp_path) == []


def test_one_name_in_two_files(tmp_path: Path) -> None:
    put(tmp_path, f"{HERE}/system.md")
    put(tmp_path, f"{HERE}/system.txt")
    (found,) = problems(tmp_path)
    assert found.startswith(f'{HERE}/system.txt:1:1: ASP301: the prompt "system" stands in two')


def test_too_many_of_them(tmp_path: Path) -> None:
    for number in range(files.MAX_PROMPTS + 1):
        put(tmp_path, f"{HERE}/p{number}.md")
    assert problems(tmp_path) == [f"{HERE}:1:1: ASP113: 51 files; a skill has at most 50"]


@pytest.mark.parametrize(
    "where", ["pets/skills/vet/advice", "pets/skills/advise", "pets/skills/x/y"]
)
def test_prompts_of_no_skill(tmp_path: Path, where: str) -> None:
    put(tmp_path, f"{where}/prompts/system.md")
    (found,) = problems(tmp_path)
    assert found.startswith(f'{where}/prompts:1:1: ASP102: no skill of "pets" has its prompts here')


def test_no_link_leads_out_of_the_skills_folder(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret.md", "of the runner")
    other = put(tmp_path, "pets/skills/vet/other.md")
    for target, name in ((secret, "a.md"), (other, "b.md")):
        link = tmp_path / HERE / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    assert [line.partition(" ")[2] for line in problems(tmp_path)] == [
        "ASP102: cannot be read: a symbolic link leads out of the folder"
    ] * 2


@pytest.mark.parametrize("link", ["pets/skills", "pets/skills/vet", HERE])
def test_nor_does_a_folder(tmp_path: Path, link: str) -> None:
    put(tmp_path, f"elsewhere/{link.removeprefix('pets/')}/x")
    put(tmp_path, f"elsewhere/{HERE.removeprefix('pets/')}/system.md", "of the runner")
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere" / link.removeprefix("pets/"))
    (found,) = problems(tmp_path)
    assert found == f"{HERE}:1:1: ASP102: a symbolic link leads out of the skill's folder"


@pytest.mark.parametrize("name", ["system.md", "x/system.md"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / HERE / name
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert len(problems(tmp_path)) == 1


def test_the_repositorys_own_are_read() -> None:
    names = {each.name for each in plan(loaded_here(), settings())}
    assert names == {
        "ecm/manager/triage-and-assign/system",
        "wealth/advisor/explain-performance/system",
    }


def loaded_here() -> tuple[files.Prompt, ...]:
    found = [files.read(domain, ROOT / "domains" / domain.name) for domain in repository()]
    return tuple(prompt for prompts, _ in found for prompt in prompts)


# What Langfuse should have

PROMPT = files.Prompt("pets/vet/advise", "system", "Be kind.", "system.md")
NAME = "pets/vet/advise/system"


def version(number: int, text: str | None = "Be kind.", **changes: object) -> Version:
    (wanted,) = plan([files.Prompt("pets/vet/advise", "system", text or "", "")], settings())
    held: dict[str, object] = {"labels": ("local",), "tags": wanted.tags, "config": wanted.config}
    return Version(number, text, **(held | changes))  # type: ignore[arg-type]


def mend(*there: Version, text: str = "Be kind.") -> list[str]:
    wanted = plan([files.Prompt("pets/vet/advise", "system", text, "")], settings())
    return [step.shown for step in steps(wanted, {NAME: there} if there else {})]


@pytest.mark.parametrize(
    ("stack", "labels"),
    [("local", ("local",)), ("staging", ("staging",)), ("prod", ("prod", "production"))],
)
def test_a_prompt_in_langfuses_words(stack: str, labels: tuple[str, ...]) -> None:
    (step,) = steps(plan([PROMPT], settings(stack)), {})
    assert step.call is not None
    method, path, body = step.call
    assert (method, path) == ("POST", "/api/public/v2/prompts")
    assert body["config"].pop("sha256") == body_sum()
    assert body == {
        "type": "text",
        "name": NAME,
        "prompt": "Be kind.",
        "config": {"managed_by": "aspora", "skill": "pets/vet/advise"},
        "labels": list(labels),
        "tags": ["aspora", "pets"],
        "commitMessage": f"from the skill's file, sha256 {body_sum()[:12]}",
    }


def body_sum() -> str:
    """`printf 'Be kind.' | sha256sum`."""
    return "5499befb38dbf3fcc08107141cb2a9e7f42a6aae403361dc3601b8296d7967ea"


def test_a_text_that_is_there_is_no_new_version() -> None:
    assert mend(version(1)) == []
    assert mend(version(1, labels=()), version(2, "Be quick.")) == [
        f"label {NAME}: version 1: local (from version 2)"
    ]
    assert mend(version(1, labels=()), version(2, labels=())) == [f"label {NAME}: version 2: local"]


def test_a_changed_text_is_one_more_and_keeps_what_people_tagged() -> None:
    wanted = plan([files.Prompt("pets/vet/advise", "system", "Be quick.", "")], settings())
    (step,) = steps(wanted, {NAME: [version(4, tags=("aspora", "pets", "tone"))]})
    assert step.shown == f"create {NAME}: version 5"
    assert step.call is not None
    assert step.call[2]["tags"] == ["aspora", "pets", "tone"]


def test_a_label_is_moved_to_a_version_by_its_address() -> None:
    wanted = plan([PROMPT], settings("prod"))
    (step,) = steps(wanted, {NAME: [version(3, labels=("prod",))]})
    assert step.call == (
        "PATCH",
        "/api/public/v2/prompts/pets%2Fvet%2Fadvise%2Fsystem/versions/3",
        {"newLabels": ["production"]},
    )


def test_what_somebody_made_by_hand_is_reported_and_loses_only_our_label() -> None:
    tried = version(2, "Be rude.", config={})
    assert mend(version(1, labels=()), tried) == [
        f"label {NAME}: version 1: local (from version 2, made by hand)",
        f"report {NAME}: made by hand: version 2",
    ]
    assert mend(version(1), version(2, "Be rude.", config={}, labels=())) == [
        f"report {NAME}: made by hand: version 2"
    ]


def test_a_copy_of_ours_with_another_text_is_made_by_hand() -> None:
    ours = version(1)
    assert ours.ours
    assert not version(2, "Be rude.", config=ours.config).ours
    assert not version(2, None, config=ours.config).ours


def test_the_same_text_with_other_settings_is_another_version() -> None:
    assert mend(version(1, config={"temperature": 1})) == [
        f"create {NAME}: version 2",
        f"report {NAME}: made by hand: version 1",
    ]


def test_a_chat_prompt_of_that_name_is_for_a_person() -> None:
    wanted = plan([PROMPT], settings())
    found = steps(wanted, {NAME: [version(1, None, config={})]})
    assert [(step.verb, step.stuck) for step in found] == [("report", True), ("report", False)]
    assert found[0].what.startswith("is a chat prompt")


def test_what_no_file_names_is_reported() -> None:
    there = {"pets/a": [version(1)], "pets/b": [version(1, config=None)]}
    assert [step.shown for step in steps((), there)] == [
        "report pets/a: no file names it any more",
        "report pets/b: made by hand",
    ]
    assert all(step.call is None and not step.stuck for step in steps((), there))


def test_a_step_says_itself() -> None:
    assert Step("label", "a", "b").shown == "label a: b"
