"""Propagator and span processor with the real SDK: services in one process, calls as carriers."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import httpx
import pytest
from calling_services import HEADER, WIRE, Service, claim
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from bindtrace.propagation import BindingPropagator, bindings
from bindtrace.propagation.binding_header import Binding
from bindtrace.propagation.propagator import inbound_of

CHAIN = "5b8efff798038103d269b633813fc60c"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "VERCEL_ENV", "VERCEL_DEPLOYMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BINDTRACE_BINDINGS", "LEDGER_URL=ledger,STOCK_URL")
    monkeypatch.setenv("LEDGER_URL", "http://ledger.internal")
    monkeypatch.setenv("STOCK_URL", "http://stock.internal:8080")
    bindings.refresh()
    yield
    bindings.refresh()


def test_a_first_caller_claims_itself_its_binding_and_the_trace_as_chain() -> None:
    orders = Service("orders", deployment__environment__name="production", vercel__deployment_id="dpl_1")

    sent = orders.call(url__full="http://ledger.internal/entries")

    (span,) = orders.spans(SpanKind.CLIENT)
    chain = trace.format_trace_id(span.context.trace_id)
    assert claim(sent) == Binding("orders", chain, "ledger", "production", "dpl_1", 1)
    assert orders.stamp(SpanKind.CLIENT) == {
        "bindtrace.binding.name": "LEDGER_URL",
        "bindtrace.callee.claimed": "ledger",
        "bindtrace.chain": chain,
        "bindtrace.hop": 1,
    }


def test_a_callee_stamps_what_its_caller_claims() -> None:
    orders, ledger = Service("orders", deployment__environment__name="production"), Service("ledger")

    ledger.serve(sent := orders.call(http__url="http://ledger.internal/entries"))

    assert ledger.stamp(SpanKind.SERVER) == {
        "bindtrace.caller.claimed": "orders",
        "bindtrace.callee.claimed": "ledger",
        "bindtrace.chain": claim(sent).chain,
        "bindtrace.hop": 1,
        "bindtrace.env": "production",
    }


def test_three_hops_keep_the_chain_and_count() -> None:
    first, second, third = Service("storefront"), Service("orders"), Service("billing")

    one = first.call(url__full="http://orders.internal")
    two = second.call(second.serve(one), url__full="http://billing.internal")
    three = third.call(third.serve(two), url__full="http://ledger.internal")

    assert [claim(sent).caller for sent in (one, two, three)] == ["storefront", "orders", "billing"]
    assert [claim(sent).hop for sent in (one, two, three)] == [1, 2, 3]
    assert len({claim(sent).chain for sent in (one, two, three)}) == 1
    assert third.stamp(SpanKind.CLIENT)["bindtrace.hop"] == 3
    assert third.stamp(SpanKind.SERVER)["bindtrace.hop"] == 2


def test_the_chain_survives_a_service_that_starts_a_new_trace() -> None:
    orders, billing = Service("orders"), Service("billing")
    sent = orders.call(url__full="http://billing.internal")
    del sent["traceparent"]

    further = billing.call(billing.serve(sent), url__full="http://ledger.internal")

    (span,) = billing.spans(SpanKind.CLIENT)
    assert claim(further).chain == claim(sent).chain != trace.format_trace_id(span.context.trace_id)
    assert claim(further).hop == 2


def test_an_unsampled_call_sends_caller_chain_and_hop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=production")
    unsampled = Service("orders", sampler=ALWAYS_OFF)

    sent = unsampled.call(url__full="http://ledger.internal")

    assert claim(sent) == Binding("orders", claim(sent).chain, hop=1)


def test_a_url_that_no_binding_leads_to_claims_no_callee() -> None:
    orders = Service("orders", deployment__id="dpl_2")

    sent = orders.call(url__full="http://elsewhere.example")

    assert claim(sent) == Binding("orders", claim(sent).chain, deployment="dpl_2", hop=1)
    assert "bindtrace.binding.name" not in orders.stamp(SpanKind.CLIENT)


def test_the_binding_is_named_where_its_callee_is_not_known() -> None:
    orders = Service("orders")

    sent = orders.call(url__full="http://stock.internal:8080/x")

    assert claim(sent).callee is None
    assert orders.stamp(SpanKind.CLIENT)["bindtrace.binding.name"] == "STOCK_URL"


def test_a_server_spans_own_url_is_not_taken_for_a_callee() -> None:
    orders = Service("orders")
    url = {"url.full": "http://ledger.internal"}
    span = orders.tracer.start_span("serve", kind=SpanKind.SERVER, attributes=url)
    carrier: dict[str, str] = {}

    WIRE.inject(carrier, trace.set_span_in_context(span))

    assert claim(carrier).callee is None


def test_a_url_set_after_the_start_is_stamped_when_the_call_is_injected() -> None:
    orders = Service("orders")
    span = orders.tracer.start_span("call", kind=SpanKind.CLIENT)
    span.set_attribute("url.full", "http://ledger.internal")

    WIRE.inject(carrier := {}, trace.set_span_in_context(span))  # type: ignore[var-annotated]
    span.end()

    assert claim(carrier).callee == "ledger"
    assert orders.stamp(SpanKind.CLIENT)["bindtrace.binding.name"] == "LEDGER_URL"


def test_without_the_processor_the_header_goes_and_no_span_is_stamped() -> None:
    orders = Service("orders", processor=False)

    sent = orders.call(url__full="http://ledger.internal")

    assert claim(sent).callee == "ledger"
    assert orders.stamp(SpanKind.CLIENT) == {}


def test_a_database_call_is_no_hop() -> None:
    orders = Service("orders")

    orders.call(db__system="postgresql")

    assert orders.stamp(SpanKind.CLIENT) == {}


def test_without_a_trace_nothing_is_sent() -> None:
    WIRE.inject(carrier := {}, Context())  # type: ignore[var-annotated]

    assert carrier == {}


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", "café"])
def test_without_a_name_that_the_header_can_carry_nothing_is_claimed(name: str) -> None:
    assert HEADER not in Service(name).call(url__full="http://ledger.internal")


def test_a_deployment_that_does_not_fit_is_left_out() -> None:
    orders = Service("orders", deployment__id="x" * 2000)

    assert claim(orders.call(url__full="http://ledger.internal")).deployment is None


def test_injection_replaces_a_header_that_is_there_in_any_spelling() -> None:
    orders = Service("orders")
    span = orders.tracer.start_span("call", kind=SpanKind.CLIENT)
    carrier = {"Service-Binding": "forwarded", "accept": "*/*"}

    WIRE.inject(carrier, trace.set_span_in_context(span))

    assert sorted(carrier) == ["accept", HEADER, "traceparent"]
    assert claim(carrier).caller == "orders"


def test_the_hop_number_stays_at_its_limit() -> None:
    orders = Service("orders")
    inbound = f'a;caller="a";chain="{CHAIN}";hop=64'

    assert claim(orders.call(orders.serve({HEADER: inbound}))).hop == 64


def test_after_a_caller_that_did_not_count_no_number_is_made_up() -> None:
    orders = Service("orders")

    sent = orders.call(orders.serve({HEADER: f'a;caller="a";chain="{CHAIN}"'}))

    assert claim(sent) == Binding("orders", CHAIN)


def test_a_header_that_cannot_be_read_leaves_the_context_as_it_was() -> None:
    before = BindingPropagator().extract({HEADER: f'a;caller="a";chain="{CHAIN}"'})

    after = BindingPropagator().extract({HEADER: "no, item"}, before)

    assert inbound_of(after) == Binding("a", CHAIN)
    assert inbound_of(BindingPropagator().extract({HEADER: "no, item"})) is None


def test_two_header_lines_make_no_claim() -> None:
    line = f'a;caller="a";chain="{CHAIN}"'

    assert inbound_of(BindingPropagator().extract({HEADER: [line, line]})) is None


class Broken(Getter[Any]):
    def get(self, carrier: Any, key: str) -> list[str] | None:
        raise RuntimeError("broken carrier")

    def keys(self, carrier: Any) -> list[str]:
        return []


class Refusing(dict[str, str]):
    def __setitem__(self, key: str, value: str) -> None:
        raise RuntimeError("read only")


def test_a_broken_carrier_never_raises_into_the_service() -> None:
    span = Service("orders").tracer.start_span("call", kind=SpanKind.CLIENT)
    refusing: MutableMapping[str, str] = Refusing()

    BindingPropagator().inject(refusing, trace.set_span_in_context(span))

    assert BindingPropagator().extract({}, Context(), Broken()) == Context()
    assert refusing == {}


def test_the_environment_names_the_service_where_no_provider_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
    remote = trace.NonRecordingSpan(
        trace.SpanContext(int(CHAIN, 16), 0xEEE19B7EC3C1B174, is_remote=True)  # a gateway without an SDK
    )

    WIRE.inject(carrier := {}, trace.set_span_in_context(remote))  # type: ignore[var-annotated]

    assert claim(carrier) == Binding("orders", CHAIN, hop=1)


def test_the_entry_point_is_found_by_otel_propagators() -> None:
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="opentelemetry_propagator", name="binding")

    assert isinstance(entry.load()(), BindingPropagator)
    assert BindingPropagator().fields == {HEADER}


@pytest.mark.parametrize("mode", ["", "http", "http/dup"])
def test_the_httpx_instrumentation_sends_the_claim_of_its_span(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and stable HTTP conventions: http.url or url.full, both there when the span starts."""
    from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability

    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", mode)
    monkeypatch.setattr(Stability, "_initialized", False)
    former = get_global_textmap()
    set_global_textmap(WIRE)
    seen: list[httpx.Request] = []
    orders = Service("orders")

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    try:
        transport = SyncOpenTelemetryTransport(httpx.MockTransport(answer), tracer_provider=orders.provider)
        httpx.Client(transport=transport).get("http://ledger.internal/entries?day=1")
    finally:
        set_global_textmap(former)

    sent, stamp = claim({HEADER: seen[0].headers[HEADER]}), orders.stamp(SpanKind.CLIENT)
    assert (sent.caller, sent.callee, sent.hop) == ("orders", "ledger", 1)
    assert stamp == {
        "bindtrace.binding.name": "LEDGER_URL",
        "bindtrace.callee.claimed": "ledger",
        "bindtrace.chain": sent.chain,
        "bindtrace.hop": 1,
    }
