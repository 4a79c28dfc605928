import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createFileRegistry, type DescMethod, type DescService, fromBinary, getOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { http } from "@oceanchat/gen/google/api/annotations_pb";
import { anonymous } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { parse } from "yaml";

const root = resolve(import.meta.dirname, "../..");
const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(resolve(root, "gen/descriptors.binpb"))),
);
const services = [...registry].filter(
  (desc): desc is DescService => desc.kind === "service" && desc.typeName.startsWith("oceanchat."),
);
const isPublic = ({ name }: DescService) => !name.endsWith("MeshService");
const methods = services.filter(isPublic).flatMap((service) => service.methods);
const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

interface Route {
  readonly match: { readonly path?: string; readonly prefix?: string; readonly path_separated_prefix?: string };
  readonly route?: { readonly cluster: string; readonly retry_policy?: { readonly retry_on: string } };
  readonly direct_response?: { readonly status: number };
  readonly typed_per_filter_config?: Readonly<Record<string, { readonly disabled?: boolean }>>;
}

const read = (file: string) => parse(readFileSync(resolve(root, "envoy", file), "utf8"), { merge: true });
const routes: Route[] = read("rds.yaml").resources[0].virtual_hosts[0].routes;
const rpcRoutes = routes.filter(({ match }) => match.path?.startsWith("/oceanchat.") ?? false);
const JWT = "envoy.filters.http.jwt_authn";
const TRANSCODER = "envoy.filters.http.grpc_json_transcoder";
/** The cluster of a public method is its domain. */
const clusterOf = (method: DescMethod) => method.parent.typeName.split(".")[1];

describe("the edge's routes against the contracts", () => {
  it("has exactly one route for each public method, and none for another", () => {
    assert.deepEqual(rpcRoutes.map(({ match }) => match.path).sort(), methods.map(pathOf).sort());
  });

  it("reaches no mesh service, by path or by prefix", () => {
    for (const service of services.filter((each) => !isPublic(each))) {
      for (const { match, direct_response } of routes) {
        if (direct_response !== undefined) continue;
        const path = `/${service.typeName}/`;
        assert.ok(!match.path?.startsWith(path), `${match.path}`);
        for (const prefix of [match.prefix, match.path_separated_prefix]) {
          assert.ok(prefix === undefined || !path.startsWith(prefix), `prefix ${prefix} opens ${service.typeName}`);
        }
      }
    }
  });

  it("ends with the default deny", () => {
    const last = routes.at(-1);
    assert.deepEqual(last?.match, { prefix: "/" });
    assert.equal(last?.direct_response?.status, 404);
  });

  it("lets exactly the anonymous methods through without a token", () => {
    const open = rpcRoutes.filter((route) => route.typed_per_filter_config?.[JWT]?.disabled === true);
    const declared = methods.filter((method) => getOption(method, anonymous));
    assert.deepEqual(open.map(({ match }) => match.path).sort(), declared.map(pathOf).sort());
  });

  it("sends each method to its own service, untranscoded, and retries only reads", () => {
    for (const method of methods) {
      const route = rpcRoutes.find(({ match }) => match.path === pathOf(method));
      assert.equal(route?.route?.cluster, clusterOf(method), pathOf(method));
      assert.equal(route?.typed_per_filter_config?.[TRANSCODER]?.disabled, true, pathOf(method));
      const retriesAfterSending = route?.route?.retry_policy?.retry_on.includes("reset") ?? false;
      const isRead = method.idempotency === 1;
      assert.equal(retriesAfterSending, isRead && method.methodKind === "unary", pathOf(method));
    }
  });

  it("transcodes exactly the public services", () => {
    const text = readFileSync(resolve(root, "envoy/lds.yaml"), "utf8");
    const listed = [...text.matchAll(/^ +- (oceanchat\.[\w.]+Service)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      listed.sort(),
      services
        .filter(isPublic)
        .map(({ typeName }) => typeName)
        .sort(),
    );
  });

  it("has a route that leads each REST path to the transcoder", () => {
    for (const method of methods) {
      const rule = getOption(method, http);
      assert.notEqual(rule.pattern.case, undefined, `${pathOf(method)} has no google.api.http`);
      for (const { pattern } of [rule, ...rule.additionalBindings]) {
        const template = typeof pattern.value === "string" ? pattern.value : "";
        const path = template.replaceAll(/\{\w+\}/g, "x");
        assert.ok(
          routes.some((route) => route.route !== undefined && matches(route, path)),
          `${template} has no route`,
        );
      }
    }
  });
});

function matches({ match }: Route, path: string): boolean {
  if (match.path !== undefined) return match.path === path;
  if (match.prefix !== undefined) return path.startsWith(match.prefix);
  const prefix = match.path_separated_prefix;
  return prefix !== undefined && (path === prefix || path.startsWith(`${prefix}/`));
}
