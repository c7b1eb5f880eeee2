// What is taken along with a workload, what is said to be missing, and what is never let go by mistake.

import { describe, expect, test } from "@jest/globals";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { feedText, identityOf } from "./feeds.ts";
import { dependenciesOf } from "./dependencies.ts";
import {
  findDependencies,
  followedIn,
  missingIn,
  missingText,
  type ClusterDependencies,
  type Dependencies,
  type DependencyView,
} from "./follow.ts";
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
  { mode = "Follow", broken = [] }: { readonly mode?: DependencyView["mode"]; readonly broken?: readonly string[] } = {},
): Dependencies =>
  findDependencies(feeds.map(feedOf), {
    mode,
    resolve: (feed) => {
      const template = templates.find((each) => feedText(feedOf(each)) === feedText(feed));
      if (template !== undefined) return { feed, found: true, template, identity: feedOf(template) };
      return { feed, found: false, reason: "FeedMissing", message: "there is no Manifest" };
    },
    needsOf: ({ template }) => (broken.includes(feedOf(template).name) ? undefined : dependenciesOf(template)),
  });
const saying = (dependencies: Dependencies, others: readonly string[] = []): string =>
  missingText(missingIn([{ name: "paris", dependencies, isOthers: ({ name }) => others.includes(name) }]), 1);
const texts = (feeds: readonly Feed[]): readonly string[] => feeds.map(feedText);

describe("findDependencies", () => {
  test("takes along what has a template, and what that needs in turn", () => {
    const { followed, unfollowed } = found([web], [web, settings, account, registry]);
    expect(texts(followed)).toEqual(["ServiceAccount shop/runner", "ConfigMap shop/settings", "Secret shop/registry"]);
    expect(unfollowed).toEqual([]);
  });

  test("what is among the feeds is not taken along once more", () => {
    expect(texts(found([web, settings], [web, settings, account, registry]).followed)).not.toContain("ConfigMap shop/settings");
  });

  test("says what has no template: who needs it, what, and what to do", () => {
    const dependencies = found([web], [web, account, registry]);
    expect(texts(dependencies.followed)).toEqual(["ServiceAccount shop/runner", "Secret shop/registry"]);
    expect(saying(dependencies)).toBe(
      "Deployment shop/web needs ConfigMap shop/settings, which has no template on the parent: make one, or mark the reference as optional",
    );
  });

  test("Report takes nothing along, and says what could be", () => {
    const dependencies = found([web], [web, settings], { mode: "Report" });
    expect(dependencies.followed).toEqual([]);
    expect(saying(dependencies, ["runner"])).toBe(
      "Deployment shop/web needs ConfigMap shop/settings, which has a template and is not among the feeds: add it, or set spec.delivery.dependencies to Follow",
    );
  });

  test("Ignore does not look", () => {
    expect(found([web], [web], { mode: "Ignore" })).toEqual({ needed: [], followed: [], unfollowed: [], isComplete: true });
  });
});

test("names the clusters, when not all of them miss it", () => {
  const dependencies = found([web], [web, account, registry]);
  const at = (name: string, others: readonly string[] = []): ClusterDependencies => ({
    name,
    dependencies,
    isOthers: (feed) => others.includes(feed.name),
  });
  const clusters = [at("paris"), at("tokyo", ["settings"]), at("oslo")];
  expect(missingText(missingIn(clusters), 3)).toMatch(
    /needs ConfigMap shop\/settings in 2 of 3 clusters \(paris, oslo\), which has no/,
  );
  expect(missingIn([at("tokyo", ["settings"])])).toEqual([]);
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

  test("nothing is let go while its overrides do not apply: what it needs then is not known", () => {
    expect(kept(found([web], all, { broken: ["web"] }), all)).toHaveLength(3);
  });

  test("what another Subscription delivers to the cluster is left to it", () => {
    expect(kept(found([web], all), [], ({ name }) => name === "settings")).not.toContain("ConfigMap shop/settings");
  });
});
