"""ECR: one repository for each image that the domains run; tags never move, images are scanned."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.site import Site

KEPT_IMAGES = 50


@dataclass(frozen=True)
class RepositoriesArgs:
    """`names` without a registry: aspora/wealth-advisor. `key` is the ARN of a KMS key."""

    site: Site
    names: tuple[tuple[str, str], ...]
    key: pulumi.Input[str]


class Repositories(pulumi.ComponentResource):
    """Repositories by name, each tagged with the domain that owns it."""

    def __init__(
        self, name: str, args: RepositoriesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aspora:aws:Repositories", name, None, opts)
        for repository, owner in args.names:
            self._repository(args, repository, owner)
        self.register_outputs({"count": len(args.names)})

    def _repository(self, args: RepositoriesArgs, name: str, owner: str) -> None:
        child = pulumi.ResourceOptions(parent=self)
        made = aws.ecr.Repository(
            name,
            name=name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key}],
            force_delete=not args.site.protect,
            tags=args.site.tags(owner=owner),
            opts=pulumi.ResourceOptions(parent=self, protect=args.site.protect),
        )
        aws.ecr.LifecyclePolicy(name, repository=made.name, policy=_lifecycle(), opts=child)


def _lifecycle() -> str:
    """Untagged images go after a week; of the tagged ones the newest stay."""
    rules = [
        {
            "rulePriority": 1,
            "description": "untagged for a week",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": f"more than {KEPT_IMAGES} images",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": KEPT_IMAGES,
            },
            "action": {"type": "expire"},
        },
    ]
    return json.dumps({"rules": rules}, sort_keys=True)
