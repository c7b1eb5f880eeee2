// The demo's proofs about the fleet itself: it is installed, joined, delivered to, changed, and survives being killed.

import { eventually } from "#test/framework/eventually.ts";
import { deliveredUids, logOf, podOf, SYSTEM, type Child, type DemoContext } from "./context.ts";
import type { Kubectl } from "#tools/kubectl.ts";
import { atHop, type Step } from "./steps.ts";
import { childKubectl } from "./user-steps.ts";

const COMPONENTS = ["hub", "scheduler", "controller-manager"] as const;
const ROLLOUT_LIMIT = "--timeout=60s";
const CONVERGE_MS_MAX = 60_000;

export const installed: Step<DemoContext> = {
  name: "hub, scheduler and controller-manager run on the parent, an agent in each child",
  run: async ({ parent, children, clusters }) => {
    for (const component of COMPONENTS) await isRolledOut(parent, component, () => logOf(clusters.parent, component));
    for (const child of children) await isRolledOut(child.kubectl, "agent", () => logOf(child.cluster, "agent"));
    return "five Deployments are Ready";
  },
};

async function isRolledOut(kubectl: Kubectl, component: string, log: () => string): Promise<void> {
  await atHop(
    `Deployment clusternet-${component}`,
    () => kubectl.run(["rollout", "status", "-n", SYSTEM, `deployment/clusternet-${component}`, ROLLOUT_LIMIT]),
    log(),
  );
}

