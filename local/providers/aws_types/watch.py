"""What watches and tells: logs, events, queues, trails, GuardDuty."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from local.providers.aws_entry import AwsType, Call, Lack, Part, Tagging

if TYPE_CHECKING:
    from local.providers.aws_context import Context

Values = dict[str, Any]

_GROUP = {"logGroupName": "{id}"}
LOG_GROUP = AwsType(
    "aws:cloudwatch/logGroup:LogGroup",
    "logs",
    create=Call("create_log_group"),
    identity="{name}",
    read=Call(
        "describe_log_groups",
        {"logGroupNamePrefix": "{id}"},
        at="logGroups",
        where={"logGroupName": "{id}"},
    ),
    delete=Call("delete_log_group", _GROUP),
    required=("name",),
    names={"name": "logGroupName"},
    replaces=("name", "logGroupClass"),
    computed=("arn",),
    made={"arn": "arn:aws:logs:{region}:{account}:log-group:{id}"},
    asides=("skipDestroy",),
    kept={
        "kmsKeyId": Lack("associate_kms_key"),
        "logGroupClass": Lack("create_log_group", "moto does not keep it"),
        "deletionProtectionEnabled": Lack("put_log_group_deletion_protection"),
    },
    parts=(
        Part(
            ("retentionInDays",),
            Call("put_retention_policy", _GROUP),
            drop=Call("delete_retention_policy", _GROUP),
        ),
    ),
    tagging=Tagging(
        "tag_resource",
        "untag_resource",
        {"resourceArn": "arn:aws:logs:{region}:{account}:log-group:{id}"},
        Call(
            "list_tags_for_resource",
            {"resourceArn": "arn:aws:logs:{region}:{account}:log-group:{id}"},
            at="tags",
        ),
    ),
)


def _event_pattern_rule(context: Context, values: Values) -> None:
    """put_rule again, without the tags that it takes on creation alone."""
    given = {name: value for name, value in values.items() if name != "tags"}
    context.call(Call("put_rule"), given)


EVENT_RULE = AwsType(
    "aws:cloudwatch/eventRule:EventRule",
    "events",
    create=Call("put_rule"),
    identity="{name}",
    read=Call("describe_rule", {"Name": "{id}", "EventBusName": "{eventBusName}"}),
    delete=Call("delete_rule", {"Name": "{id}", "EventBusName": "{eventBusName}", "Force": True}),
    required=("name",),
    replaces=("name", "eventBusName"),
    computed=("arn",),
    asides=("forceDestroy",),
    updates=(_event_pattern_rule,),
    tagging=Tagging(
        "tag_resource",
        "untag_resource",
        {"ResourceARN": "{Arn}"},
        Call("list_tags_for_resource", {"ResourceARN": "{Arn}"}),
    ),
)

_PUT_TARGET = Call("put_targets", inside="Targets", whole=True)
_TARGET = {"Rule": "{rule}", "EventBusName": "{eventBusName}"}
EVENT_TARGET = AwsType(
    "aws:cloudwatch/eventTarget:EventTarget",
    "events",
    create=_PUT_TARGET,
    identity="{rule}-{targetId}",
    read=Call("list_targets_by_rule", _TARGET, at="Targets", where={"Id": "{targetId}"}),
    delete=Call("remove_targets", {**_TARGET, "Ids": "{targetId}"}),
    required=("targetId",),
    names={
        "targetId": "Id",
        "inputTransformer.inputPaths": "InputPathsMap",
        "sqsTarget": "SqsParameters",
    },
    replaces=("rule", "targetId", "eventBusName"),
    asides=("forceDestroy",),
    updates=(_PUT_TARGET,),
)

_QUEUE = {"QueueUrl": "{id}"}
_ATTRIBUTES = Call("get_queue_attributes", {**_QUEUE, "AttributeNames": ["All"]}, at="Attributes")
_SET_ATTRIBUTES = Call("set_queue_attributes", _QUEUE, inside="Attributes")
QUEUE = AwsType(
    "aws:sqs/queue:Queue",
    "sqs",
    create=Call("create_queue", inside="Attributes"),
    identity="{QueueUrl}",
    read=_ATTRIBUTES,
    find=Call("get_queue_url", {"QueueName": "{name}"}),
    delete=Call("delete_queue", _QUEUE),
    required=("name",),
    names={
        "name": "QueueName",
        "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
        "maxMessageSize": "MaximumMessageSize",
        "messageRetentionSeconds": "MessageRetentionPeriod",
        "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
        "visibilityTimeoutSeconds": "VisibilityTimeout",
    },
    answers={"arn": "QueueArn"},
    unread=("name",),
    replaces=("name", "fifoQueue"),
    computed=("arn", "url"),
    made={"url": "{id}"},
    updates=(_SET_ATTRIBUTES,),
    tagging=Tagging("tag_queue", "untag_queue", _QUEUE, Call("list_queue_tags", _QUEUE)),
)

_URL = {"QueueUrl": "{queueUrl}"}
_PUT_QUEUE_POLICY = Call("set_queue_attributes", inside="Attributes", whole=True)
QUEUE_POLICY = AwsType(
    "aws:sqs/queuePolicy:QueuePolicy",
    "sqs",
    create=_PUT_QUEUE_POLICY,
    identity="{queueUrl}",
    read=Call("get_queue_attributes", {**_URL, "AttributeNames": ["Policy"]}, at="Attributes"),
    delete=Call("set_queue_attributes", {**_URL, "Attributes": {"Policy": ""}}),
    replaces=("queueUrl",),
    updates=(_PUT_QUEUE_POLICY,),
)


def _switch_logging(context: Context, values: Values) -> None:
    verb = "stop_logging" if values.get("enableLogging") is False else "start_logging"
    context.ask(verb, Name=context.values["id"])


def _is_logging(context: Context) -> Values:
    answer = context.ask("get_trail_status", Name=context.values["id"])
    return {"enableLogging": answer["IsLogging"]}


_TRAIL = {"Name": "{name}"}
_SELECTORS = {"TrailName": "{name}"}
TRAIL = AwsType(
    "aws:cloudtrail/trail:Trail",
    "cloudtrail",
    create=Call("create_trail"),
    identity="{TrailARN}",
    read=Call("get_trail", _TRAIL, at="Trail"),
    find=Call("get_trail", _TRAIL, at="Trail"),
    delete=Call("delete_trail", _TRAIL),
    required=("name",),
    names={"cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn"},
    answers={"arn": "TrailARN", "enableLogFileValidation": "LogFileValidationEnabled"},
    replaces=("name",),
    computed=("arn", "homeRegion", "snsTopicArn"),
    defaults={"enableLogging": True},
    updates=(Call("update_trail", _TRAIL),),
    parts=(
        Part(("enableLogging",), _switch_logging, _is_logging),
        Part(
            ("eventSelectors", "advancedEventSelectors"),
            Call("put_event_selectors", _SELECTORS),
            Call("get_event_selectors", _SELECTORS),
        ),
        Part(
            ("insightSelectors",),
            Call("put_insight_selectors", _SELECTORS),
            Call("get_insight_selectors", _SELECTORS),
        ),
    ),
    tagging=Tagging(
        "add_tags",
        "remove_tags",
        {"ResourceId": "{TrailARN}"},
        Call("list_tags", {"ResourceIdList": "{TrailARN}"}, at="ResourceTagList.TagsList"),
    ),
)

_DETECTOR = {"DetectorId": "{id}"}
DETECTOR = AwsType(
    "aws:guardduty/detector:Detector",
    "guardduty",
    create=Call("create_detector"),
    identity="{DetectorId}",
    read=Call("get_detector", _DETECTOR),
    delete=Call("delete_detector", _DETECTOR),
    answers={"enable": "Status"},
    computed=("accountId", "arn", "findingPublishingFrequency"),
    made={
        "accountId": "{account}",
        "arn": "arn:aws:guardduty:{region}:{account}:detector/{id}",
    },
    defaults={"enable": True},
    kept={"tags": Lack("tag_resource")},
    updates=(Call("update_detector", _DETECTOR),),
    tagging=Tagging("tag_resource", "untag_resource", {"ResourceArn": "{arn}"}),
)


_OF_DETECTOR = {"DetectorId": "{detectorId}"}
_FEATURE = ("name", "status", "additionalConfigurations")
_ONE_AT_A_TIME = Lock()


def _put_feature(context: Context, _values: Values) -> None:
    """AWS keeps the features that a call does not name; moto must be told of them again."""
    call = Call("update_detector", _OF_DETECTOR, inside="Features")
    mine = {name: context.inputs[name] for name in _FEATURE if name in context.inputs}
    parameters = context.parameters(call, mine)
    with _ONE_AT_A_TIME:
        answer = context.ask("get_detector", DetectorId=parameters["DetectorId"])
        for other in answer.get("Features", ()):
            if other["Name"] != mine["name"]:
                parameters["Features"].append({n: v for n, v in other.items() if n != "UpdatedAt"})
        context.ask("update_detector", **parameters)


DETECTOR_FEATURE = AwsType(
    "aws:guardduty/detectorFeature:DetectorFeature",
    "guardduty",
    create=Call("get_detector", _OF_DETECTOR, uses=("name",)),
    identity="{detectorId}/{name}",
    read=Call("get_detector", _OF_DETECTOR, at="Features", where={"Name": "{name}"}),
    # As in life: a feature that nobody declares any more stays as it was.
    delete=None,
    required=("name",),
    replaces=("detectorId", "name"),
    parts=(Part(("status", "additionalConfigurations"), _put_feature),),
)

KINDS = (
    *(LOG_GROUP, EVENT_RULE, EVENT_TARGET, QUEUE, QUEUE_POLICY),
    *(TRAIL, DETECTOR, DETECTOR_FEATURE),
)
