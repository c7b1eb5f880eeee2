// decideAccess: which identities of the parent enter the child, and as whom.
import { describe, expect, test } from "@jest/globals";
import { decideAccess, type CallerIdentity } from "./access-policy.ts";

const policy = { parentSystemNamespace: "clusternet-system", allowPush: false };

function aCaller(over: Partial<CallerIdentity> = {}): CallerIdentity {
  return { user: "ana", groups: [], extra: {}, ...over };
}

describe("decideAccess impersonates", () => {
  const cases: { it: string; caller: Partial<CallerIdentity>; headers: string[] }[] = [
    {
      it: "an ordinary user with groups in order",
      caller: { groups: ["dev", "system:authenticated"] },
      headers: ["impersonate-user", "ana", "impersonate-group", "dev", "impersonate-group", "system:authenticated"],
    },
    {
      it: "a group that holds a comma as one group",
      caller: { groups: ["a,system:masters", "b, c"] },
      headers: ["impersonate-user", "ana", "impersonate-group", "a,system:masters", "impersonate-group", "b, c"],
    },
    { it: "the uid", caller: { uid: "u-1" }, headers: ["impersonate-user", "ana", "impersonate-uid", "u-1"] },
    {
      it: "extra fields with escaped names, each value apart",
      caller: { extra: { "example.org/scopes": ["view", "edit,all"], "100%": ["x"] } },
      headers: [
        "impersonate-user",
        "ana",
        "impersonate-extra-example.org%2Fscopes",
        "view",
        "impersonate-extra-example.org%2Fscopes",
        "edit,all",
        "impersonate-extra-100%25",
        "x",
      ],
    },
    {
      it: "extra fields that speak of the parent's nodes under another name",
      caller: {
        extra: { "authentication.kubernetes.io/node-name": ["n1"], "authentication.kubernetes.io/credential-id": ["JTI=1"] },
      },
      headers: [
        "impersonate-user",
        "ana",
        "impersonate-extra-parent.clusternet.io%2Fnode-name",
        "n1",
        "impersonate-extra-authentication.kubernetes.io%2Fcredential-id",
        "JTI=1",
      ],
    },
    {
      it: "a ServiceAccount of the parent under a prefixed name",
      caller: {
        user: "system:serviceaccount:shop:deployer",
        groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
      },
      headers: [
        "impersonate-user",
        "clusternet:parent:serviceaccount:shop:deployer",
        "impersonate-group",
        "clusternet:parent:serviceaccounts",
        "impersonate-group",
        "clusternet:parent:serviceaccounts:shop",
        "impersonate-group",
        "system:authenticated",
      ],
    },
    { it: "a name outside ASCII as its UTF-8 bytes", caller: { user: "josé" }, headers: ["impersonate-user", "josÃ©"] },
  ];
  test.each(cases)("$it", ({ caller, headers }) => {
    expect(decideAccess({ identity: aCaller(caller) }, policy)).toEqual({ type: "impersonate", headers });
  });
});

describe("decideAccess refuses", () => {
  const cases: { it: string; caller: Partial<CallerIdentity>; says: RegExp }[] = [
    { it: "the anonymous user", caller: { user: "system:anonymous" }, says: /system:anonymous/ },
    { it: "users of the control plane", caller: { user: "system:kube-controller-manager" }, says: /belongs to the parent/ },
    { it: "the administrators' group", caller: { groups: ["dev", "system:masters"] }, says: /system:masters/ },
    { it: "kubeadm's administrators", caller: { groups: ["kubeadm:cluster-admins"] }, says: /kubeadm:cluster-admins/ },
    { it: "a kubeadm user", caller: { user: "kubeadm:x" }, says: /kubeadm:x/ },
    { it: "nodes", caller: { user: "system:node:n1", groups: ["system:nodes"] }, says: /system:node:n1/ },
    {
      it: "a ServiceAccounts' group on a user that is none",
      caller: { groups: ["system:serviceaccounts"] },
      says: /system:serviceaccounts/,
    },
    {
      it: "a ServiceAccount that also claims the administrators' group",
      caller: { user: "system:serviceaccount:a:b", groups: ["system:masters"] },
      says: /system:masters/,
    },
    { it: "a user that imitates a mapped account", caller: { user: "clusternet:parent:serviceaccount:a:b" }, says: /reserved/ },
    { it: "a group that imitates a mapped one", caller: { groups: ["clusternet:parent:serviceaccounts"] }, says: /reserved/ },
    { it: "an empty user", caller: { user: "" }, says: /no user/ },
    { it: "an empty group", caller: { groups: [""] }, says: /not a usable name/ },
    {
      it: "a name that would end a header",
      caller: { user: "a\r\nimpersonate-group: system:masters" },
      says: /not a usable name/,
    },
    { it: "a group that would end a header", caller: { groups: ["a\nb"] }, says: /not a usable name/ },
    { it: "an extra value that would end a header", caller: { extra: { k: ["a\r\nb"] } }, says: /control character/ },
    {
      it: "the parent's controller-manager without --allow-push",
      caller: { user: "system:serviceaccount:clusternet-system:clusternet-controller-manager" },
      says: /--allow-push/,
    },
  ];
  test.each(cases)("$it", ({ caller, says }) => {
    const decision = decideAccess({ identity: aCaller(caller) }, policy);
    expect(decision).toMatchObject({ type: "refuse", reason: expect.stringMatching(says) });
  });
});

describe("decideAccess", () => {
  const pushing = { ...policy, allowPush: true };

  test("maps the parent's controller-manager to the deployer where Push is allowed", () => {
    const identity = aCaller({
      user: "system:serviceaccount:clusternet-system:clusternet-controller-manager",
      groups: ["system:serviceaccounts"],
    });
    expect(decideAccess({ identity }, pushing)).toEqual({ type: "deployer" });
  });

  test.each([
    "system:serviceaccount:other:clusternet-controller-manager",
    "system:serviceaccount:clusternet-system:clusternet-controller-manager2",
  ])("does not take %s for it", (user) => {
    expect(decideAccess({ identity: aCaller({ user }) }, pushing)).toMatchObject({ type: "impersonate" });
  });

  test("uses a credential that the user brought, whoever the user is at the parent", () => {
    const identity = aCaller({ user: "system:anonymous", groups: ["system:masters"] });
    expect(decideAccess({ identity, credential: "Bearer abc" }, policy)).toEqual({
      type: "credential",
      authorization: "Bearer abc",
    });
  });

  test("refuses a credential that would end a header", () => {
    expect(decideAccess({ identity: aCaller(), credential: "Bearer a\r\nx: y" }, policy)).toMatchObject({ type: "refuse" });
  });
});
