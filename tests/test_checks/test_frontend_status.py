"""Services and /_status of a frontend."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView
from checks.chef_backend.frontend_status import CHECK, judge
from checks.chef_backend.node_facts import FrontendApi, FrontendServices
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]
SERVICES = FrontendServices(("nginx", "postgresql"), ())
API = FrontendApi(200, "pong", (("chef_sql", "pong"),))


def judged(chefs: Chefs, *facts: object) -> Outcome:
    return judge(chefs(list(facts), roles=("frontend",)).nodes[0])


def test_running_services_and_a_pong_pass(chefs: Chefs) -> None:
    outcome = judged(chefs, SERVICES, API)
    assert (outcome.status, outcome.message) == (Status.PASS, "all services run, /_status says pong")


def test_a_service_that_is_down_fails(chefs: Chefs) -> None:
    outcome = judged(chefs, FrontendServices((), ("down: nginx: 3s",)), API)
    assert outcome.status is Status.FAIL
    assert "down: nginx" in outcome.message


def test_what_is_broken_behind_it_is_named(chefs: Chefs) -> None:
    outcome = judged(chefs, SERVICES, FrontendApi(500, "fail", (("chef_sql", "fail"), ("oc_chef_authz", "pong"))))
    assert outcome.status is Status.FAIL
    assert outcome.message == "/_status: chef_sql does not answer"


def test_no_answer_and_another_answer_fail(chefs: Chefs) -> None:
    for api in (FrontendApi(0), FrontendApi(500, "fail"), FrontendApi(502)):
        assert judged(chefs, SERVICES, api).status is Status.FAIL


def test_what_cannot_be_asked_is_unknown(chefs: Chefs) -> None:
    assert judged(chefs, SERVICES, FrontendApi(None)).status is Status.ERROR
    outcome = judged(chefs, (FrontendServices, "not understood: 'unsure: nginx'"), API)
    assert outcome.status is Status.ERROR
    assert "unsure" in outcome.message


def test_a_frontend_that_is_down_is_not_evaluated_and_a_backend_is_none(chefs: Chefs) -> None:
    view = chefs(None, [SERVICES, API], roles=("frontend", "backend"))
    names = frozenset(node.name for node in view.nodes)
    (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
    assert (result.node, result.status, result.not_evaluated) == ("frontend-1", Status.SKIP, True)
