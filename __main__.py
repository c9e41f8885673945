"""Pulumi's entry: `pulumi up --stack staging`."""

import pulumi

from infra.main import program

pulumi.run(program)
