// Requests that may not be approved, on a real API server: each gets a message that says what to do, and nothing is made for it.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { annotations, labels, serviceAccounts } from "#api/names.ts";
import { ConfigMap, Namespace, Secret, ServiceAccount } from "#kube/builtin-kinds.ts";
import { createSealingKeys } from "#std/sealed-text.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  approveByHand,
  startRegistrationParent,
  SYSTEM,
  type RegistrationParent,
  type TestChild,
} from "#test/scenarios/registration-fixture.ts";

let parent: RegistrationParent;
beforeAll(async () => {
  parent = await startRegistrationParent();
  await parent.runControllers();
});
afterAll(async () => {
  await parent[Symbol.asyncDispose]();
});

type Spec = Partial<ClusterRegistrationRequest["spec"]>;

/** Asks as the child's bootstrap token does. */
async function ask(child: TestChild, { name, ...spec }: Spec & { readonly name?: string } = {}): Promise<string> {
  const { publicKey } = await createSealingKeys();
  const metadata = {
    name: name ?? registrationRequestName(child.clusterId),
    annotations: { [annotations.requestedBy]: `system:bootstrap:${child.onParent.tokenId}` },
  };
  const request: ClusterRegistrationRequest = {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ClusterRegistrationRequest",
    metadata,
    spec: { clusterId: child.clusterId, syncMode: "Pull", publicKey, ...spec },
  };
  await parent.clientWith(child.token).create(ClusterRegistrationRequest, request, parent.signal);
  return metadata.name;
}

const refusal = (
  name: string,
): Promise<{ readonly reason: string; readonly message: string; readonly result: string | undefined }> =>
  eventually("it is answered", async () => {
    const status = (await parent.request(name))?.status;
    const condition = status?.conditions?.find(({ type }) => type === "Approved");
    if (condition === undefined || status?.errorMessage === undefined) return undefined;
    return { reason: condition.reason, message: status.errorMessage, result: status.result };
  });

describe("a request is refused", () => {
  const cases: readonly { it: string; spec: Spec & { name?: string }; reason: string; says: RegExp }[] = [
    {
      it: "under another name than the granted one",
      spec: { clusterName: "other" },
      reason: "NameOutsideGrant",
      says: /not other/,
    },
    {
      it: "for a namespace of the system",
      spec: { clusterNamespace: "kube-system" },
      reason: "NamespaceOutsideGrant",
      says: /not kube-system/,
    },
    {
      it: "with a label that was not granted",
      spec: { clusterLabels: { admin: "yes" } },
      reason: "LabelsOutsideGrant",
      says: /admin=yes/,
    },
    {
      it: "with a label of the system",
      spec: { clusterLabels: { [labels.clusterId]: "x" } },
      reason: "ReservedLabel",
      says: /cluster-id/,
    },
    {
      it: "with a mode that was not granted",
      spec: { syncMode: "Push" },
      reason: "SyncModeOutsideGrant",
      says: /allows Pull, not Push/,
    },
    {
      it: "with a name that is not its id's",
      spec: { name: "clusternet-somebody" },
      reason: "ClusterIdMismatch",
      says: /must be named/,
    },
    {
      it: "with a key that is none",
      spec: { publicKey: '{"kty":"RSA"}' },
      reason: "PublicKeyInvalid",
      says: /not an EC P-256 JWK/,
    },
  ];
  test.each(cases)("$it", async ({ spec, reason, says }) => {
    const child = await announceChild(parent, { name: `r-${randomUUID().slice(0, 8)}` });
    const answer = await refusal(await ask(child, spec));
    expect(answer).toMatchObject({ result: "Denied", reason, message: expect.stringMatching(says) });
    expect(await parent.cluster(child.onParent)).toBeUndefined();
    const account = { namespace: child.onParent.clusterNamespace, name: serviceAccounts.agent };
    expect(await parent.admin.get(ServiceAccount, account, parent.signal)).toBeUndefined();
  });

  test("when the name is taken, until the other one goes", async () => {
    const first = await announceChild(parent, { name: "taken" });
    await using agent = await startAgent(parent, { child: first, home: "taken-agent" });
    await agent.joined;
    const second = await announceChild(parent, { name: "taken-two" });
    const patch = { data: { clusterName: "taken" } };
    const grant = { namespace: SYSTEM, name: "clusternet-join-taken-two" };
    await parent.admin.patch(ConfigMap, grant, { type: "merge", body: patch }, parent.signal);
    const answer = await refusal(await ask(second));
    expect(answer).toMatchObject({ reason: "ClusterNameTaken", message: expect.stringContaining(first.clusterId) });
  });

  test("when its namespace was not made for it", async () => {
    const child = await announceChild(parent, { name: "squatter" });
    const body = { metadata: { annotations: { [annotations.reservedFor]: null } } };
    await parent.admin.patch(Namespace, { name: "home-of-squatter" }, { type: "merge", body }, parent.signal);
    const name = await ask(child);
    expect(await refusal(name)).toMatchObject({
      reason: "NamespaceNotReserved",
      message: expect.stringContaining("home-of-squatter"),
    });
    const back = { metadata: { annotations: { [annotations.reservedFor]: "squatter" } } };
    await parent.admin.patch(Namespace, { name: "home-of-squatter" }, { type: "merge", body: back }, parent.signal);
    await eventually(
      "it is approved once the namespace is right",
      async () => (await parent.request(name))?.status?.result === "Approved",
    );
  });

  test("by an administrator; and one that was approved loses its access at once", async () => {
    const child = await announceChild(parent, { name: "locked" });
    await using agent = await startAgent(parent, { child, home: "locked-agent" });
    const { token } = await agent.joined;
    const name = registrationRequestName(child.clusterId);
    await approveByHand(parent, name, "false");
    await eventually("it is locked out", async () => (await parent.request(name))?.status?.result === "Denied");
    await eventually("its token no longer works", () =>
      parent
        .clientWith(token)
        .request({ method: "GET", path: "/version" }, parent.signal)
        .then(
          () => false,
          (error: unknown) => /Unauthorized/i.test(String(error)),
        ),
    );
    await eventually("the agent says so", () => agent.said().includes("An administrator set"));
    expect(await parent.cluster(child.onParent)).toBeDefined();
  });
});

