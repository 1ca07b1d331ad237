"""Services and /_status of a frontend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.chef_backend.facts.machine import FrontendApi, FrontendServices
from checks.chef_backend.frontend.status import CHECK, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]
OWN = ("bookshelf", "haproxy", "nginx", "oc_bifrost", "oc_id", "opscode-erchef", "redis_lb")
EXTERNAL = ("elasticsearch", "postgresql")
SERVICES = FrontendServices(running=(*OWN, *EXTERNAL), down=(), external=EXTERNAL)
UPSTREAMS = (("chef_elasticsearch", "pong"), ("chef_sql", "pong"), ("oc_chef_authz", "pong"))
API = FrontendApi(code=200, status="pong", upstreams=UPSTREAMS)


def without(*names: str, **changes: tuple[str, ...]) -> FrontendServices:
    """The services but for `names`."""
    running = tuple(name for name in SERVICES.running if name not in names)
    external = tuple(name for name in SERVICES.external if name not in names)
    return replace(SERVICES, **{"running": running, "external": external, **changes})


def judged(chefs: Chefs, *facts: object) -> Outcome:
    return judge(chefs(list(facts), roles=("frontend",)).nodes[0])


def test_running_services_and_a_pong_pass(chefs: Chefs) -> None:
    outcome = judged(chefs, SERVICES, API)
    assert (outcome.status, outcome.message) == (Status.PASS, "all services run, /_status says pong")


def test_a_service_that_is_down_fails(chefs: Chefs) -> None:
    outcome = judged(chefs, without("nginx", down=("down: nginx: 3s, normally up",)), API)
    assert outcome.status is Status.FAIL
    assert outcome.message == "chef-server-ctl status: down: nginx: 3s, normally up"


def test_what_is_broken_behind_it_is_named(chefs: Chefs) -> None:
    outcome = judged(
        chefs,
        SERVICES,
        FrontendApi(code=500, status="fail", upstreams=(("chef_sql", "fail"), ("oc_chef_authz", "pong"))),
    )
    assert outcome.status is Status.FAIL
    assert outcome.message == "/_status: chef_sql does not answer"


@pytest.mark.parametrize(
    ("api", "text"),
    [
        (FrontendApi(code=0), "nothing answers"),
        (FrontendApi(code=500, status="fail"), "/_status answers 500 fail"),
        (FrontendApi(code=502), "/_status answers 502"),
        (FrontendApi(code=503), "/_status answers 503"),
        (FrontendApi(code=301), "/_status answers 301"),
        (FrontendApi(code=500, status="pong", upstreams=UPSTREAMS), "/_status answers 500 pong"),
        (FrontendApi(code=200, status="fail", upstreams=UPSTREAMS), "/_status answers 200 fail"),
        (
            FrontendApi(code=200, status="pong", upstreams=(*UPSTREAMS, ("data_collector", "fail"))),
            "data_collector does not answer",
        ),
    ],
)
def test_no_answer_and_another_answer_fail(chefs: Chefs, api: FrontendApi, text: str) -> None:
    outcome = judged(chefs, SERVICES, api)
    assert outcome.status is Status.FAIL
    assert text in outcome.message


@pytest.mark.parametrize("code", [200, 204])
def test_every_code_of_2xx_is_a_yes(chefs: Chefs, code: int) -> None:
    assert judged(chefs, SERVICES, FrontendApi(code=code, status="pong", upstreams=UPSTREAMS)).status is Status.PASS


@pytest.mark.parametrize("name", [*OWN, *EXTERNAL])
def test_no_service_may_be_missing_from_a_pass(chefs: Chefs, name: str) -> None:
    outcome = judged(chefs, without(name), API)
    grave = name in ("nginx", "oc_bifrost", "opscode-erchef", "postgresql")
    assert outcome.status is (Status.ERROR if grave else Status.WARN)
    assert ("an external search" if name == "elasticsearch" else name) in outcome.message


@pytest.mark.parametrize("name", [name for name, _ in UPSTREAMS])
def test_no_upstream_may_be_missing_from_a_pass(chefs: Chefs, name: str) -> None:
    left = tuple(pair for pair in UPSTREAMS if pair[0] != name)
    status = judged(chefs, SERVICES, FrontendApi(code=200, status="pong", upstreams=left)).status
    assert status is (Status.WARN if name == "chef_elasticsearch" else Status.ERROR)


def test_postgresql_of_the_frontends_own_is_not_the_backends(chefs: Chefs) -> None:
    own = replace(SERVICES, external=("elasticsearch",))
    assert "an external postgresql, which is the backends'" in judged(chefs, own, API).message


def test_a_service_that_is_kept_down_warns_unless_no_frontend_serves_without(chefs: Chefs) -> None:
    outcome = judged(chefs, without("oc_id", kept_down=("oc_id",)), API)
    assert outcome.status is Status.WARN
    assert outcome.message == "oc_id: kept down by a file `down` in the service's folder"
    assert judged(chefs, without("nginx", kept_down=("nginx",)), API).status is Status.FAIL


def test_a_service_that_runs_by_half_fails(chefs: Chefs) -> None:
    line = "run: nginx: (pid 4) 9000s, paused"
    assert judged(chefs, without("nginx", ailing=(line,)), API).message == (
        f"chef-server-ctl status: running by half: {line}"
    )


def test_one_that_runit_starts_again_and_a_mute_one_warn(chefs: Chefs) -> None:
    outcome = judged(chefs, replace(SERVICES, restarted=("opscode-erchef",), mute=("redis_lb",)), API)
    assert outcome.status is Status.WARN
    assert "opscode-erchef started less than a minute ago" in outcome.message
    assert "the log service of redis_lb does not run" in outcome.message


def test_what_runs_during_an_upgrade_only_may_be_down(chefs: Chefs) -> None:
    for idle in (
        replace(SERVICES, down=("down: opscode-chef-mover: 220s, normally up; run: log: (pid 3756) 221s",)),
        replace(SERVICES, kept_down=("opscode-chef-mover",)),
    ):
        assert judged(chefs, idle, API).status is Status.PASS


def test_what_cannot_be_asked_is_unknown(chefs: Chefs) -> None:
    assert judged(chefs, SERVICES, FrontendApi(code=None)).status is Status.ERROR
    outcome = judged(chefs, (FrontendServices, "not understood: 'unsure: nginx'"), API)
    assert outcome.status is Status.ERROR
    assert "unsure" in outcome.message


def test_a_frontend_that_is_down_is_not_evaluated_and_a_backend_is_none(chefs: Chefs) -> None:
    view = chefs(None, [SERVICES, API], roles=("frontend", "backend"))
    names = frozenset(node.name for node in view.nodes)
    (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
    assert (result.node, result.status, result.not_evaluated) == ("frontend-1", Status.SKIP, True)


def test_silence_tells_where_it_was_asked(chefs: Chefs) -> None:
    plain = judged(chefs, SERVICES, FrontendApi(code=0))
    assert (plain.status, plain.message) == (Status.FAIL, "nothing answers to https://127.0.0.1/_status")
    urls = ("https://127.0.0.1:8443/_status", "http://127.0.0.1/_status")
    assert judged(chefs, SERVICES, FrontendApi(code=0, asked=urls)).message == (
        f"nothing answers to {urls[0]}, {urls[1]}"
    )


def test_silence_where_a_guess_was_asked_is_no_failure(chefs: Chefs) -> None:
    outcome = judged(chefs, SERVICES, FrontendApi(code=0, asked=("https://127.0.0.1/_status",), is_guess=True))
    assert outcome.status is Status.ERROR
    assert outcome.message.startswith("nothing answers to https://127.0.0.1/_status, but chef-server.rb")
    assert outcome.remediation is not None
    assert "nginx['ssl_port']" in outcome.remediation.summary
    right = FrontendApi(code=200, status="pong", upstreams=UPSTREAMS, is_guess=True)
    assert judged(chefs, SERVICES, right).status is Status.PASS
