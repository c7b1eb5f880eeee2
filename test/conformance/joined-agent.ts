// A whole agent that joins the parent of a HubBed by itself, as installed: with a bootstrap token, a grant, and the controllers that approve.

import { randomBytes } from "node:crypto";
import { createAgent } from "#agent/agent.ts";
import { parseAgentOptions } from "#agent/options.ts";
import { createControllerManager } from "#controller-manager/controller-manager.ts";
import { parseControllerManagerOptions } from "#controller-manager/options.ts";
import { agentStages, bootstrapTokenObject, childNamespaceObject, joinGrantObject, type ChildOnParent } from "#install/child.ts";
import { crdObjects } from "#install/crds.ts";
import type { InstallObject } from "#install/object.ts";
import { parentBaseStages } from "#install/parent.ts";
import { createClient } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { realClock } from "#std/clock.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import type { HubBed } from "./hub-bed.ts";
import { SYSTEM_NAMESPACE } from "./hub-objects.ts";
import { collectingLogger } from "./hub-runner.ts";

export interface JoinedAgent extends AsyncDisposable {
  readonly log: readonly Record<string, unknown>[];
}

export interface JoinOptions {
  readonly clusterName: string;
  readonly clusterNamespace: string;
  /** Default: true. Who approves and delivers on the parent; a second agent on one parent needs no second one. */
  readonly controllerManager?: boolean;
  /** Further flags of the agent. */
  readonly flags: readonly string[];
}

const RESERVED_NAMESPACE = "clusternet-reserved";

export async function startJoinedAgent(
  { parent, child }: Pick<HubBed, "parent" | "child">,
  { clusterName, clusterNamespace, controllerManager = true, flags }: JoinOptions,
): Promise<JoinedAgent> {
  const tokenId = randomBytes(3).toString("hex");
  const tokenSecret = randomBytes(8).toString("hex");
  const onParent: ChildOnParent = {
    namespace: SYSTEM_NAMESPACE,
    clusterName,
    clusterNamespace,
    syncMode: "Pull",
    tokenId,
    tokenSecret,
  };
  const announced = [childNamespaceObject(onParent), bootstrapTokenObject(onParent), joinGrantObject(onParent)];
  const base = parentBaseStages({ namespace: SYSTEM_NAMESPACE, reservedNamespace: RESERVED_NAMESPACE });
  await apply(parent, [...crdObjects(), ...base.flat(), ...announced]);
  const registrationToken = `${tokenId}.${tokenSecret}`;
  const stages = agentStages({
    namespace: SYSTEM_NAMESPACE,
    image: "of-no-pod",
    clusterName,
    clusterNamespace,
    syncMode: "Pull",
    parentUrl: parent.server,
    registrationToken,
  });
  await apply(
    child,
    stages.flat().filter(({ kind }) => kind !== "Deployment"),
  );

  const log: Record<string, unknown>[] = [];
  const controller = new AbortController();
  const options = parseAgentOptions(
    [
      `--kubeconfig=${child.adminKubeconfig}`,
      "--health-port=0",
      "--leader-elect=false",
      `--cluster-reg-name=${clusterName}`,
      "--cluster-status-report-frequency=1s",
      ...flags,
    ],
    { PARENT_URL: parent.server, REG_TOKEN: registrationToken },
  );
  const agent = createAgent(options, { env: {}, clock: realClock, log: collectingLogger("agent", log) });
  const manager = controllerManager ? [runControllerManager(parent, log, controller.signal)] : [];
  const running = [...manager, agent.run(controller.signal)];
  return {
    log,
    [Symbol.asyncDispose]: async () => {
      controller.abort(new Error("The test is over"));
      await Promise.allSettled(running);
    },
  };
}

async function runControllerManager(parent: ControlPlane, lines: Record<string, unknown>[], signal: AbortSignal): Promise<void> {
  await using connection = await connectKubeconfig({ path: parent.adminKubeconfig });
  const options = parseControllerManagerOptions(["--health-port=0", "--leader-elect=false"], {});
  const log = collectingLogger("controller-manager", lines);
  await createControllerManager(options, { connection, clock: realClock, log }).run(signal);
}

/** As a deployment tool does: an object whose kind is not known yet is tried again. */
async function apply({ adminKubeconfig }: ControlPlane, objects: readonly InstallObject[]): Promise<void> {
  await using connection = await connectKubeconfig({ path: adminKubeconfig });
  const client = createClient(connection, { component: "test" });
  const discovery = createDiscovery({ client, clock: realClock });
  const { signal } = new AbortController();
  for (const object of objects) {
    await eventually(`${object.kind} ${object.metadata.name} is accepted`, async () => {
      const type = await discovery.resolve(object.apiVersion, object.kind, signal);
      if (type === undefined) return false;
      await client.apply(type, object, { fieldManager: "test", force: true }, signal);
      return true;
    });
  }
}
