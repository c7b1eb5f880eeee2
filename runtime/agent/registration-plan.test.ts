// planRegistrationStep: what the agent reads in its request -> what it does next.
import { describe, expect, test } from "@jest/globals";
import type { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { managedClusterName, registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { newRequest, planRegistrationStep } from "./registration-plan.ts";
import { renewInMs, tokenLifetimeMs } from "./token-lifetime.ts";

const ID = "11111111-2222-3333-4444-555555555555";
const OURS = "a".repeat(64);
const FIRST = registrationRequestName(ID);
const SECOND = registrationRequestName(ID, OURS);

const aRequest = (status: ClusterRegistrationRequest["status"] = {}): ClusterRegistrationRequest => ({
  apiVersion: "clusters.clusternet.io/v1beta1",
  kind: "ClusterRegistrationRequest",
  metadata: { name: FIRST },
  spec: { clusterId: ID, syncMode: "Pull" },
  status,
});
const approved = { result: "Approved", sealedToken: "s", dedicatedNamespace: "ns", managedClusterName: "paris" };

describe("planRegistrationStep", () => {
  const cases = [
    { it: "asks when nobody did", name: FIRST, request: undefined, key: undefined, step: { type: "create", name: FIRST } },
    {
      it: "opens the token of its own request",
      name: FIRST,
      request: aRequest(approved),
      key: OURS,
      step: { type: "open", sealedToken: "s", namespace: "ns", clusterName: "paris" },
    },
    {
      it: "leaves another key's request alone and asks with its own",
      name: FIRST,
      request: aRequest(approved),
      key: "b".repeat(64),
      step: { type: "look", name: SECOND },
    },
    {
      it: "leaves a request without a key alone",
      name: FIRST,
      request: aRequest(approved),
      key: undefined,
      step: { type: "look", name: SECOND },
    },
    {
      it: "stops when even its own name is taken",
      name: SECOND,
      request: aRequest(approved),
      key: "b".repeat(64),
      step: { type: "denied" },
    },
    {
      it: "waits for an answer",
      name: FIRST,
      request: aRequest(),
      key: OURS,
      step: { type: "wait", message: "Not looked at yet" },
    },
    {
      it: "passes on what is waited for",
      name: FIRST,
      request: aRequest({ errorMessage: "No join grant" }),
      key: OURS,
      step: { type: "wait", message: "No join grant" },
    },
    {
      it: "passes on why it was denied",
      name: FIRST,
      request: aRequest({ result: "Denied", errorMessage: "Name taken" }),
      key: OURS,
      step: { type: "denied", message: "Name taken" },
    },
    {
      it: "never opens the token of a denied request",
      name: FIRST,
      request: aRequest({ ...approved, result: "Denied" }),
      key: OURS,
      step: { type: "denied" },
    },
    { it: "waits for a token", name: FIRST, request: aRequest({ result: "Approved" }), key: OURS, step: { type: "wait" } },
  ];
  test.each(cases)("$it", ({ name, request, key, step }) => {
    expect(planRegistrationStep({ clusterId: ID, fingerprint: OURS, name, request, fingerprintOfRequest: key })).toMatchObject(
      step,
    );
  });
});

test("a request asks for what the options say, with a short name for a long one", () => {
  const long = "a-very-long-name-from-cluster-api-indeed";
  const options = {
    clusterRegName: long,
    clusterRegNamePrefix: "",
    clusterRegNamespace: "",
    clusterRegType: "StandardCluster",
    clusterLabels: { env: "prod" },
    clusterSyncMode: "Dual",
  } as const;
  const request = newRequest({ name: FIRST, clusterId: ID, publicKey: "{}", username: "system:bootstrap:abcdef" }, options);
  expect(request.spec).toEqual({
    clusterId: ID,
    clusterType: "StandardCluster",
    clusterName: managedClusterName(long),
    clusterLabels: { env: "prod" },
    syncMode: "Dual",
    publicKey: "{}",
  });
  expect(managedClusterName(long)).toMatch(/^a-very-long-name-from-[0-9a-f]{8}$/);
  expect(request.metadata.annotations).toEqual({
    "clusters.clusternet.io/requested-by": "system:bootstrap:abcdef",
    "clusters.clusternet.io/original-name": long,
  });
});

const jwt = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

describe("a token", () => {
  test("is renewed at half of its life, by the age that we measured", () => {
    const token = jwt({ iat: 1_000_000, exp: 1_000_000 + 86_400 });
    expect(tokenLifetimeMs(token)).toBe(86_400_000);
    expect(renewInMs(token, { ageMs: 0 })).toBe(43_200_000);
    expect(renewInMs(token, { ageMs: 43_200_000 })).toBe(0);
    expect(renewInMs(token, { ageMs: 999_999_999 })).toBe(0);
  });
  test("is renewed at once when our clock was set back: its age is unknown", () => {
    expect(renewInMs(jwt({ iat: 0, exp: 3_600 }), { ageMs: -1 })).toBe(0);
  });
  test("that does not say how long it lives is taken for an hour", () => {
    expect(tokenLifetimeMs("abcdef.0123456789abcdef")).toBe(3_600_000);
    expect(tokenLifetimeMs(jwt({ iat: 5, exp: 5 }))).toBe(3_600_000);
  });
});
