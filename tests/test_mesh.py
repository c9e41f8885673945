"""The mesh, aspora-gateway and the way out: who reaches whom, and that nobody else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from aspora import flows
from aspora.gateways import egress, ingress, mesh, mesh_config
from aspora.models import Sandbox
from aspora.render import Rendered, render
from aspora.render.mesh import AGENT_HOST
from aspora.services.flows import EDGES, OTEL
from aspora.services.namespaces import MESHED
from aspora.stack import OPENROUTER
from aspora.system_flows import Namespace
from tests.core import ROOT, platform, repository, settings
from tests.gateways_lab import allowed, kinds, one, policies, routes, two

GATEWAY = ("app", "aspora-gateway")
OUT = ("istio", "egressgateway")
CATS = "cluster.local/ns/aspora-cats/sa/cats-vet-advise"
SCAN = "cluster.local/ns/aspora-cats/sa/cats-vet-scan"
DOGS = "cluster.local/ns/aspora-dogs/sa/dogs-vet-advise"
MODEL = "cluster.local/ns/aspora-platform/sa/model-gateway"
TOOL = "cluster.local/ns/aspora-platform/sa/tool-gateway"


def rendered(tmp_path: Path, stack: str = "staging") -> Rendered:
    return render(two(tmp_path), settings(stack))


# The mesh


def test_every_meshed_namespace_is_strict_and_so_is_the_whole_mesh() -> None:
    found = kinds(platform("prod").services, "PeerAuthentication")
    plain = {
        obj["metadata"]["namespace"]: obj["spec"]
        for obj in found
        if obj["metadata"]["name"] == "default"
    }
    strict = {"mtls": {"mode": "STRICT"}}
    assert plain == {
        "istio-system": strict,
        "aspora-platform": strict,
        "aspora-observability": strict,
        "clickhouse-operator": strict,
        "istio-egress": strict,
    }
    assert all(obj["spec"]["mtls"]["mode"] == "STRICT" for obj in found)


def test_exceptions_are_the_ports_that_somebody_without_a_mesh_identity_calls() -> None:
    """Decision 1, word by word; one more must be written here too."""
    found = {
        (obj["metadata"]["namespace"], *obj["spec"]["selector"]["matchLabels"].items(), int(port))
        for obj in kinds(platform("prod").services, "PeerAuthentication")
        for port in obj["spec"].get("portLevelMtls", {})
    }
    space, service = "aspora-observability", "aspora.io/service"
    operator = ("control-plane", "controller-manager")
    assert found == {
        ("aspora-platform", ("app", "model-gateway"), 8443),
        ("aspora-platform", ("app", "tool-gateway"), 8443),
        (space, ("app", "otel-collector"), 4318),
        (space, ("app", "otel-collector"), 8888),
        (space, ("app", "otel-gateway"), 8888),
        (space, ("app", "otel-gateway"), 8889),
        (space, (service, "clickhouse"), 9363),
        (space, (service, "phoenix"), 9090),
        ("clickhouse-operator", operator, 9443),
        ("clickhouse-operator", operator, 8080),
    }
    assert {exception.caller for exception in mesh.UNMESHED} <= {
        "agents",
        "prometheus",
        "api-server",
    }


def test_pods_of_one_exception_have_one_policy() -> None:
    """Of several with one selector only the oldest holds."""
    found = [
        (obj["metadata"]["namespace"], *obj["spec"]["selector"]["matchLabels"].items())
        for obj in kinds(platform("prod").services, "PeerAuthentication")
        if "selector" in obj["spec"]
    ]
    assert len(found) == len(set(found))


def test_what_agents_call_without_the_mesh_is_what_the_flows_say() -> None:
    """Every platform pod that agents send packets to, but gateways of Istio itself, which have no
    sidecar, and CoreDNS."""
    called = {
        (flow.peer.namespace, flow.peer.label, port)
        for flow in flows.FLOWS
        if flow.direction == "to" and isinstance(flow.peer, flows.Pods)
        for _, port in flow.ports
        if flow.peer.namespace in MESHED and flow.peer.label != GATEWAY
    }
    excepted = {
        (rule.namespace, rule.label, rule.port) for rule in mesh.UNMESHED if rule.caller == "agents"
    }
    assert called == excepted


def test_a_sidecar_never_wraps_the_gateways_own_tls() -> None:
    plain = {
        (obj["spec"]["host"], level["port"]["number"])
        for obj in kinds(platform("prod").services, "DestinationRule")
        for level in obj["spec"]["trafficPolicy"]["portLevelSettings"]
        if level["tls"]["mode"] == "DISABLE"
    }
    assert plain == {
        ("model-gateway.aspora-platform.svc.cluster.local", 8443),
        ("tool-gateway.aspora-platform.svc.cluster.local", 8443),
        ("aspora-gateway.aspora-platform.svc.cluster.local", 8443),
        ("istio-egress.istio-egress.svc.cluster.local", 8443),
        ("otel-collector.aspora-observability.svc.cluster.local", 4318),
    }


def test_platform_pods_know_what_is_registered_and_nothing_else() -> None:
    found = kinds(platform("prod").services, "Sidecar")
    assert [obj["metadata"]["namespace"] for obj in found] == [
        "aspora-platform",
        "aspora-observability",
        "clickhouse-operator",
    ]
    for obj in found:
        assert obj["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
        (scope,) = obj["spec"]["egress"]
        assert not [host for host in scope["hosts"] if host.startswith("*")]


def test_telemetry_names_providers_that_istiod_gets() -> None:
    found = {
        obj["metadata"]["namespace"]: obj["spec"]
        for obj in kinds(platform("prod").services, "Telemetry")
    }
    given = {provider["name"] for provider in mesh_config.MESH_CONFIG["extensionProviders"]}
    used = {
        provider["name"]
        for spec in found.values()
        for part in ("tracing", "accessLogging")
        for entry in spec.get(part, ())
        for provider in entry.get("providers", ())
    }
    assert used == given == {"otel", "json-log"}
    assert list(found) == [mesh.ROOT_NAMESPACE, *mesh.TRACED]


def test_only_proxies_that_reach_the_collector_send_traces() -> None:
    """A span that a proxy before the collector sends would make further spans, without end."""
    for obj in kinds(platform("prod").services, "Telemetry"):
        (tracing,) = obj["spec"]["tracing"]
        space = obj["metadata"]["namespace"]
        assert tracing["disableSpanReporting"] == (space == mesh.ROOT_NAMESPACE)
    may = {
        edge.source.namespace
        for edge in EDGES
        if edge.to == OTEL and ("TCP", flows.OTLP_GRPC_PORT) in edge.ports
        if isinstance(edge.source, Namespace)
    }
    assert may == set(mesh.TRACED)


def test_what_has_an_address_and_no_name_is_plain_tcp() -> None:
    """Of TLS with ranges of addresses Istio lets through nothing but the entry's own name."""
    entries = kinds(platform("prod").services, "ServiceEntry")
    found = [obj["spec"] for obj in entries if obj["spec"]["resolution"] == "NONE"]
    assert len(found) == 3
    assert {port["protocol"] for spec in found for port in spec["ports"]} == {"TCP"}


