"""The whole interface by its own description, for every role: no server error, no undocumented answer, no leak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inspection_center.auth.permissions import PERMISSIONS
from inspection_contract.client import CenterClient
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.center.test_pages import incident
from tests.contract.builders import detection

ROLES = ("officer", "supervisor", "auditor", "administrator", "robot", "nobody")
CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = 8
PUBLIC = {
    "/health/live",
    "/health/ready",
    "/api/v1/enrolments",
    "/api/v1/exchange/key",
    "/api/v1/asyncapi.json",
    "/api/v1/schemas/{name}",
    "/api/v1/public/draws",
    "/api/v1/public/draws/{number}",
}
STREAMS = ("/api/v1/events/stream", "/api/v1/commands/stream")


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCenter]:
    with RunningCenter(tmp_path_factory.mktemp("interface")) as running:
        robot = running.enrol("reporter")
        with CenterClient(running.url, robot.token) as client:
            client.send_events(robot.name, robot.key, events(robot.name, [detection(), incident()]))
        yield running


@pytest.fixture(scope="module")
def tokens(center: RunningCenter) -> dict[str, str]:
    made = {role: center.service_token(role) for role in ROLES if role not in ("robot", "nobody")}
    return {**made, "robot": center.enrol("robot_1").token, "nobody": "made_up"}


@pytest.mark.parametrize("role", ROLES)
def test_no_input_of_any_role_breaks_the_interface(center: RunningCenter, role: str, tokens: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {tokens[role]}"}
    api = schemathesis.openapi.from_url(f"{center.url}/api/v1/openapi.json").exclude(path=list(STREAMS))
    operations = [result.ok() for result in api.get_all_operations()]
    assert len(operations) > 25

    def exercise(operation: Any) -> None:
        public = operation.path in PUBLIC

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            answer = case.call(headers=headers, timeout=30)
            case.validate_response(answer, checks=list(CHECKS))
            if role == "nobody" and not public:
                assert answer.status_code >= 400, f"{operation.label} answered {answer.status_code} to nobody"

        check()

    for operation in operations:
        exercise(operation)


def test_permissions_name_only_roles_that_exist() -> None:
    assert {role for roles in PERMISSIONS.values() for role in roles} == set(ROLES) - {"nobody"}
