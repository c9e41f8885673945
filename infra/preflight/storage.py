"""What `aspora bootstrap` makes: buckets, keys, secrets, runsc. Is it there and as it should be?"""

from __future__ import annotations

from collections.abc import Iterator

from aspora.errors import AsporaError
from infra.bootstrap import buckets, keys, runsc, secret_store
from infra.preflight.check import Check, Look


def state_bucket(look: Look) -> Iterator[Check]:
    """Pulumi's state, encrypted with the key of its secrets."""
    account = look.account
    key = keys.by_alias(account, account.alias("pulumi"))
    yield _bucket(look, buckets.state(account, key["Arn"] if key else ""))


def tools_bucket(look: Look) -> Iterator[Check]:
    """Where nodes fetch runsc from."""
    yield _bucket(look, buckets.tools(look.account))


def _bucket(look: Look, wanted: buckets.Wanted) -> Check:
    try:
        if not buckets.exists(look.account, wanted.name):
            return Check("fail", wanted.what, f"{wanted.name} does not exist", look.bootstrap)
    except buckets.NotOurs as error:
        return Check("warn", wanted.what, f"cannot look: {error.message}", error.hint)
    except buckets.Elsewhere as error:
        return Check("fail", wanted.what, error.message, error.hint)
    drifted = buckets.drift(look.account, wanted)
    if drifted:
        detail = f"{wanted.name} is not as it should be: {', '.join(drifted)}"
        return Check("fail", wanted.what, detail, look.bootstrap)
    return Check("pass", wanted.what, wanted.name)


def key(purpose: str, look: Look) -> Iterator[Check]:
    """One of the two keys."""
    alias = look.account.alias(purpose)
    what = f"KMS key {alias}"
    found = keys.by_alias(look.account, alias)
    if found is None:
        yield Check("fail", what, "does not exist", look.bootstrap)
        return
    try:
        keys.refuse_unusable(found, alias)
    except AsporaError as error:
        yield Check("fail", what, error.message, error.hint)
        return
    drifted = keys.drift(look.account, found["KeyId"], alias)
    if drifted:
        detail = f"is not as it should be: {', '.join(drifted)}"
        yield Check("fail", what, detail, look.bootstrap)
    else:
        yield Check("pass", what, str(found["Arn"]))


def named_secrets(look: Look) -> Iterator[Check]:
    """Names only: which have no value yet."""
    client = look.account.aws.client("secretsmanager")
    there = secret_store.entries(client, look.account.settings)
    wanted = [secret for secret in look.secrets if secret.source != "pulumi"]
    missing = []
    for secret in wanted:
        entry = there.get(secret.name)
        if entry and entry.get("DeletedDate"):
            restore = f"aws secretsmanager restore-secret --secret-id {secret.name}"
            yield Check("fail", f"secret {secret.name}", "is being deleted", restore)
        elif not entry or not secret_store.has_value(entry):
            missing.append(secret.name)
    if missing:
        detail = f"{len(missing)} of {len(wanted)} have no value: {', '.join(missing)}"
        yield Check("fail", "named secrets", detail, look.bootstrap)
    else:
        yield Check("pass", "named secrets", f"all {len(wanted)} are there")


def gvisor(look: Look) -> Iterator[Check]:
    """The tarball of runsc, and whether it is the one that the settings name."""
    runtime = look.account.config.nodes.gvisor_runtime
    place = f"s3://{look.account.tools_bucket}/{look.account.gvisor_key}"
    upload = f"{look.bootstrap} --gvisor FILE"
    there = runsc.stored(look.account)
    if runtime.sha256 is None:
        detail = f"no checksum of {runtime.release} is named"
        way_out = f"write {look.setting('nodes.gvisorRuntime.sha256')}"
        yield Check("fail", "gVisor", detail, way_out)
    elif there is None:
        yield Check("fail", "gVisor", f"{place} does not exist", upload)
    elif there != runtime.sha256:
        detail = f"{place} has the SHA-256 {there or 'unknown'}, wanted {runtime.sha256}"
        yield Check("fail", "gVisor", detail, upload)
    elif not runtime.verified:
        detail = f"{runtime.release} is there; nobody has compared its checksum with SHA256SUMS"
        way_out = f"compare it, then set {look.setting('nodes.gvisorRuntime.verified')}"
        yield Check("warn", "gVisor", detail, way_out)
    else:
        yield Check("pass", "gVisor", f"{runtime.release}, SHA-256 {there}")