def test_agents_with_a_sidecar_know_the_databases_too(tmp_path: Path) -> None:
    cats, dogs = two(tmp_path)
    sandbox = Sandbox.model_validate({"runtime": "runc", "reason": "It needs io_uring."})
    mixed = [cats.model_copy(update={"sandbox": sandbox}), dogs]
    for obj in kinds(render(mixed, settings("staging")).services, "ServiceEntry"):
        if obj["spec"]["resolution"] == "NONE":
            assert obj["spec"]["exportTo"] == [*MESHED, "aspora-cats"]


def test_databases_are_known_by_address_alone() -> None:
    stack = settings("prod")
    entry = one(platform("prod").services, "ServiceEntry", "databases")
    assert entry["spec"]["addresses"] == list(stack.network.database_cidrs)
    assert entry["spec"]["resolution"] == "NONE"


# aspora-gateway


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_at_both_gateways_the_sum_of_policies_denies_by_default(stack: str) -> None:
    everything = platform(stack)
    for gateway in (GATEWAY, OUT):
        found = policies(everything, gateway)
        assert {policy["spec"]["action"] for policy in found} == {"ALLOW"}
        assert sum("rules" not in policy["spec"] for policy in found) == 1
        assert not allowed(found)
        assert not allowed(found, principals=CATS, paths="/", methods="GET", ports="443")


