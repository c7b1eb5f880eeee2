// A parent with a hub and children whose pods real kube-schedulers place on fake nodes: every agent is whole and joined by itself.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SchedulerPermissions } from "#scheduler/permissions.ts";
import { startHubBed } from "#test/conformance/hub-bed.ts";
import { grant, tokenOf } from "#test/conformance/hub-objects.ts";
import { startJoinedAgent, type JoinedAgent } from "#test/conformance/joined-agent.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startFakeNodes } from "#test/framework/fake-nodes.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { Node } from "#kube/builtin-kinds.ts";
import { KWOK_ANNOTATION } from "#test/framework/process-node/binder.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect, connectKubeconfig } from "#kube/connection.ts";

export interface NodeShape {
  readonly name: string;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
}

export interface FleetChild {
  readonly name: string;
  readonly controlPlane: ControlPlane;
  /** As its administrator. */
  readonly client: Client;
  readonly agent: JoinedAgent;
}

export interface CapacityFleet extends AsyncDisposable {
  readonly parent: ControlPlane;
  /** As the parent's administrator. */
  readonly admin: Client;
  /** As the scheduler, with the rights that it is installed with. */
  readonly scheduler: Client;
  readonly children: readonly FleetChild[];
  cluster(name: string): Promise<ManagedCluster>;
}

const SCHEDULER_ACCOUNT = "clusternet-scheduler";
const { signal } = new AbortController();

/**
 * One child per list of nodes: child-1, child-2, … with labels `fleet: yes` and `stage: demo`. `agentFlags` are further ones, by the
 * name of the child.
 */
export async function startCapacityFleet(
  shapes: readonly (readonly NodeShape[])[],
  { agentFlags = {} }: { readonly agentFlags?: Readonly<Record<string, readonly string[]>> } = {},
): Promise<CapacityFleet> {
  await using stack = new AsyncDisposableStack();
  const bed = stack.use(await startHubBed({ child: { scheduler: true } }));
  // The whole agent below takes its place.
  await bed.stopAgent();
  await bed.parent.admin.delete(`/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/clusternet-${bed.clusterId}`);
  const others = await Promise.all(
    shapes.slice(1).map((_, index) => startControlPlane({ name: `child-${String(index + 2)}`, scheduler: true })),
  );
  for (const other of others) stack.use(other);
  await grant(bed.parent.admin, SCHEDULER_ACCOUNT, SchedulerPermissions);
  const admin = await clientOf(bed.parent, stack);
  const children: FleetChild[] = [];
  for (const [index, controlPlane] of [bed.child, ...others].entries()) {
    const name = `child-${String(index + 1)}`;
    stack.use(await startFakeNodes(controlPlane, { nodes: [] }));
    const client = await clientOf(controlPlane, stack);
    await Promise.all((shapes[index] ?? []).map((shape) => addNode(client, shape)));
    const parentCaFile = join(controlPlane.directory, "parent-ca.crt");
    await writeFile(parentCaFile, bed.parent.caPem);
    const parentFlags = [`--cluster-reg-parent-ca-file=${parentCaFile}`, "--cluster-status-collect-frequency=1s"];
    const flags = [...parentFlags, ...(agentFlags[name] ?? [])];
    const join_ = { clusterName: name, clusterNamespace: name, controllerManager: index === 0, flags };
    const agent = stack.use(await startJoinedAgent({ parent: bed.parent, child: controlPlane }, join_));
    children.push({ name, controlPlane, client, agent });
  }
  const cluster: CapacityFleet["cluster"] = async (name) => {
    const found = await admin.get(ManagedCluster, { namespace: name, name }, signal);
    if (found === undefined) throw new Error(`ManagedCluster ${name} is not there`);
    return found;
  };
  for (const { name, agent } of children) {
    await eventually(`${name} reports and its tunnel is open`, async () => {
      const isOpen = agent.log.some((line) => line["event"] === "tunnel.connected");
      if (isOpen && isConditionTrue((await cluster(name)).status?.conditions, "Ready")) return true;
      throw new Error(JSON.stringify(agent.log.slice(-3)));
    });
    const body = { metadata: { labels: { fleet: "yes", stage: "demo", name } } };
    await admin.patch(ManagedCluster, { namespace: name, name }, { type: "merge", body }, signal);
  }
  const token = await tokenOf(bed.parent.admin, SCHEDULER_ACCOUNT);
  const { server, caPem } = bed.parent;
  const scheduler = createClient(stack.use(connect({ server, caPem, token })), { component: "scheduler" });
  const owned = stack.move();
  return { parent: bed.parent, admin, scheduler, children, cluster, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function clientOf({ adminKubeconfig }: ControlPlane, stack: AsyncDisposableStack): Promise<Client> {
  return createClient(stack.use(await connectKubeconfig({ path: adminKubeconfig })), { component: "test" });
}

/** kwok says that it is Ready, and keeps what it finds in its status. */
export async function addNode(client: Client, { name, allocatable, labels = {}, spec = {} }: NodeShape): Promise<void> {
  const annotations = { [KWOK_ANNOTATION]: "fake" };
  const metadata = { name, annotations, labels: { type: "kwok", "kubernetes.io/hostname": name, ...labels } };
  await client.create(Node, { apiVersion: "v1", kind: "Node", metadata, spec }, signal);
  await eventually(`node ${name} is Ready and as large as it should be`, async () => {
    const node = await client.get(Node, { name }, signal);
    const isReady = node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    if (!isReady || node.spec?.taints?.some(({ key }) => key === "node.kubernetes.io/not-ready") === true) return false;
    if (Object.entries(allocatable).every(([key, value]) => node.status?.allocatable?.[key] === value)) return true;
    const body = { status: { capacity: allocatable, allocatable } };
    await client.patch(Node, { name }, { type: "merge", subresource: "status", body }, signal);
    return false;
  });
}
