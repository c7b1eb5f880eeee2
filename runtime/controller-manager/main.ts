// Process entry of the controller-manager.

import { createControllerManager } from "#controller-manager/controller-manager.ts";
import { parseControllerManagerOptions } from "#controller-manager/options.ts";
import { connectInCluster, connectKubeconfig } from "#kube/connection.ts";
import { runProcess } from "#std/run-process.ts";
import { packageVersion } from "#std/version.ts";

await runProcess({ component: "controller-manager", version: packageVersion }, async ({ argv, env, signal, log, clock }) => {
  const options = parseControllerManagerOptions(argv, env);
  const { kubeconfig } = options;
  await using connection =
    kubeconfig === "" ? await connectInCluster(env, { clock }) : await connectKubeconfig({ path: kubeconfig, clock });
  await createControllerManager(options, { connection, clock, log }).run(signal);
});
