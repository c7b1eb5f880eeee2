// The Cluster API integration's process.

import { runProcess } from "#std/run-process.ts";
import { packageVersion } from "#std/version.ts";
import { runIntegration } from "./integration.ts";
import { parseIntegrationOptions } from "./options.ts";

await runProcess({ component: "cluster-api-integration", version: packageVersion }, async ({ argv, env, log, clock, signal }) => {
  await runIntegration(parseIntegrationOptions(argv, env), { env, log, clock }, signal);
});
