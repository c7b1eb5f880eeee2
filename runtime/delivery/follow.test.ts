// What is taken along with a workload, what is said to be missing, and what is never let go by mistake.

import { describe, expect, test } from "@jest/globals";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { feedText, identityOf } from "./feeds.ts";
import { findDependencies, followedIn, missingText, type Dependencies, type DependencyView } from "./follow.ts";
import type { JsonObject } from "./json.ts";

const a = (kind: string, name: string, content: JsonObject = {}): JsonObject => ({
  apiVersion: kind === "Deployment" ? "apps/v1" : "v1",
  kind,
  metadata: { namespace: "shop", name },
  ...content,
});
const settings = a("ConfigMap", "settings");
const account = a("ServiceAccount", "runner", { imagePullSecrets: [{ name: "registry" }] });
const registry = a("Secret", "registry");
const pod = { serviceAccountName: "runner", containers: [{ envFrom: [{ configMapRef: { name: "settings" } }] }] };
const web = a("Deployment", "web", { spec: { template: { spec: pod } } });

const feedOf = (object: JsonObject): Feed => identityOf(object)!;
const found = (
  feeds: readonly JsonObject[],
  templates: readonly JsonObject[],
  { mode = "Follow", others = [] }: { readonly mode?: DependencyView["mode"]; readonly others?: readonly string[] } = {},
): Dependencies =>
  findDependencies(feeds.map(feedOf), {
    mode,
    resolve: (feed) => {
      const template = templates.find((each) => feedText(feedOf(each)) === feedText(feed));
      if (template !== undefined) return { feed, found: true, template, identity: feedOf(template) };
      return { feed, found: false, reason: "FeedMissing", message: "there is no Manifest" };
    },
    isOthers: (feed) => others.includes(feed.name),
  });
const texts = (feeds: readonly Feed[]): readonly string[] => feeds.map(feedText);

describe("findDependencies", () => {
  test("takes along what has a template, and what that needs in turn", () => {
    const { followed, missing } = found([web], [web, settings, account, registry]);
    expect(texts(followed)).toEqual(["ServiceAccount shop/runner", "ConfigMap shop/settings", "Secret shop/registry"]);
    expect(missing).toEqual([]);
  });

  test("what is among the feeds is not taken along once more", () => {
    expect(texts(found([web, settings], [web, settings, account, registry]).followed)).not.toContain("ConfigMap shop/settings");
  });

  test("says what has no template: who needs it, what, and what to do", () => {
    const { followed, missing } = found([web], [web, account, registry]);
    expect(texts(followed)).toEqual(["ServiceAccount shop/runner", "Secret shop/registry"]);
    expect(missingText(missing)).toBe(
      "Deployment shop/web needs ConfigMap shop/settings, which has no template on the parent: make one, or mark the reference as optional",
    );
  });

  test("Report takes nothing along, and says what could be", () => {
    const { followed, missing } = found([web], [web, settings], { mode: "Report", others: ["runner"] });
    expect(followed).toEqual([]);
    expect(missingText(missing)).toBe(
      "Deployment shop/web needs ConfigMap shop/settings, which has a template and is not among the feeds: add it, or set spec.delivery.dependencies to Follow",
    );
  });

  test("Ignore does not look", () => {
    expect(found([web], [web], { mode: "Ignore" })).toEqual({ needed: [], followed: [], missing: [], isComplete: true });
  });
});

describe("followedIn", () => {
  const nobody = (): boolean => false;
  const kept = (dependencies: Dependencies, current: readonly JsonObject[], isTaken: (feed: Feed) => boolean = nobody) =>
    texts(followedIn({ dependencies, feeds: [feedOf(web)], current: current.map(feedOf), isTaken }));
  const all = [web, settings, account, registry];

  test("what no feed needs any more is let go", () => {
    const plain = a("Deployment", "web", { spec: { template: { spec: {} } } });
    expect(kept(found([plain], [plain, settings]), all)).toEqual([]);
  });

  test("what is needed stays, also when its template was lost", () => {
    expect(kept(found([web], [web, account, registry]), all)).toContain("ConfigMap shop/settings");
  });

  test("nothing is let go while a feed cannot be looked at; other kinds were feeds, and go", () => {
    const current = [...all, a("Service", "web")];
    expect(kept(found([web], []), current)).toEqual([
      "ConfigMap shop/settings",
      "ServiceAccount shop/runner",
      "Secret shop/registry",
    ]);
  });

  test("what another Subscription delivers to the cluster is left to it", () => {
    expect(kept(found([web], all), [], ({ name }) => name === "settings")).not.toContain("ConfigMap shop/settings");
  });
});
