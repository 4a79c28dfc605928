import { stringify } from "yaml";
import { type Addresses, addressesOf, type Door, type ServiceName, webSocketDoors } from "./topology.ts";

// The settings are those of the cluster file for Kubernetes; only discovery differs (STATIC addresses instead of DNS).
const HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const h2 = {
  [HTTP]: {
    "@type": `type.googleapis.com/${HTTP}`,
    explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } } },
  },
};

const healthCheck = {
  timeout: "1s",
  interval: "5s",
  no_traffic_interval: "5s",
  unhealthy_threshold: 3,
  healthy_threshold: 1,
};

const outlierDetection = {
  consecutive_gateway_failure: 5,
  enforcing_consecutive_gateway_failure: 100,
  enforcing_consecutive_5xx: 0,
  split_external_local_origin_errors: true,
  max_ejection_percent: 34,
  always_eject_one_host: true, // 34 % of two hosts would eject none
};

const breakers = {
  thresholds: [{ max_requests: 4096, retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 3 } }],
};

const transportSocket = (name: string, type: string, config: object = {}) => ({
  name: `envoy.transport_sockets.${name}`,
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.transport_sockets.${type}`, ...config },
});

const proxyProtocol = transportSocket("upstream_proxy_protocol", "proxy_protocol.v3.ProxyProtocolUpstreamTransport", {
  config: { version: "V2" },
  transport_socket: transportSocket("raw_buffer", "raw_buffer.v3.RawBuffer"),
});

/** Cluster → whose public door it is. */
const RPC_CLUSTERS: readonly (readonly [string, ServiceName])[] = [
  ["auth", "auth"],
  ["user", "user"],
  ["group", "group"],
  ["message", "message"],
  ["presence", "presence"],
  ["query", "query"],
  ["push", "pusher-offline"],
];

/** Envoy's cluster file for a mesh on this machine. */
export function laptopClusters(addresses: Addresses): string {
  const at = (name: ServiceName, door: Door): string[] => addressesOf(addresses, name, door);
  const resources = [
    ...RPC_CLUSTERS.map(([cluster, service]) => rpcCluster(cluster, at(service, "public"))),
    { ...cluster("jwks", at("auth", "public")), typed_extension_protocol_options: h2 },
    {
      ...balanced("ws_gateway", webSocketDoors(addresses)), // HTTP/1.1: one upstream connection per socket
      ignore_health_on_host_removal: true,
      health_checks: [{ ...healthCheck, http_health_check: { path: "/healthz" } }],
      circuit_breakers: {
        thresholds: [{ max_connections: 100_000, max_requests: 100_000, max_pending_requests: 10_000 }],
      },
    },
    {
      ...balanced("tcp_gateway", at("ws-gateway", "tcp")),
      transport_socket: proxyProtocol, // the gateway counts connections per client address
      circuit_breakers: { thresholds: [{ max_connections: 100_000 }] },
    },
    { ...cluster("otel", ["127.0.0.1:4317"]), typed_extension_protocol_options: h2 },
  ];
  return stringify({ resources }, { aliasDuplicateObjects: false });
}

function rpcCluster(name: string, addresses: readonly string[]): object {
  return {
    ...balanced(name, addresses),
    ignore_health_on_host_removal: true,
    typed_extension_protocol_options: h2,
    health_checks: [{ ...healthCheck, grpc_health_check: {} }],
    outlier_detection: outlierDetection,
    circuit_breakers: breakers,
  };
}

function balanced(name: string, addresses: readonly string[]): object {
  return { ...cluster(name, addresses), lb_policy: "LEAST_REQUEST", per_connection_buffer_limit_bytes: 32_768 };
}

function cluster(name: string, addresses: readonly string[]): object {
  return {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: addresses.map(endpoint) }] },
  };
}

function endpoint(address: string): object {
  if (address.startsWith("/")) return { endpoint: { address: { pipe: { path: address } } } };
  const [host, port] = address.split(":");
  return { endpoint: { address: { socket_address: { address: host, port_value: Number(port) } } } };
}
