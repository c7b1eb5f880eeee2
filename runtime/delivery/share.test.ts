// A cluster's share of the replicas is written into the object last, and an object that cannot take it is not delivered with all of them.

import { expect, test } from "@jest/globals";
import { decodeRaw, render, renderTrigger, type RenderInput } from "./render.ts";

const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
const template = { ...feed, metadata: { namespace: "shop", name: "web" }, spec: { replicas: 10, paused: true } };
const share = { feed: "apps/v1/Deployment/shop/web", replicas: 3, path: "/spec/replicas" };
const input = (shares: RenderInput["shares"] = [], object: object = template): RenderInput => ({
  feeds: [{ feed, found: true, template: object as Readonly<Record<string, unknown>>, identity: feed }],
  overrides: [],
  shares,
  previous: [],
  cluster: "paris",
});
const specOf = (rendered: ReturnType<typeof render>): unknown => decodeRaw(rendered.objects[0]?.text ?? "")?.["spec"];

test("an object has the cluster's share, zero included, and everything else as it was", () => {
  expect(specOf(render(input([share])))).toEqual({ replicas: 3, paused: true });
  expect(specOf(render(input([{ ...share, replicas: 0 }])))).toEqual({ replicas: 0, paused: true });
  expect(specOf(render(input()))).toEqual({ replicas: 10, paused: true });
  const absent = { ...template, spec: { paused: true } };
  expect(specOf(render(input([share], absent)))).toEqual({ replicas: 3, paused: true });
});

test("a share of a feed that was named without its namespace is found", () => {
  const { namespace: _any, ...short } = feed;
  const named = { ...input([{ ...share, feed: "apps/v1/Deployment/web" }]) };
  const feeds = named.feeds.map((resolved) => ({ ...resolved, feed: short }));
  expect(specOf(render({ ...named, feeds }))).toEqual({ replicas: 3, paused: true });
});

test.each([
  ["nobody knows which field holds its replicas", undefined],
  ["/spec/pool does not exist", "/spec/pool/size"],
  ["/metadata/name is no field for a number of replicas", "/metadata/name"],
  ["/__proto__ does not exist", "/__proto__/replicas"],
])("what cannot take its share is not delivered, and says why: %s", (reason, path) => {
  const { path: _known, ...rest } = share;
  const { objects, problems } = render(input([path === undefined ? rest : { ...rest, path }]));
  expect(objects).toEqual([]);
  expect(problems).toMatchObject([{ reason: "ShareFailed" }]);
  expect(problems[0]?.message).toContain(path?.includes("proto") === true ? "/__proto__/replicas" : reason);
});

test("another share renders anew, and nothing that is not divided is rendered again because of it", () => {
  const trigger = (shares?: RenderInput["shares"]): string => renderTrigger(input(shares));
  expect(trigger([share])).not.toBe(trigger([{ ...share, replicas: 4 }]));
  expect(trigger([])).toBe(renderTrigger({ feeds: input().feeds, overrides: [] }));
});
