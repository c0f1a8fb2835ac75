"""What a cluster's routes open to the outside, by path and host."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import kubernetes


def read(text: str) -> Manifest:
    return kubernetes.read(Path("route.yaml"), dedent(text).lstrip("\n"))


def opened(one: Manifest, path: str) -> set[tuple[str, str | None]]:
    return {(e.service, e.host) for e in one.exposures if re.fullmatch(e.pattern, path)}


VIRTUAL_SERVICE = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop, namespace: shop}
    spec:
      hosts: [Shop.example]
      gateways: [istio-system/public, mesh]
      http:
      - match: [{uri: {exact: /login}}, {uri: {prefix: /cart}}, {uri: {regex: '/p/[0-9]+'}}]
        route: [{destination: {host: storefront}}]
      - route: [{destination: {host: catalog.books.svc.cluster.local}}]
    """


def test_a_virtual_service_at_a_gateway_opens_its_destinations() -> None:
    one = read(VIRTUAL_SERVICE)

    everything = ("catalog.books", "shop.example")
    assert opened(one, "/login") == {("storefront.shop", "shop.example"), everything}
    assert opened(one, "/cartwheel") == {("storefront.shop", "shop.example"), everything}
    assert opened(one, "/p/12") == {("storefront.shop", "shop.example"), everything}
    assert opened(one, "/login/x") == {everything}
    assert [(host.host, host.service, host.road) for host in one.hosts] == [("shop.example", None, "public")]
    assert {exposure.line for exposure in one.exposures} == {8, 10}


def test_a_virtual_service_of_the_mesh_opens_nothing() -> None:
    for inside in ("gateways: [mesh]", "exportTo: ['.']"):
        one = read(VIRTUAL_SERVICE.replace("gateways: [istio-system/public, mesh]", inside))
        assert (one.exposures, one.hosts) == ((), ())


def test_an_http_route_below_a_gateway_opens_its_backends() -> None:
    one = read(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: shop, namespace: shop}
        spec:
          parentRefs: [{name: public}]
          hostnames: ["*.shop.example"]
          rules:
          - matches: [{path: {type: PathPrefix, value: /cart}}]
            backendRefs: [{name: cart, port: 80}, {name: cart-next, namespace: beta, port: 80}]
        """
    )

    assert opened(one, "/cart/7") == {("cart.shop", "*.shop.example"), ("cart-next.beta", "*.shop.example")}
    assert opened(one, "/cartwheel") == set()


def test_an_ingress_opens_its_paths_and_its_default() -> None:
    one = read(
        """
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: shop, namespace: shop}
        spec:
          defaultBackend: {service: {name: pages, port: {number: 80}}}
          rules:
          - host: api.shop.example
            http: {paths: [{path: /v1, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}
        """
    )

    assert opened(one, "/v1/x") == {("api.shop", "api.shop.example"), ("pages.shop", None)}
    assert opened(one, "/other") == {("pages.shop", None)}
    assert [(host.host, host.service) for host in one.hosts] == [("api.shop.example", "api.shop")]


def test_a_path_that_cannot_be_followed_is_told_and_opens_nothing() -> None:
    one = read(VIRTUAL_SERVICE.replace("'/p/[0-9]+'", "'/p/('"))

    assert [(p.line, p.code, p.fatal) for p in one.problems] == [(8, "BAD_PATTERN", False)]
    assert opened(one, "/p/(") == {("catalog.books", "shop.example")}


@pytest.mark.parametrize(
    "text", ["kind: Ingress\napiVersion: networking.k8s.io/v1\nspec: {rules: [3, {http: {paths: [{}]}}]}"]
)
def test_odd_routes_open_nothing(text: str) -> None:
    assert kubernetes.read(Path("odd.yaml"), text).exposures == ()
