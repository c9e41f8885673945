"""What an entry of the AWS table says: the boto3 calls of one type, and what moto lacks of it.

In templates "{id}" is the resource's id, "{name}" its property or output of that name, "{region}",
"{account}" and "{unique}" (digits made from the URN) what they say. A template that names something
that is not there leaves its parameter out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]
Templates = Mapping[str, Any]
Step = "Call | Callable[[Context, Values], None]"


@dataclass(frozen=True)
class Call:
    """One boto3 call.

    `by`: parameters beside the properties, as templates; `uses`: the properties that functions
    among them send. `inside`: a structure of the input (or, for a call that reads, of the answer)
    that holds properties too: LaunchTemplateData. `at`: where the object stands in the answer,
    the first one that has the members of `where`. `whole`: an update sends every property that
    the call knows, not only those that changed; `each`: one property at a time.
    """

    operation: str
    by: Templates = field(default_factory=dict)
    inside: str = ""
    at: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    each: bool = False
    uses: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True)
class Part:
    """Properties that calls of their own send, take away and read."""

    properties: tuple[str, ...]
    put: Call | Callable[[Context, Values], None]
    get: Call | Callable[[Context], Values] | None = None
    drop: Call | None = None


@dataclass(frozen=True)
class Tagging:
    """How tags change; `listed` where the call that reads the resource does not answer them."""

    add: str
    remove: str
    by: Templates
    listed: Call | None = None


@dataclass(frozen=True)
class Lack:
    """A call that moto does not know, as botocore names it; with a reason where one is needed."""

    call: str
    reason: str = ""


@dataclass(frozen=True)
class AwsType:
    """One type; property names are those of the AWS provider's SDK.

    `required`: what must be given, for nothing here makes up names. `names`: properties that the
    API calls otherwise, `answers`: where they stand in the answer. `replaces`: what AWS never
    changes. `computed`: what a preview cannot know, of it `moving` changes with every update.
    `made`: outputs that no answer holds. `asides`: orders to the provider that no call takes,
    `unread`: what is not compared with the answer.
    `kept`: properties that moto does not play, so they live in the engine's state; `gaps`: those
    that it plays in part; `lacks`: the call for want of which the whole resource lives in the
    engine's state. `gone`: by what the answer shows that it is there no more, `ready` that it is
    there at last. `secrets`: values that no
    error and no read shows. `after` runs on what was just made, `more` adds outputs of other calls.
    """

    token: str
    service: str
    create: Call
    identity: str | Callable[[Context], str]
    read: Call
    delete: Call | Callable[[Context], None] | None = None
    required: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    asides: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    kept: Mapping[str, Lack] = field(default_factory=dict)
    gaps: Mapping[str, Lack] = field(default_factory=dict)
    lacks: Lack | None = None
    updates: tuple[Call | Callable[[Context, Values], None], ...] = ()
    parts: tuple[Part, ...] = ()
    tagging: Tagging | None = None
    tag_resource: str = ""
    find: Call | None = None
    after: Callable[[Context], None] | None = None
    more: Callable[[Context], Values] | None = None
    gone: Mapping[str, tuple[str, ...]] | Callable[[Context], bool] = field(default_factory=dict)
    ready: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def part(self, name: str) -> Part | None:
        """The part that a property belongs to."""
        return next((part for part in self.parts if name in part.properties), None)