describe("admission", () => {
  const requestOf = (child: TestChild, notes: Readonly<Record<string, string>>): ClusterRegistrationRequest => ({
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ClusterRegistrationRequest",
    metadata: { name: registrationRequestName(child.clusterId), annotations: notes },
    spec: { clusterId: child.clusterId, syncMode: "Pull" },
  });

  test("refuses a request in another's name, and one that approves itself", async () => {
    const child = await announceChild(parent, { name: "liar" });
    const bootstrap = parent.clientWith(child.token);
    const create = (notes: Readonly<Record<string, string>>): Promise<unknown> =>
      bootstrap.create(ClusterRegistrationRequest, requestOf(child, notes), parent.signal);
    await expect(create({ [annotations.requestedBy]: "system:bootstrap:someon" })).rejects.toThrow(
      /must be the name of the user/,
    );
    await expect(create({ [annotations.approved]: "true" })).rejects.toThrow(/may "approve"/);
  });

  test("lets nobody change who made a request, nor its spec", async () => {
    const child = await announceChild(parent, { name: "fixed" });
    const name = await ask(child);
    const patch = (body: object): Promise<unknown> =>
      parent.admin.patch(ClusterRegistrationRequest, { name }, { type: "merge", body }, parent.signal);
    await expect(patch({ metadata: { annotations: { [annotations.requestedBy]: "system:bootstrap:someon" } } })).rejects.toThrow(
      /cannot be changed/,
    );
    await expect(patch({ metadata: { annotations: { [annotations.requestedBy]: null } } })).rejects.toThrow(/cannot be changed/);
    await expect(patch({ spec: { clusterName: "other" } })).rejects.toThrow(/immutable/);
  });

  test("lets only those approve who may, though others may write requests", async () => {
    const rules = [
      { apiGroups: ["clusters.clusternet.io"], resources: ["clusterregistrationrequests"], verbs: ["get", "patch"] },
    ];
    const metadata = { name: "test-request-writer" };
    await parent.apply([
      { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules },
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRoleBinding",
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: metadata.name },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "writer" }],
      },
    ]);
    const child = await announceChild(parent, { name: "unapproved" });
    const name = await ask(child);
    const writer = await parent.clientAs("writer");
    const patch = (value: string): Promise<unknown> =>
      writer.patch(
        ClusterRegistrationRequest,
        { name },
        { type: "merge", body: { metadata: { annotations: { [annotations.approved]: value } } } },
        parent.signal,
      );
    await eventually("the role works", () => writer.get(ClusterRegistrationRequest, { name }, parent.signal));
    await expect(patch("true")).rejects.toThrow(/may "approve"/);
    await parent.apply([
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRole",
        metadata,
        rules: [...rules, { ...rules[0], verbs: ["approve"] }],
      },
    ]);
    await eventually("who may approve can", () =>
      patch("true").then(
        () => true,
        () => false,
      ),
    );
  });

  test("limits the controller-manager to tokens, Secrets and namespaces of children", async () => {
    const manager = await parent.clientAs(`system:serviceaccount:${SYSTEM}:${serviceAccounts.controllerManager}`, [
      "system:serviceaccounts",
    ]);
    const token = (namespace: string): Promise<unknown> =>
      manager.createToken({ namespace, name: "default" }, { expirationSeconds: 600 }, parent.signal);
    await announceChild(parent, { name: "dedicated" });
    await eventually("an account is there", () =>
      parent.admin.get(ServiceAccount, { namespace: "home-of-dedicated", name: "default" }, parent.signal),
    );
    expect(await token("home-of-dedicated")).toHaveProperty("token");
    for (const namespace of ["kube-system", "default", SYSTEM]) {
      await expect(token(namespace)).rejects.toThrow(/only in namespaces with the annotation/);
      const secret: Secret = {
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/service-account-token",
        metadata: { name: "stolen", namespace, annotations: { "kubernetes.io/service-account.name": "default" } },
      };
      await expect(manager.create(Secret, secret, parent.signal)).rejects.toThrow(/only in namespaces with the annotation/);
      await expect(manager.delete(Namespace, { name: namespace }, {}, parent.signal)).rejects.toThrow(/forbidden/);
    }
    await expect(manager.delete(Namespace, { name: "home-of-dedicated" }, {}, parent.signal)).rejects.toThrow(
      /may delete only namespaces/,
    );
    const mark = { metadata: { annotations: { [annotations.reservedFor]: "mine" } } };
    await expect(manager.patch(Namespace, { name: "kube-system" }, { type: "merge", body: mark }, parent.signal)).rejects.toThrow(
      /forbidden/,
    );
  });
});
