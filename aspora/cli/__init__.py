"""The `aspora` command: results on stdout, everything else on stderr.

Exit codes: 0 fine, 1 findings or failure, 2 misuse, 130 interrupted. Commands are imported when
they are called, so that `aspora validate` never pays for the engine.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from aspora.errors import AsporaError, InvalidInput

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "validate": ("aspora.cli.validate:validate", "Check domain files; every problem at once."),
    "render": ("aspora.cli.render:render", "Print the Kubernetes objects of a stack."),
    "diff": ("local.diff_commands:diff", "Say what a change would do, for its reviewer."),
    "report": ("local.report_commands:report", "Show a stack as one page, for people to look at."),
    "explain": ("aspora.cli.explain:explain", "Say what a field or a problem code means."),
    "schema": ("aspora.cli.schema:schema", "Print the JSON Schema editors use."),
    "approvals": ("aspora.cli.approvals:approvals", "Check what needs the platform team's word."),
    "codeowners": ("aspora.cli.codeowners:codeowners", "Say or write who reviews what."),
    "up": ("local.commands:up", "Bring a stack up with Pulumi's engine."),
    "preview": ("local.commands:preview", "Show what `up` would change."),
    "down": ("local.commands:down", "Take a platform of this machine down; nothing stays behind."),
    "status": ("local.commands:status", "Show what is up."),
    "smoke-test": ("local.smoke_commands:smoke_test", "Look whether what was deployed is ready."),
    "cost": ("local.cost_commands:cost", "Say what a stack costs, and what was spent."),
    "estimate-cost": ("local.estimate_commands:estimate_cost", "Say what a change will cost."),
    "prices": ("local.price_commands:prices", "Refresh the prices that estimates rest on."),
    "check": ("local.check_commands:check", "Check a stack against our rules and checkov's."),
    "isolation": (
        "local.isolation_commands:isolation",
        "Prove that no domain reaches another but as declared.",
    ),
    "doctor": ("local.commands:doctor", "Look whether this machine has what is needed."),
    "gateway": ("local.gateway_commands:gateway", "Keep the model gateway's teams and keys."),
    "prompts": ("local.prompt_commands:prompts", "Keep Langfuse's prompts those of the files."),
    "database": ("local.database_commands:database", "Log in at the platform's databases."),
    "bootstrap": ("local.account_commands:bootstrap", "Prepare an AWS account for Pulumi."),
}

MAX_PLACE = 300
"""Characters of a path that a message repeats."""

EPILOG = """\b
Examples:
  aspora validate                     check every domain file
  aspora render --domain ecm | less   the objects of one domain
  aspora up                           the whole platform on this machine
  aspora explain agents.skills.budget what a field means

Shell completion: eval "$(_ASPORA_COMPLETE=bash_source aspora)" (or zsh_source, fish_source).
"""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table, which is the order people need them in."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        gc.disable()  # modules hold no garbage: looking for it takes a tenth of the time to load
        try:
            command = getattr(importlib.import_module(module), attribute)
        finally:
            gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is no command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As click does; but when whoever read our output has seen enough (`| head`), that is
        no failure, and the rest goes nowhere, quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for --help, from the table: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest command when the name is unknown."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from aspora.problems import nearest, quoted

            near = nearest(args[0], list(COMMANDS))
            ctx.fail(
                f"no command {quoted(args[0])}" + (f'; did you mean "{near}"?' if near else "")
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="aspora-platform", prog_name="aspora")
def cli() -> None:
    """AI-agent skills of a financial company on Kubernetes, from domain YAML."""


def main() -> None:
    """Run the command and leave with its exit code; no traceback for what a person can mend."""
    _open_streams()
    # `kill`, a closed terminal and CI's cancel end a command as ^C does: in good order.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup keeps its meaning
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def _open_streams() -> None:
    """Whoever closed a stream (`>&-`) wants nothing of it: the next file that is opened must not
    take its number, or the output of a child would end in it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def run(args: list[str]) -> int:
    """The exit code of `aspora ARGS…`."""
    try:
        code = cli.main(args, prog_name="aspora", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AsporaError as error:
        show(error)
        return error.exit_code
    except OSError as error:
        if os.environ.get("ASPORA_TRACEBACK"):
            raise
        return _of_the_system(error)
    except Exception as error:
        if os.environ.get("ASPORA_TRACEBACK"):
            raise
        click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
        click.echo("  this is a bug; ASPORA_TRACEBACK=1 shows where it happened", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _of_the_system(error: OSError) -> int:
    """What the system refuses and no command foresaw: a full disk, a folder that is gone."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or type(error).__name__
    if not where and _is_gone():
        show(AsporaError("the folder this runs in is gone", hint="change into another one"))
    elif where:
        show(AsporaError(f"{where[:MAX_PLACE]} cannot be used: {reason}"))
    else:
        _drop_output()
        show(AsporaError(f"what was to be printed or written cannot be: {reason}"))
    return 1


def _is_gone() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _drop_output() -> None:
    """What waits to be written goes nowhere: Python would try it again at the end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(error: AsporaError) -> None:
    """The error on stderr: what happened, then the way out, indented."""
    from aspora.problems import printable

    if isinstance(error, InvalidInput):
        from aspora.problem_formats import format_text

        click.echo(format_text(error.problems), err=True, nl=False)
    # Parts of it may be somebody else's text: nothing in it may steer the terminal.
    first, *more = map(printable, error.message.split("\n"))
    click.echo(f"{click.style('error:', fg='red', bold=True)} {first}", err=True)
    for line in more:
        click.echo(line, err=True)
    for line in error.hint.splitlines():
        click.echo(f"  {printable(line)}", err=True)