def test_an_agent_calls_what_both_sides_declared(tmp_path: Path) -> None:
    found = policies(rendered(tmp_path), GATEWAY)
    ask = {"methods": "POST", "paths": "/execute/dogs/vet/advise", "ports": "8443"}
    assert allowed(found, principals=CATS, **ask)
    assert allowed(found, principals=SCAN, **ask)
    assert not allowed(found, principals=DOGS, **ask)
    assert not allowed(found, **ask)
    assert not allowed(found, principals=CATS, **ask | {"paths": "/execute/cats/vet/advise"})
    assert not allowed(found, principals=CATS, **ask | {"methods": "GET"})


def test_outside_it_takes_a_token_of_the_issuer(tmp_path: Path) -> None:
    found = policies(rendered(tmp_path), GATEWAY)
    stack = settings("staging")
    assert stack.outside_callers
    issuer = stack.outside_callers.issuer
    ask = {
        "hosts": stack.public_host,
        "ports": "443",
        "methods": "POST",
        "paths": "/execute/dogs/vet/advise",
    }
    assert allowed(found, requestPrincipals=f"{issuer}/someone", **ask)
    assert not allowed(found, **ask)
    assert not allowed(found, requestPrincipals="https://other/someone", **ask)
    assert not allowed(found, requestPrincipals=f"{issuer}/x", **ask | {"ports": "8443"})
    assert not allowed(found, requestPrincipals=f"{issuer}/x", **ask | {"paths": "/metrics"})


def test_without_an_issuer_nobody_outside_gets_in() -> None:
    everything = platform("staging", outside_callers=None)
    assert kinds(everything, "RequestAuthentication") == []
    for policy in policies(everything, GATEWAY):
        for rule in policy["spec"].get("rules", ()):
            assert all(part["source"].get("principals") for part in rule["from"])


def test_tokens_are_checked_against_issuer_keys_and_audience() -> None:
    (authentication,) = kinds(platform("prod"), "RequestAuthentication")
    (rule,) = authentication["spec"]["jwtRules"]
    outside = settings("prod").outside_callers
    assert outside
    assert (rule["issuer"], rule["jwksUri"]) == (outside.issuer, outside.jwks_uri)
    assert rule["audiences"] == list(outside.audiences)


def test_the_agents_door_opens_for_callers_alone(tmp_path: Path) -> None:
    gateway = one(rendered(tmp_path), "Gateway", "aspora-gateway")
    public, agents = gateway["spec"]["servers"]
    assert (public["port"]["number"], public["tls"]["mode"]) == (443, "SIMPLE")
    assert (agents["port"]["number"], agents["tls"]["mode"]) == (8443, "MUTUAL")
    assert agents["tls"]["subjectAltNames"] == [f"spiffe://{CATS}", f"spiffe://{SCAN}"]
    assert set(public["hosts"]).isdisjoint(agents["hosts"])


def test_where_nobody_calls_there_is_no_second_door() -> None:
    lonely = [domain for domain in repository() if domain.name == "fraud"]
    gateway = one(render(lonely, settings()), "Gateway", "aspora-gateway")
    assert [server["port"]["number"] for server in gateway["spec"]["servers"]] == [443]


def test_both_hosts_lead_to_every_skill() -> None:
    stack = settings("staging")
    found = [
        obj for domain in platform("staging").domains for obj in kinds(domain, "VirtualService")
    ]
    assert found
    for obj in found:
        assert obj["spec"]["hosts"] == [stack.public_host, AGENT_HOST]


