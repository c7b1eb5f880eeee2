// decideRegistration: who may join, as what, and what a request is told when it may not.
import { describe, expect, test } from "@jest/globals";
import type { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { managedClusterName, registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, labels } from "#api/names.ts";
import type { Namespace } from "#kube/builtin-kinds.ts";
import { parseJoinGrant, type ParsedGrant } from "./join-grant.ts";
import {
  decideRegistration,
  DEREGISTERED,
  type RegistrationDecision,
  type RegistrationFacts,
  type RegistrationRules,
} from "./plan.ts";

const ID = "11111111-2222-3333-4444-555555555555";
const OTHER_ID = "99999999-2222-3333-4444-555555555555";
const USER = "system:bootstrap:abcdef";
const KEY = "a".repeat(64);
const NEW_KEY = "b".repeat(64);
const RULES: RegistrationRules = { autoApprove: true, upstreamAgents: false };

type RequestShape = Partial<ClusterRegistrationRequest["spec"]> & {
  readonly name?: string;
  readonly created?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status?: ClusterRegistrationRequest["status"];
};

function aRequest({
  name,
  created = "2026-01-01T00:00:00Z",
  annotations: notes,
  status,
  ...spec
}: RequestShape = {}): ClusterRegistrationRequest {
  return {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ClusterRegistrationRequest",
    metadata: {
      name: name ?? registrationRequestName(spec.clusterId ?? ID),
      creationTimestamp: created,
      annotations: { [annotations.requestedBy]: USER, ...notes },
    },
    spec: { clusterId: ID, clusterName: "paris", syncMode: "Pull", ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

function aGrant(data: Readonly<Record<string, string>> = {}, deletionTimestamp?: string): ParsedGrant {
  return parseJoinGrant({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "join-paris",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    data: { username: USER, clusterName: "paris", clusterNamespace: "paris-home", clusterLabels: '{"env":"prod"}', ...data },
  });
}

function aCluster({
  id = ID,
  name = "paris",
  namespace = "paris-home",
  key = KEY,
  deletionTimestamp,
}: {
  readonly id?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly key?: string;
  readonly deletionTimestamp?: string;
} = {}): ManagedCluster {
  return {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: {
      name,
      namespace,
      annotations: { [annotations.agentKey]: key },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: { clusterId: id, syncMode: "Pull" },
  };
}

function aNamespace(name = "paris-home", reservedFor: string | null = "paris"): Namespace {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      ...(reservedFor === null ? {} : { annotations: { [annotations.reservedFor]: reservedFor } }),
    },
  };
}

type Situation = Partial<Omit<RegistrationFacts, "namespace" | "key">> & {
  readonly namespaces?: readonly Namespace[];
  readonly key?: RegistrationFacts["key"] | "none";
  readonly rules?: Partial<RegistrationRules>;
};

function decide({ namespaces = [aNamespace()], key = { fingerprint: KEY }, rules, ...facts }: Situation): RegistrationDecision {
  return decideRegistration(
    {
      request: aRequest(),
      grants: [aGrant()],
      rivals: [],
      clusters: [],
      nowMs: Date.parse("2026-01-01T10:00:00Z"),
      ...(key === "none" ? {} : { key }),
      namespace: (name) => namespaces.find(({ metadata }) => metadata.name === name),
      ...facts,
    },
    { ...RULES, ...rules },
  );
}

const APPROVED_BY_HAND = { [annotations.approved]: "true" };
const newKeyRequest = (shape: RequestShape = {}): Situation => ({
  request: aRequest({ name: registrationRequestName(ID, NEW_KEY), created: "2026-02-01T00:00:00Z", ...shape }),
  key: { fingerprint: NEW_KEY },
  clusters: [aCluster()],
  rivals: [aRequest({ status: { result: "Approved" } })],
});

describe("a request is approved", () => {
  const cases: readonly { it: string; situation: Situation; child: object }[] = [
    {
      it: "under a join grant, as the grant says",
      situation: {},
      child: {
        clusterName: "paris",
        namespace: "paris-home",
        ownsNamespace: false,
        labels: { env: "prod" },
        grantName: "join-paris",
        replacesKey: false,
      },
    },
    {
      it: "without a name of its own, with the grant's",
      situation: { request: aRequest({ clusterName: undefined as never }) },
      child: { clusterName: "paris" },
    },
    {
      it: "with a namespace that we make when the grant names none",
      situation: { grants: [aGrant({ clusterNamespace: "" })], namespaces: [] },
      child: { namespace: expect.stringMatching(/^clusternet-[0-9a-f]{8}$/), ownsNamespace: true },
    },
    {
      it: "by hand when nobody granted it, with what it asks for",
      situation: {
        grants: [],
        namespaces: [],
        request: aRequest({ clusterLabels: { tier: "edge" }, annotations: APPROVED_BY_HAND }),
      },
      child: { clusterName: "paris", labels: { tier: "edge" }, ownsNamespace: true },
    },
    {
      it: "by hand when approval is not automatic",
      situation: { rules: { autoApprove: false }, request: aRequest({ annotations: APPROVED_BY_HAND }) },
      child: { clusterName: "paris" },
    },
    {
      it: "with a short name for a long one, the same for everyone who computes it",
      situation: {
        request: aRequest({ clusterName: managedClusterName("a-very-long-name-from-cluster-api-indeed") }),
        grants: [aGrant({ clusterName: "a-very-long-name-from-cluster-api-indeed" })],
        namespaces: [aNamespace("paris-home", "a-very-long-name-from-cluster-api-indeed")],
      },
      child: {
        clusterName: managedClusterName("a-very-long-name-from-cluster-api-indeed"),
        originalName: "a-very-long-name-from-cluster-api-indeed",
      },
    },
    {
      it: "again after its agent was installed anew with the same key",
      situation: { clusters: [aCluster()] },
      child: { clusterName: "paris", replacesKey: false },
    },
    {
      it: "with another key when an administrator said so, and the old key dies",
      situation: newKeyRequest({ annotations: APPROVED_BY_HAND }),
      child: { clusterName: "paris", replacesKey: true, keyFingerprint: NEW_KEY },
    },
    {
      it: "still, when the grant changes later: the grant decides about labels and mode",
      situation: {
        request: aRequest({ clusterLabels: { env: "prod" }, status: { result: "Approved" } }),
        grants: [aGrant({ clusterLabels: '{"env":"test"}', syncModes: "Push", clusterName: "oslo" })],
        clusters: [aCluster()],
      },
      child: { clusterName: "paris", namespace: "paris-home", labels: { env: "test" }, syncMode: "Push" },
    },
    {
      it: "of an upstream agent, where these are served",
      situation: { key: "none", rules: { upstreamAgents: true } },
      child: { clusterName: "paris" },
    },
  ];
  test.each(cases)("$it", ({ situation, child }) => {
    expect(decide(situation)).toMatchObject({ type: "approve", child });
  });
});

describe("a request is refused or waits, and is told why", () => {
  const cases: readonly { it: string; situation: Situation; type: "refuse" | "wait"; reason: string; says: RegExp }[] = [
    {
      it: "its name is not its id's",
      situation: { request: aRequest({ name: "clusternet-x" }) },
      type: "refuse",
      reason: "ClusterIdMismatch",
      says: /must be named clusternet-1111/,
    },
    {
      it: "its key is damaged",
      situation: { key: { problem: "Key is not a point on P-256" } },
      type: "refuse",
      reason: "PublicKeyInvalid",
      says: /P-256/,
    },
    {
      it: "it has no key",
      situation: { key: "none" },
      type: "refuse",
      reason: "UpstreamAgentsNotServed",
      says: /--upstream-agents/,
    },
    {
      it: "an administrator said no",
      situation: { request: aRequest({ annotations: { [annotations.approved]: "false" } }) },
      type: "refuse",
      reason: "DeniedByAdministrator",
      says: /administrator/,
    },
    {
      it: "its cluster was deregistered",
      situation: {
        request: aRequest({
          status: {
            conditions: [
              { type: DEREGISTERED, status: "True", reason: "R", message: "gone", lastTransitionTime: "2026-01-01T00:00:00Z" },
            ],
          },
        }),
      },
      type: "refuse",
      reason: "ClusterDeregistered",
      says: /gone/,
    },
    {
      it: "it asks for another name",
      situation: { request: aRequest({ clusterName: "oslo" }) },
      type: "refuse",
      reason: "NameOutsideGrant",
      says: /for cluster paris, not oslo/,
    },
    {
      it: "it asks for another namespace",
      situation: { request: aRequest({ clusterNamespace: "kube-system" }) },
      type: "refuse",
      reason: "NamespaceOutsideGrant",
      says: /paris-home, not kube-system/,
    },
    {
      it: "it claims a label that was not granted",
      situation: { request: aRequest({ clusterLabels: { env: "prod", admin: "yes" } }) },
      type: "refuse",
      reason: "LabelsOutsideGrant",
      says: /admin=yes/,
    },
    {
      it: "it claims another value of a granted label",
      situation: { request: aRequest({ clusterLabels: { env: "test" } }) },
      type: "refuse",
      reason: "LabelsOutsideGrant",
      says: /env=test/,
    },
    {
      it: "it claims a label of the system",
      situation: { request: aRequest({ clusterLabels: { [labels.clusterId]: OTHER_ID } }) },
      type: "refuse",
      reason: "ReservedLabel",
      says: /cluster-id/,
    },
    {
      it: "it wants a mode that was not granted",
      situation: { request: aRequest({ syncMode: "Push" }), grants: [aGrant({ syncModes: "Pull,Dual" })] },
      type: "refuse",
      reason: "SyncModeOutsideGrant",
      says: /Pull and Dual, not Push/,
    },
    {
      it: "its name belongs to another cluster",
      situation: { clusters: [aCluster({ id: OTHER_ID, namespace: "elsewhere" })] },
      type: "refuse",
      reason: "ClusterNameTaken",
      says: /belongs to cluster id 9999/,
    },
    {
      it: "its id is registered as another cluster",
      situation: { clusters: [aCluster({ name: "oslo", namespace: "oslo-home" })] },
      type: "refuse",
      reason: "ClusterIdTaken",
      says: /oslo-home\/oslo/,
    },
    {
      it: "its namespace has no marker",
      situation: { namespaces: [aNamespace("paris-home", null)] },
      type: "refuse",
      reason: "NamespaceNotReserved",
      says: /has no annotation/,
    },
    {
      it: "its namespace is for another cluster",
      situation: { namespaces: [aNamespace("paris-home", "oslo")] },
      type: "refuse",
      reason: "NamespaceNotReserved",
      says: /"oslo"/,
    },
    {
      it: "another key took its cluster over",
      situation: { request: aRequest({ status: { result: "Approved" } }), clusters: [aCluster({ key: NEW_KEY })] },
      type: "refuse",
      reason: "Superseded",
      says: /no longer work/,
    },
    {
      it: "a newer request with another key was approved by hand, though it was once as well",
      situation: {
        request: aRequest({ annotations: APPROVED_BY_HAND }),
        clusters: [aCluster({ key: NEW_KEY })],
        rivals: [
          aRequest({
            name: registrationRequestName(ID, NEW_KEY),
            created: "2026-02-01T00:00:00Z",
            annotations: APPROVED_BY_HAND,
          }),
        ],
      },
      type: "refuse",
      reason: "Superseded",
      says: /clusternet-1111.*-bbbbbbbb/,
    },
    {
      it: "a known cluster comes with another key",
      situation: newKeyRequest(),
      type: "wait",
      reason: "NewKeyForKnownCluster",
      says: /installed anew.*kubectl annotate.*two clusters have one id/,
    },
    {
      it: "an upstream agent comes with the id of a known cluster",
      situation: { key: "none", rules: { upstreamAgents: true }, clusters: [aCluster()] },
      type: "wait",
      reason: "NewKeyForKnownCluster",
      says: /another key/,
    },
    {
      it: "nobody granted it",
      situation: { grants: [] },
      type: "wait",
      reason: "NoJoinGrant",
      says: /No join grant names system:bootstrap:abcdef.*kubectl annotate clsrr/,
    },
    {
      it: "it does not say who made it",
      situation: { grants: [], request: aRequest({ annotations: { [annotations.requestedBy]: "" } }) },
      type: "wait",
      reason: "CreatorUnknown",
      says: /does not say who/,
    },
    {
      it: "approval is not automatic",
      situation: { rules: { autoApprove: false } },
      type: "wait",
      reason: "ApprovalRequired",
      says: /join-paris fits/,
    },
    {
      it: "two grants name its user",
      situation: { grants: [aGrant(), aGrant()] },
      type: "wait",
      reason: "GrantAmbiguous",
      says: /2 join grants/,
    },
    {
      it: "its grant is damaged",
      situation: { grants: [aGrant({ clusterLabels: "env=prod" })] },
      type: "wait",
      reason: "GrantInvalid",
      says: /clusterLabels: Expected a JSON object/,
    },
    {
      it: "its grant lasts for no time that anybody could read",
      situation: { grants: [aGrant({ validFor: "a day" })] },
      type: "wait",
      reason: "GrantInvalid",
      says: /validFor: Expected a duration such as 20s or 3m0s, got "a day"/,
    },
    {
      it: "its grant was for the first ten hours, which are over",
      situation: { grants: [aGrant({ validFor: "10h" })] },
      type: "wait",
      reason: "GrantExpired",
      says: /join-paris has expired/,
    },
    {
      it: "its grant is being removed",
      situation: { grants: [aGrant({}, "2026-01-01T00:00:00Z")] },
      type: "wait",
      reason: "GrantBeingRemoved",
      says: /being removed/,
    },
    {
      it: "the granted namespace is not there yet",
      situation: { namespaces: [] },
      type: "wait",
      reason: "NamespaceMissing",
      says: /paris-home does not exist/,
    },
    {
      it: "its cluster is being removed",
      situation: { clusters: [aCluster({ deletionTimestamp: "2026-01-01T00:00:00Z" })] },
      type: "wait",
      reason: "ClusterBeingRemoved",
      says: /being removed/,
    },
  ];
  test.each(cases)("$type $reason: $it", ({ situation, type, reason, says }) => {
    const decision = decide(situation);
    expect(decision).toMatchObject({ type, reason });
    expect("message" in decision ? decision.message : "").toMatch(says);
  });
});

describe("A grant that has an end", () => {
  const expired = aGrant({ validFor: "1h" });
  test("lets in until then", () => {
    expect(decide({ grants: [aGrant({ validFor: "10h1ms" })] })).toMatchObject({ type: "approve" });
  });

  test("keeps who is in, whose labels and mode it goes on deciding", () => {
    const request = aRequest({ status: { result: "Approved" } });
    expect(decide({ request, clusters: [aCluster()], grants: [expired] })).toMatchObject({
      type: "approve",
      child: { labels: { env: "prod" }, grantName: "join-paris" },
    });
  });

  test("does not bind an administrator, and still says what the cluster may be", () => {
    const byHand = { annotations: APPROVED_BY_HAND };
    expect(decide({ request: aRequest(byHand), grants: [expired] })).toMatchObject({ type: "approve" });
    expect(decide({ request: aRequest({ ...byHand, clusterName: "oslo" }), grants: [expired] })).toMatchObject({
      reason: "NameOutsideGrant",
    });
  });
});

test("an administrator's approval never widens a grant", () => {
  expect(decide({ request: aRequest({ clusterName: "oslo", annotations: APPROVED_BY_HAND }) })).toMatchObject({
    reason: "NameOutsideGrant",
  });
});
