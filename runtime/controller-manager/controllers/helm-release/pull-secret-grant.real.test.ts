// With the rights that the controller-manager is installed with, on a real API server: it may lend the pull secret that it was granted to a
// child's agent, that one and no other.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { serviceAccounts } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { ControllerManagerPermissions } from "#controller-manager/permissions.ts";
import { chartPullSecretStages } from "#install/chart-pull-secret.ts";
import { accountObjects, type Account } from "#install/rbac.ts";
import { Role, Secret } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createTestNamespace } from "#test/framework/namespaces.ts";
import { sharedControlPlane } from "#test/framework/shared-control-plane.ts";
import { grantPullSecret, revokePullSecret } from "./pull-secret-grant.ts";

const { signal } = new AbortController();
const stack = new AsyncDisposableStack();
let admin: Client;
let manager: Client;
let agent: Client;
let charts: string;
let system: string;
let paris: string;
const told: string[] = [];

beforeAll(async () => {
  const controlPlane = await sharedControlPlane();
  [charts, system, paris] = (await Promise.all(
    ["charts", "system", "paris"].map((name) => createTestNamespace(controlPlane, name)),
  )) as [string, string, string];
  const connected = async (path: string): Promise<Client> =>
    createClient(stack.use(await connectKubeconfig({ path })), { component: "test" });
  const as = (namespace: string, name: string): Promise<Client> =>
    controlPlane
      .kubeconfigFor({
        user: `system:serviceaccount:${namespace}:${name}`,
        groups: ["system:serviceaccounts", "system:authenticated"],
      })
      .then(connected);
  admin = await connected(controlPlane.adminKubeconfig);
  manager = await as(system, serviceAccounts.controllerManager);
  agent = await as(paris, serviceAccounts.agent);
  // Of its own name: other tests share the control plane.
  const account: Account = { name: `manager-${system}`, namespace: system, labels: {} };
  const objects = accountObjects(account, ControllerManagerPermissions).filter(
    ({ metadata }) => metadata.namespace !== "kube-system",
  );
  const subject = { kind: "ServiceAccount", namespace: system, name: serviceAccounts.controllerManager };
  const discovery = createDiscovery({ client: admin, clock: realClock });
  for (const object of [...objects, ...installed("registry")]) {
    const type = await discovery.resolve(object.apiVersion, object.kind, signal);
    if (type === undefined) throw new Error(`No ${object.kind}`);
    const bound = object.kind.endsWith("Binding") ? { ...object, subjects: [subject] } : object;
    await admin.apply(type, bound, { fieldManager: "test", force: true }, signal);
    if (type.scope === "Cluster")
      stack.defer(async () => {
        await admin.delete(type, object.metadata, {}, signal);
      });
  }
  const other = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: charts, name: "other" },
    stringData: { username: "a", password: "b" },
  };
  await admin.apply(Secret, other, { fieldManager: "test", force: true }, signal);
});
afterAll(async () => {
  await stack.disposeAsync();
});

const installed = (name: string): ReturnType<typeof chartPullSecretStages>[number] =>
  chartPullSecretStages({
    namespace: charts,
    name,
    systemNamespace: system,
    username: "robot",
    password: "correct horse",
    allowChartsFrom: ["*"],
  }).flat();

const releaseWith = (secret: string): HelmRelease => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "HelmRelease",
  metadata: { namespace: paris, name: "web" },
  spec: {
    repo: "https://charts.example",
    chart: "web",
    targetNamespace: "apps",
    chartPullSecret: { namespace: charts, name: secret },
  } as HelmRelease["spec"],
});

const deps = (): DeliveryDeps =>
  ({
    client: manager,
    informers: { descriptions: { byIndex: () => [] } },
    events: { record: (_object: unknown, { message }: { readonly message: string }) => void told.push(message) },
    log: silentLogger,
  }) as unknown as DeliveryDeps;

const readByAgent = (name: string): Promise<Secret | undefined> => agent.get(Secret, { namespace: charts, name }, signal);

test("the granted secret is lent to the agent, and taken back", async () => {
  await expect(readByAgent("registry")).rejects.toMatchObject({ reason: "Forbidden" });
  // The authorizer learns of a new role within moments.
  const secret = await eventually("the agent may read it", async () => {
    await grantPullSecret(releaseWith("registry"), deps(), signal);
    return readByAgent("registry");
  });
  expect(Object.keys(secret.data ?? {})).toEqual(["password", "username"]);
  await revokePullSecret(releaseWith("registry"), { client: manager }, signal);
  expect((await admin.list(Role, { namespace: charts, labelSelector: "clusternet.io/created-by" }, signal)).items).toEqual([]);
});

test("another secret of the same namespace is not, and a person reads why", async () => {
  told.length = 0;
  await grantPullSecret(releaseWith("other"), deps(), signal);
  expect(told.join()).toContain(`chartPullSecret ${charts}/other may not be read`);
  await expect(readByAgent("other")).rejects.toMatchObject({ reason: "Forbidden" });
});