def test_certificates_come_from_whom_they_can_come_from() -> None:
    stack = settings("prod")
    assert stack.aws
    assert ingress.public_issuer(stack) == "letsencrypt"
    inside = f"gateway.{stack.aws.dns.private_zone}"
    assert ingress.public_issuer(settings("prod", public_host=inside)) == "aspora-agents"
    assert ingress.public_issuer(settings("local")) == "aspora-agents"
    issuer = one(platform("prod"), "ClusterIssuer", "letsencrypt")
    (solver,) = issuer["spec"]["acme"]["solvers"]
    assert solver["selector"] == {"dnsZones": [stack.aws.dns.public_zone]}
    names = [obj["metadata"]["name"] for obj in kinds(platform("local"), "ClusterIssuer")]
    assert names == ["aspora-selfsigned", "aspora-agents"]


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_credential_a_gateway_uses_is_a_certificate_beside_it(stack: str) -> None:
    everything = platform(stack)
    made = {
        (obj["metadata"]["namespace"], obj["spec"]["secretName"])
        for obj in kinds(everything, "Certificate")
    }
    used = {
        (gateway["metadata"]["namespace"], server["tls"]["credentialName"])
        for gateway in kinds(everything, "Gateway")
        for server in gateway["spec"]["servers"]
        if "credentialName" in server["tls"]
    } | {
        ("aspora-platform", obj["spec"]["trafficPolicy"]["tls"]["credentialName"])
        for domain in everything.domains
        for obj in kinds(domain, "DestinationRule")
        if obj["spec"]["trafficPolicy"]["tls"]["mode"] == "MUTUAL"
    }
    assert used
    assert used <= made


def test_each_domain_has_a_bucket_of_its_own_size() -> None:
    everything = platform("prod")
    filters = one(everything, "EnvoyFilter", "aspora-gateway-rate-limits")["spec"]["configPatches"]
    config = filters[0]["patch"]["value"]["typed_config"]
    sizes = {
        descriptor["entries"][0]["value"]: descriptor["token_bucket"]["max_tokens"]
        for descriptor in config["descriptors"]
    }
    assert sizes == {domain.name: ingress.room(domain) for domain in repository()}
    assert config["token_bucket"]["max_tokens"] == sum(sizes.values())
    assert config["filter_enforced"]["default_value"]["numerator"] == 100
    matched = {
        action["header_value_match"]["descriptor_value"]: action["header_value_match"]["headers"]
        for limit in filters[1]["patch"]["value"]["rate_limits"]
        for action in limit["actions"]
    }
    assert matched.keys() == sizes.keys()
    assert matched["ecm"] == [{"name": ":path", "string_match": {"prefix": "/execute/ecm/"}}]


def test_the_gateway_bounds_what_it_reads_and_believes_no_header() -> None:
    limits = one(platform("prod"), "EnvoyFilter", "aspora-gateway-connection-limits")
    manager, buffer = limits["spec"]["configPatches"]
    config = manager["patch"]["value"]["typed_config"]
    assert config["forward_client_cert_details"] == "SANITIZE_SET"
    assert config["common_http_protocol_options"]["headers_with_underscores_action"] == (
        "REJECT_REQUEST"
    )
    assert config["max_request_headers_kb"] == 32
    assert buffer["patch"]["value"]["typed_config"]["max_request_bytes"] == 1024 * 1024


# Routes


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_no_route_without_a_time_limit_and_no_execution_twice(stack: str) -> None:
    everything = platform(stack)
    services = kinds(everything, "VirtualService")
    assert len(services) > 10
    for service in services:
        for route in routes(service):
            assert route["timeout"].endswith("s")
            if route.get("rewrite") == {"uri": "/execute"}:
                assert route["retries"] == {"attempts": 0}
            else:
                asked = set(route["retries"]["retryOn"].split(","))
                assert asked <= {"connect-failure", "refused-stream"}


# The way out