interface ManagedCluster {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly k8sVersion?: string;
    readonly platform?: string;
    readonly nodeStatistics?: { readonly readyNodes?: number };
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const joined: Step<DemoContext> = {
  name: "both children registered themselves, were approved and report",
  run: async (context, signal) => {
    const seen: string[] = [];
    for (const child of context.children) seen.push(await reportOf(context, child, signal));
    return seen.join("; ");
  },
};

export async function reportOf({ parent, clusters }: DemoContext, child: Child, signal: AbortSignal): Promise<string> {
  return atHop(
    `Registration of ${child.name}`,
    () =>
      eventually(
        `${child.name} is a Ready ManagedCluster with version, platform and nodes`,
        async () => {
          const { items } = await parent.json<{ items: ManagedCluster[] }>(["get", "managedclusters", "--all-namespaces"]);
          const status = items.find(({ metadata }) => metadata.name === child.name)?.status;
          const isReady = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
          const nodes = status?.nodeStatistics?.readyNodes ?? 0;
          if (!isReady || status.k8sVersion === undefined || status.platform === undefined || nodes === 0) return undefined;
          return `${child.name} is Ready: ${status.k8sVersion} on ${status.platform}, ${String(nodes)} nodes ready`;
        },
        { timeoutMs: CONVERGE_MS_MAX, intervalMs: 200, signal },
      ),
    logOf(clusters.parent, "controller-manager"),
  );
}

export const delivered: Step<DemoContext> = {
  name: "a Subscription reached both children, a Globalization changed both, a Localization one on top; the pods run",
  run: async ({ parent, children, clusters }, signal) => {
    await atHop(
      "Subscription shop",
      () => parent.run(["wait", "subscription/shop", "-n", "default", "--for=condition=Available", ROLLOUT_LIMIT]),
      logOf(clusters.parent, "controller-manager"),
    );
    const [first, second] = children;
    await answers(first, { replicas: 1, greeting: "Hello from the fleet" }, signal);
    await answers(second, { replicas: 2, greeting: "Hello from child-2" }, signal);
    return "child-1 answers “Hello from the fleet”; child-2 has two replicas and answers “Hello from child-2”";
  },
};

/** The pods are Ready, and the Service's address in that cluster really answers. */
export async function answers(
  { name, kubectl, cluster }: Child,
  wanted: { readonly replicas: number; readonly greeting: string },
  signal: AbortSignal,
): Promise<void> {
  await atHop(
    `The shop in ${name}`,
    () =>
      eventually(
        `${String(wanted.replicas)} ready replicas answer ${JSON.stringify(wanted.greeting)}`,
        async () => {
          const ready = await kubectl.run([
            "get",
            "deployment",
            "shop",
            "-n",
            "default",
            "-o",
            "jsonpath={.status.readyReplicas}",
          ]);
          if (ready !== String(wanted.replicas)) throw new Error(`${ready || "0"} replicas are ready`);
          const address = await kubectl.run([
            "get",
            "service",
            "shop",
            "-n",
            "default",
            "-o",
            "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}",
          ]);
          const text = await (await fetch(`http://${address}/`, { signal })).text();
          if (text.trim() !== wanted.greeting) throw new Error(`It answers ${JSON.stringify(text)}`);
          return true;
        },
        { timeoutMs: CONVERGE_MS_MAX, intervalMs: 200, signal },
      ),
    logOf(cluster, "agent"),
  );
}

export const changed: Step<DemoContext> = {
  name: "editing the template changes both children; a second up changes nothing; refresh finds no drift",
  run: async ({ pulumi, children }, signal) => {
    await pulumi.setConfig("release", "2");
    const edit = await atHop("pulumi up with release 2", () => pulumi.up({}, signal));
    for (const { name, kubectl } of children) {
      await atHop(`Template change in ${name}`, () =>
        eventually(
          "the Deployment has release 2 and is rolled out",
          async () => {
            const release = await kubectl.run([
              "get",
              "deployment",
              "shop",
              "-n",
              "default",
              "-o",
              "jsonpath={.spec.template.metadata.labels.release}",
            ]);
            if (release !== "2") throw new Error(`It has release ${release}`);
            await kubectl.run(["rollout", "status", "deployment/shop", "-n", "default", ROLLOUT_LIMIT]);
            return true;
          },
          { timeoutMs: CONVERGE_MS_MAX, intervalMs: 200, signal },
        ),
      );
    }
    const again = await atHop("A second pulumi up", () => pulumi.up({ expectNoChanges: true }, signal));
    const refresh = await atHop("pulumi refresh", () => pulumi.refresh({ expectNoChanges: true }, signal));
    const seconds = [edit, again, refresh].map(({ durationMs }) => `${(durationMs / 1000).toFixed(1)} s`);
    return `up ${seconds[0] ?? ""}, unchanged up ${seconds[1] ?? ""}, refresh without drift ${seconds[2] ?? ""}`;
  },
};

export const survives: Step<DemoContext> = {
  name: "hub and agent killed with SIGKILL: pods restart, the tunnel is back, a watch can be re-opened, nothing was deleted",
  run: async (context, signal) => {
    const { clusters, parent, children } = context;
    const [child] = children;
    const uidsBefore = await deliveredUids(child.kubectl);
    const hub = await podOf(parent, "hub");
    const agent = await podOf(child.kubectl, "agent");
    clusters.parent.processNode?.kill({ namespace: SYSTEM, pod: hub }, "SIGKILL");
    child.cluster.processNode?.kill({ namespace: SYSTEM, pod: agent }, "SIGKILL");
    await restarted(parent, { component: "hub", pod: hub }, signal);
    await restarted(child.kubectl, { component: "agent", pod: agent }, signal);
    const through = await childKubectl(context, child, signal);
    await atHop(
      "The tunnel after the restart",
      () =>
        eventually("kubectl get works through the parent again", () => through.run(["get", "pods", "-n", "default"]), {
          timeoutMs: CONVERGE_MS_MAX,
          intervalMs: 250,
          signal,
        }),
      logOf(child.cluster, "agent"),
    );
    await using watch = through.start(["get", "configmaps", "-n", "default", "--watch"]);
    await atHop("A watch after the restart", () => watch.output(/shop/));
    const uidsAfter = await deliveredUids(child.kubectl);
    if (uidsAfter !== uidsBefore) throw new Error(`Objects of child-1 were replaced: ${uidsBefore} became ${uidsAfter}`);
    return "both pods restarted once, and every object in child-1 kept its uid";
  },
};

async function restarted(
  kubectl: Kubectl,
  { component, pod }: { readonly component: string; readonly pod: string },
  signal: AbortSignal,
): Promise<void> {
  const path = "jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}";
  await atHop(`Restart of ${component}`, () =>
    eventually(
      `${pod} has restarted and is Ready`,
      async () => {
        const seen = await kubectl.run(["get", "pod", pod, "-n", SYSTEM, "-o", path]);
        if (!/^[1-9]\d* true$/.test(seen)) throw new Error(`restarts and readiness are: ${seen}`);
        return true;
      },
      { timeoutMs: CONVERGE_MS_MAX, intervalMs: 200, signal },
    ),
  );
}
