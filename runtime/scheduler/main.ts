// Process entry of the scheduler.

import { createScheduler } from "#scheduler/scheduler.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { readStraightCredentials } from "#scheduler/straight-credentials.ts";
import { StraightConnections } from "#scheduler/straight-connections.ts";
import { createPluginWatch } from "#scheduler/plugin-watch.ts";
import { connectInCluster, connectKubeconfig } from "#kube/connection.ts";
import { runProcess } from "#std/run-process.ts";
import { packageVersion } from "#std/version.ts";

await runProcess({ component: "scheduler", version: packageVersion }, async ({ argv, env, signal, log, clock }) => {
  const options = parseSchedulerOptions(argv, env);
  const { kubeconfig } = options;
  const credentials = await readStraightCredentials(options, { clock, log });
  await using straight = credentials === undefined ? undefined : new StraightConnections(credentials);
  await using watch = createPluginWatch({ hangMsMax: options.pluginHangTimeout });
  const profiles = await loadProfiles(options, watch);
  await using connection =
    kubeconfig === "" ? await connectInCluster(env, { clock }) : await connectKubeconfig({ path: kubeconfig, clock });
  await createScheduler(options, { connection, profiles, straight, clock, log }).run(signal);
});
