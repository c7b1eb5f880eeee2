// OwnWrites: what we wrote counts until the cache shows it.
import { expect, test } from "@jest/globals";
import type { Client } from "./client.ts";
import type { Informer } from "./informer.ts";
import { OwnWrites, seeingOwnWrites } from "./own-writes.ts";

const version = (resourceVersion: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: "web", uid: "u", resourceVersion },
});
const key = "shop/web";

test("what was written counts while the cache shows what it replaced", () => {
  const own = new OwnWrites();
  expect(own.latest(key, version("1"))).toEqual(version("1"));
  own.note("1", version("2"));
  own.note("2", version("3"));
  for (const stale of ["1", "2"]) expect(own.latest(key, version(stale))).toEqual(version("3"));
});

test("the cache counts again once it has caught up, or somebody else wrote since", () => {
  for (const seen of ["3", "4"]) {
    const own = new OwnWrites();
    own.note("1", version("3"));
    expect(own.latest(key, version(seen))).toEqual(version(seen));
    // For good: a version is never used twice.
    expect(own.latest(key, version("1"))).toEqual(version("1"));
  }
});

test("an object that is gone is gone, and a write that changed nothing is none", () => {
  const own = new OwnWrites();
  own.note("1", version("2"));
  expect(own.latest(key, undefined)).toBeUndefined();
  own.note("2", version("2"));
  expect(own.latest(key, version("2"))).toEqual(version("2"));
});

test("a controller that sees its own writes does not meet an object that it has already changed", async () => {
  const type = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", scope: "Namespaced" } as const;
  const cached = new Map([[key, version("1")]]);
  const answers = ["2", "3", "4"];
  const sight = seeingOwnWrites({
    client: { patch: () => Promise.resolve(version(answers.shift()!)) } as unknown as Client,
    informer: { type, get: (name: string) => cached.get(name) } as unknown as Informer<ReturnType<typeof version>>,
  });
  const { signal } = new AbortController();
  const patch = (body: object, of: typeof type | { plural: string } = type): Promise<unknown> =>
    sight.client.patch({ ...type, ...of }, { name: "web" }, { type: "merge", body }, signal);
  await patch({ metadata: { resourceVersion: "1" }, status: {} });
  expect(sight.informer.get(key)).toEqual(version("2"));
  // Without a version nothing is known of what was replaced, and another kind is another object.
  await patch({ status: {} });
  await patch({ metadata: { resourceVersion: "1" } }, { plural: "secrets" });
  expect(sight.informer.get(key)).toEqual(version("2"));
  cached.set(key, version("5"));
  expect(sight.informer.get(key)).toEqual(version("5"));
});
