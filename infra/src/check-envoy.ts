// Envoy takes the edge's whole configuration without an objection.
import { envoyRefusals } from "./envoy-check.ts";
import { layoutOf } from "./layout.ts";

const refused = await envoyRefusals(layoutOf());
for (const line of refused) console.error(`envoy: ${line}`);
console.log(
  `envoy: bootstrap, listeners, routes, clusters, certificate: ${refused.length === 0 ? "taken" : "REFUSED"}`,
);
if (refused.length > 0) process.exitCode = 1;