def test_every_host_of_a_domain_has_an_entry_a_route_and_a_policy(tmp_path: Path) -> None:
    everything = rendered(tmp_path)
    for kind in ("ServiceEntry", "VirtualService", "AuthorizationPolicy", "DestinationRule"):
        for host in ("api.example.com", "dogs.example.com", OPENROUTER):
            assert one(kinds(everything, kind, "istio-egress"), kind, host)
    for domain in everything.domains:
        assert kinds(domain, "ServiceEntry") == []


@pytest.mark.parametrize(
    ("who", "host", "door", "may"),
    [
        (CATS, "api.example.com", "8443", True),
        (CATS, "api.example.com:443", "8443", True),
        (CATS, "api.example.com:8443", "8443", True),
        (DOGS, "api.example.com", "8443", True),
        (DOGS, "api.example.com:8443", "8443", False),
        (DOGS, "dogs.example.com", "8443", True),
        (CATS, "dogs.example.com", "8443", False),
        (CATS, "evil.example.com", "8443", False),
        (CATS, OPENROUTER, "8443", False),
        (CATS, OPENROUTER, "443", False),
        (CATS, "api.example.com", "443", False),
        (MODEL, OPENROUTER, "443", True),
        (MODEL, OPENROUTER, "8443", False),
        (MODEL, "tickets.tools.staging.aspora.internal", "443", False),
        (MODEL, "api.example.com", "443", False),
        (TOOL, "tickets.tools.staging.aspora.internal", "443", True),
        (TOOL, OPENROUTER, "443", False),
        (TOOL, "payments.tools.staging.aspora.internal", "443", False),
        ("", "api.example.com", "8443", False),
    ],
)
def test_a_host_is_reached_by_whom_a_file_lets(
    tmp_path: Path, who: str, host: str, door: str, *, may: bool
) -> None:
    found = policies(rendered(tmp_path), OUT)
    assert allowed(found, principals=who, hosts=host, ports=door) is may


def test_principals_are_exactly_the_workloads_of_the_domains_that_name_the_host() -> None:
    everything, domains = platform("prod"), repository()
    ways = egress.ways(domains, settings("prod"))
    named = {(entry.host, entry.port) for domain in domains for entry in domain.egress}
    assert {(way.host, way.port) for way in ways if not way.from_mesh} == named
    for way in ways:
        if way.from_mesh:
            continue
        owners = {domain.name for domain in domains for e in domain.egress if e.host == way.host}
        accounts = {
            f"cluster.local/ns/aspora-{domain.name}/sa/{obj['metadata']['name']}"
            for domain in everything.domains
            if domain.name in owners
            for skill in domain.skills
            for obj in kinds(skill.objects, "ServiceAccount")
        }
        assert set(way.principals) == accounts


def test_the_gateway_starts_tls_and_checks_the_name(tmp_path: Path) -> None:
    everything = rendered(tmp_path)
    rule = one(kinds(everything, "DestinationRule", "istio-egress"), "DestinationRule", OPENROUTER)
    (level,) = rule["spec"]["trafficPolicy"]["portLevelSettings"]
    assert level["port"] == {"number": 443}
    assert level["tls"] == {
        "mode": "SIMPLE",
        "sni": OPENROUTER,
        "subjectAltNames": [OPENROUTER],
    }


def test_each_port_of_a_host_has_a_route_of_its_own(tmp_path: Path) -> None:
    service = one(rendered(tmp_path), "VirtualService", "api.example.com")
    led = {
        match["authority"]["exact"]: route["route"][0]["destination"]["port"]["number"]
        for route in routes(service)
        for match in route["match"]
    }
    assert led == {
        "api.example.com": 443,
        "api.example.com:443": 443,
        "api.example.com:8443": 8443,
    }


def test_nothing_of_the_inside_is_told_outside(tmp_path: Path) -> None:
    for service in kinds(
        kinds(rendered(tmp_path), "VirtualService"), "VirtualService", "istio-egress"
    ):
        for route in routes(service):
            if route["match"][0]["gateways"] != ["mesh"]:
                assert "x-forwarded-client-cert" in route["headers"]["request"]["remove"]


