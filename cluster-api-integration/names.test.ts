// What a Cluster is called in the fleet: valid, unique and the same every time.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { clusterKeyOf, isMadeFor, nameCandidates } from "./names.ts";

const names = (key: string): string[] => nameCandidates(key).map(({ clusterName }) => clusterName);

test("the Cluster's own, else one with a hash of its namespace", () => {
  expect(names("default/oslo")[0]).toBe("oslo");
  expect(names("default/oslo")[1]).toMatch(/^oslo-[0-9a-f]{8}$/);
  expect(names("a/oslo")[1]).not.toBe(names("b/oslo")[1]);
});

test("everything that is made for it is named after it", () => {
  expect(nameCandidates("default/oslo")[0]).toEqual({
    clusterName: "oslo",
    namespace: "clusternet-oslo",
    grant: "clusternet-join-oslo",
    account: "clusternet-join-oslo",
  });
});

test.each(["system", "reserved", "joining", "mcs"])("never %s, whose namespace is ours", (name) => {
  expect(names(`default/${name}`)).toEqual([expect.stringMatching(new RegExp(`^${name}-[0-9a-f]{8}$`))]);
});

test("never one with a dot, which a Cluster's name may have and a namespace's may not", () => {
  expect(names("default/oslo.no")).toEqual([expect.stringMatching(/^oslo-no-[0-9a-f]{8}$/)]);
  expect(names("default/oslo.no")).not.toEqual(names("default/oslo-no").slice(1));
});

test("a name of 30 characters stays, a longer one is cut and gets a hash of the whole", () => {
  const thirty = "a".repeat(30);
  expect(names(`default/${thirty}`)[0]).toBe(thirty);
  const [long] = names(`default/${thirty}b`);
  expect(long).toMatch(/^a{21}-[0-9a-f]{8}$/);
  expect(names(`default/${thirty}c`)[0]).not.toBe(long);
});

test("whatever the Cluster is called, its namespace is one that Kubernetes takes, and the second candidate differs from the first", () => {
  const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
  fc.assert(
    fc.property(part, name, (namespace, cluster) => {
      const candidates = nameCandidates(`${namespace}/${cluster}`);
      for (const each of candidates) {
        expect(each.clusterName.length).toBeLessThanOrEqual(30);
        expect(each.namespace).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      }
      expect(new Set(candidates.map(({ grant }) => grant)).size).toBe(candidates.length);
      expect(candidates.length).toBeGreaterThan(0);
    }),
  );
});

test("a Cluster's key is its namespace and name", () => {
  expect(clusterKeyOf({ apiVersion: "v", kind: "Cluster", metadata: { namespace: "a", name: "b" } })).toBe("a/b");
});

test("belongs to a Cluster only what says so", () => {
  const made = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "x", annotations: { "clusters.clusternet.io/cluster-api-cluster": "a/b" } },
  };
  expect(isMadeFor("a/b", made)).toBe(true);
  expect(isMadeFor("a/c", made)).toBe(false);
  expect(isMadeFor("a/b", { ...made, metadata: { name: "x" } })).toBe(false);
});
