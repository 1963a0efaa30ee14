from types import ModuleType
from typing import Any

import pytest
from typing_extensions import override

from portico.exceptions import ConfigurationError, UnknownJobTypeError
from portico.kits.job import HandlerRegistry, job
from portico.ports.job import Job, JobResult
from portico.ports.job_handler import JobHandler


class SendEmail(JobHandler):
    @property
    @override
    def job_type(self) -> str:
        return "email.send"

    @override
    async def handle(self, job: Job) -> JobResult:
        return JobResult(success=True)

    @override
    async def on_failure(self, job: Job, error: Exception) -> None: ...


@job("report.make", queue_name="reports")
async def make_report() -> None: ...


def test_handlers_come_as_a_mapping_or_a_list() -> None:
    handler = SendEmail()

    assert HandlerRegistry({"email.send": handler, "alias": handler})["alias"] is handler
    assert dict(HandlerRegistry([handler, make_report])) == {"email.send": handler, "report.make": make_report}


def test_a_module_gives_the_handlers_it_holds() -> None:
    module = ModuleType("tasks")
    vars(module).update(make_report=make_report, send=SendEmail(), number=5)

    assert set(HandlerRegistry([module])) == {"report.make", "email.send"}


def test_a_module_without_handlers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'tasks' holds no handlers"):
        HandlerRegistry([ModuleType("tasks")])


def test_the_same_handler_twice_is_one() -> None:
    assert len(HandlerRegistry([make_report, make_report])) == 1


def test_two_handlers_of_one_type_are_refused_with_both_places() -> None:
    @job("email.send")
    async def other() -> None: ...

    with pytest.raises(ConfigurationError, match=rf"'email\.send'.*{__file__}:\d+ and {__file__}:\d+"):
        HandlerRegistry([SendEmail(), other])


def test_a_class_instead_of_an_instance_is_refused() -> None:
    handlers: Any = [SendEmail]

    with pytest.raises(ConfigurationError, match="SendEmail is a class: pass an instance"):
        HandlerRegistry(handlers)


def test_something_else_is_refused() -> None:
    handlers: Any = {"a": len}

    with pytest.raises(ConfigurationError, match="is no handler"):
        HandlerRegistry(handlers)


@pytest.mark.parametrize("handlers", [make_report, "handlers", None])
def test_one_thing_in_place_of_a_list_is_refused(handlers: Any) -> None:
    with pytest.raises(ConfigurationError, match="handlers must be a list of handlers, or a mapping from job type"):
        HandlerRegistry(handlers)


def test_an_unknown_type_has_a_hint_only_when_something_is_near() -> None:
    registry = HandlerRegistry([make_report])

    with pytest.raises(UnknownJobTypeError, match=r"did you mean 'report\.make'"):
        registry.require("report.makes")
    with pytest.raises(UnknownJobTypeError) as caught:
        registry.require("zzz")
    assert "did you mean" not in str(caught.value)


def test_the_queues_that_handlers_name_are_known() -> None:
    assert HandlerRegistry([SendEmail(), make_report]).queue_names() == ["reports"]