def test_a_port_that_a_domain_names_is_open_to_the_egress_gateway_alone(tmp_path: Path) -> None:
    everything = rendered(tmp_path)
    policy = one(everything, "NetworkPolicy", "aspora-egressgateway-ports")
    private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]
    assert policy["metadata"]["namespace"] == "istio-egress"
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"istio": "egressgateway"}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": private}}],
                "ports": [{"protocol": "TCP", "port": 8443}],
            }
        ],
    }
    assert policy["metadata"]["annotations"] == {
        "aspora.io/why": "port-8443: api.example.com: cats: The calendar's other door."
    }
    gateways = kinds(everything, "NetworkPolicy", "istio-egress")
    others = [obj for obj in kinds(everything, "NetworkPolicy") if obj not in gateways]
    assert others
    assert not any(
        peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
        and {"protocol": "TCP", "port": 8443} in rule["ports"]
        for obj in others
        for rule in obj["spec"].get("egress", ())
        for peer in rule["to"]
    )


def test_a_tool_servers_port_is_open_inside_the_company_too_once_somebody_uses_it(
    tmp_path: Path,
) -> None:
    stack = settings("staging")
    moved = tuple(
        server.model_copy(update={"url": server.url.replace("/mcp", ":9443/mcp")})
        if server.name in ("tickets", "market-data")
        else server
        for server in stack.tool_servers
    )
    stack = stack.model_copy(update={"tool_servers": moved})
    cats, dogs = two(tmp_path)
    rules = one(render((cats, dogs), stack), "NetworkPolicy", "aspora-egressgateway-ports")["spec"][
        "egress"
    ]
    assert [(rule["ports"][0]["port"], rule["to"][0]["ipBlock"]["cidr"]) for rule in rules] == [
        (9443, "0.0.0.0/0"),
        (9443, stack.network.vpc_cidr),
        (8443, "0.0.0.0/0"),
    ]
    assert not ports_of(render((dogs,), stack))


def ports_of(objects: Rendered) -> list[object]:
    """The policy of other ports; none where nobody names one."""
    return [
        obj
        for obj in kinds(objects, "NetworkPolicy")
        if obj["metadata"]["name"] == "aspora-egressgateway-ports"
    ]


def test_where_every_host_is_reached_on_443_there_is_no_other_port() -> None:
    assert {egress.port for domain in repository() for egress in domain.egress} <= {443}
    assert not ports_of(platform("prod"))


def test_the_agents_door_out_opens_for_domains_with_egress_alone(tmp_path: Path) -> None:
    gateway = one(rendered(tmp_path), "Gateway", "egress")
    inside, agents = gateway["spec"]["servers"]
    assert inside["tls"] == {"mode": "ISTIO_MUTUAL"}
    assert agents["tls"]["mode"] == "MUTUAL"
    assert agents["tls"]["subjectAltNames"] == [f"spiffe://{who}" for who in (CATS, SCAN, DOGS)]
    assert agents["hosts"] == [egress.HOST, "api.example.com", "dogs.example.com"]
    without = [domain for domain in repository() if not domain.egress]
    (only,) = one(render(without, settings()), "Gateway", "egress")["spec"]["servers"]
    assert only["port"]["number"] == 443


def test_a_tool_server_that_no_file_names_is_not_reachable() -> None:
    few = [domain for domain in repository() if domain.name == "ecm"]
    hosts = {way.host for way in egress.ways(few, settings())}
    assert hosts == {OPENROUTER, "ecm.tools.aspora.internal"}


def test_domains_with_sidecars_pass_the_same_gate(tmp_path: Path) -> None:
    cats, dogs = two(tmp_path)
    runc = Sandbox(runtime="runc", reason="A device driver that gVisor does not know.")
    with_sidecar = render([cats.model_copy(update={"sandbox": runc}), dogs], settings("staging"))
    assert policies(with_sidecar, OUT) == policies(render([cats, dogs], settings("staging")), OUT)


def test_the_page_lists_every_exception() -> None:
    page = (ROOT / "docs/gateways.md").read_text("utf-8")
    for exception in mesh.UNMESHED:
        assert f"| {exception.namespace} | {exception.name} | {exception.port} |" in page
