import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { bootstrapTokenId, bootstrapTokenSecret } from "./bootstrap-token.ts";

const secret = fc.string({ minLength: 16, maxLength: 40 });
const identity = fc.record({ fleet: fc.string({ minLength: 1 }), clusterName: fc.string({ minLength: 1 }) });

test("is the same every time, and of the form that Kubernetes reads", () => {
  fc.assert(
    fc.property(secret, identity, (root, of) => {
      expect(bootstrapTokenId(of)).toMatch(/^[a-z0-9]{6}$/);
      expect(bootstrapTokenSecret(root, of)).toMatch(/^[a-z0-9]{16}$/);
      expect(bootstrapTokenSecret(root, of)).toBe(bootstrapTokenSecret(root, { ...of }));
    }),
  );
});

test("differs between children, fleets and secrets, and the public id says nothing of the secret", () => {
  const root = "0123456789abcdef";
  const of = { fleet: "f", clusterName: "paris" };
  const secrets = [
    bootstrapTokenSecret(root, of),
    bootstrapTokenSecret(root, { ...of, clusterName: "oslo" }),
    bootstrapTokenSecret(root, { ...of, fleet: "g" }),
    bootstrapTokenSecret(`${root}!`, of),
    // The separator is no part of a name: moving it makes another token.
    bootstrapTokenSecret(root, { fleet: "fp", clusterName: "aris" }),
  ];
  expect(new Set(secrets).size).toBe(secrets.length);
  expect(bootstrapTokenId(of)).not.toBe(bootstrapTokenId({ ...of, fleet: "g" }));
});

test("refuses a root that could be guessed", () => {
  expect(() => bootstrapTokenSecret("short", { fleet: "f", clusterName: "c" })).toThrow(/at least 16 characters, got 5/);
});
