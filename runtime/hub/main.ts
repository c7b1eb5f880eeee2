// Process entry of the hub.

import { connectInCluster, connectKubeconfig } from "#kube/connection.ts";
import { runProcess } from "#std/run-process.ts";
import { packageVersion } from "#std/version.ts";
import { createHub } from "./hub.ts";
import { parseHubOptions } from "./options.ts";

await runProcess({ component: "hub", version: packageVersion }, async ({ argv, env, clock, log, signal }) => {
  const options = parseHubOptions(argv, env);
  await using connection =
    options.kubeconfig === ""
      ? await connectInCluster(env, { clock })
      : await connectKubeconfig({ path: options.kubeconfig, clock });
  const hub = createHub(options, { connection, clock, log });
  await hub.run(signal);
});
