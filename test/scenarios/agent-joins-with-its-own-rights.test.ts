// The whole agent, with the rights that it is installed with in a child of its own: it joins, reports and serves, and needs nothing more.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAgent } from "#agent/agent.ts";
import { parseAgentOptions } from "#agent/options.ts";
import { AgentPermissions, ProxyPermissions } from "#agent/permissions.ts";
import { secretNames, serviceAccounts } from "#api/names.ts";
import { accountObjects } from "#install/rbac.ts";
import { ConfigMap, Namespace, Secret, ServiceAccount } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect, connectKubeconfig } from "#kube/connection.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { announceChild, startRegistrationParent, SYSTEM, type RegistrationParent } from "#test/scenarios/registration-fixture.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

let parent: RegistrationParent;
let plane: ControlPlane;
let admin: Client;
beforeAll(async () => {
  [parent, plane] = await Promise.all([startRegistrationParent(), startControlPlane({ name: "child" })]);
  await parent.runControllers();
  admin = createClient(await connectKubeconfig({ path: plane.adminKubeconfig }), { component: "test" });
  await installAgent();
});
afterAll(async () => {
  await admin.connection[Symbol.asyncDispose]();
  await plane[Symbol.asyncDispose]();
  await parent[Symbol.asyncDispose]();
});

async function installAgent(): Promise<void> {
  const account = (name: string): { name: string; namespace: string; labels: object & Readonly<Record<string, string>> } => ({
    name,
    namespace: SYSTEM,
    labels: {},
  });
  const discovery = createDiscovery({ client: admin, clock: realClock });
  const objects = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM } },
    ...accountObjects(account(serviceAccounts.agent), AgentPermissions),
    ...accountObjects(account(serviceAccounts.proxy), ProxyPermissions),
    { apiVersion: "v1", kind: "ServiceAccount", metadata: account(serviceAccounts.appDeployer) },
  ];
  for (const object of objects) {
    const type = await discovery.resolve(object.apiVersion, object.kind, parent.signal);
    if (type === undefined) throw new Error(`No ${object.kind}`);
    await admin.apply(type, object, { fieldManager: "test" }, parent.signal);
  }
}

/** A kubeconfig with the agent's own token, as a pod has one. */
async function agentKubeconfig(): Promise<{ readonly path: string; readonly client: Client }> {
  const key = { namespace: SYSTEM, name: serviceAccounts.agent };
  const { token } = await admin.createToken(key, { expirationSeconds: 3_600 }, parent.signal);
  const { server, caPem } = plane;
  const path = join(plane.directory, "agent.kubeconfig");
  const text = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "agent",
    contexts: [{ name: "agent", context: { cluster: "child", user: "agent" } }],
    clusters: [{ name: "child", cluster: { server, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name: "agent", user: { token } }],
  };
  await writeFile(path, JSON.stringify(text), { mode: 0o600 });
  return { path, client: createClient(connect({ server, caPem, token }), { component: "test" }) };
}

test("an installed agent joins as its kube-system's uid, reports, and may do nothing else in its child", async () => {
  const child = await announceChild(parent, { name: "whole" });
  const { path, client } = await agentKubeconfig();
  const caFile = join(plane.directory, "parent-ca.crt");
  await writeFile(caFile, parent.controlPlane.caPem);
  const argv = [`--kubeconfig=${path}`, "--health-port=0", "--cluster-reg-name=whole", `--cluster-reg-parent-ca-file=${caFile}`];
  const options = parseAgentOptions(argv, { PARENT_URL: parent.controlPlane.server, REG_TOKEN: child.token });
  const stop = new AbortController();
  const running = createAgent(options, { env: {}, clock: realClock, log: silentLogger }).run(stop.signal);
  const cluster = await eventually("the cluster is Ready", async () => {
    const found = await parent.cluster(child.onParent);
    return isConditionTrue(found?.status?.conditions, "Ready") ? found : undefined;
  });
  const kubeSystem = await admin.get(Namespace, { name: "kube-system" }, parent.signal);
  expect(cluster.spec.clusterId).toBe(kubeSystem?.metadata.uid);

  const request = (requestPath: string): Promise<unknown> => client.request({ method: "GET", path: requestPath }, parent.signal);
  await expect(request(`/api/v1/namespaces/${SYSTEM}/secrets`)).rejects.toThrow(/forbidden/);
  await expect(request("/api/v1/secrets")).rejects.toThrow(/forbidden/);
  await expect(client.list(ConfigMap, { namespace: "kube-system" }, parent.signal)).rejects.toThrow(/forbidden/);
  const token = (name: string): Promise<unknown> =>
    client.createToken({ namespace: SYSTEM, name }, { expirationSeconds: 600 }, parent.signal);
  await expect(token("default")).rejects.toThrow(/forbidden/);
  await expect(token(serviceAccounts.agent)).rejects.toThrow(/forbidden/);
  await expect(token(serviceAccounts.proxy)).resolves.toHaveProperty("token");
  await expect(token(serviceAccounts.appDeployer)).resolves.toHaveProperty("token");
  expect(await client.get(Secret, { namespace: SYSTEM, name: secretNames.parentCluster }, parent.signal)).toBeDefined();
  await expect(client.list(ServiceAccount, {}, parent.signal)).rejects.toThrow(/forbidden/);

  stop.abort(new Error("The test is over"));
  await running.catch(() => undefined);
  await client.connection[Symbol.asyncDispose]();
});
