// One HelmRelease and the release as helm has it -> what to do, step by step, each with its reason. Pure.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { canonicalHash } from "#std/canonical-json.ts";

type Spec = HelmRelease["spec"];
export type Phase = NonNullable<NonNullable<HelmRelease["status"]>["phase"]>;

/** What helm says about a release. */
export interface ObservedRelease {
  readonly status: Phase;
  readonly revision: number;
}

export interface ReleaseStep {
  /** `recover`: a run that was killed left the release pending, and helm would refuse it for ever. */
  readonly type: "recover" | "rollback" | "uninstall" | "install" | "upgrade";
  readonly reason: string;
}

/** Name and namespace of the release in the cluster. */
export interface ReleaseKey {
  readonly namespace: string;
  readonly name: string;
}

export function releaseKeyOf({ metadata, spec }: HelmRelease): ReleaseKey {
  return { namespace: spec.targetNamespace, name: spec.releaseName ?? metadata.name };
}

export function releaseKeyText({ namespace, name }: ReleaseKey): string {
  return `${namespace}/${name}`;
}

export function planRelease(observed: ObservedRelease | undefined, spec: Spec): readonly ReleaseStep[] {
  if (observed === undefined) return [{ type: "install", reason: "there is no such release yet" }];
  const revision = String(observed.revision);
  const interrupted: ReleaseStep = { type: "recover", reason: `revision ${revision} was interrupted (${observed.status})` };
  const upgrade: ReleaseStep = { type: "upgrade", reason: "chart, values or options changed" };
  switch (observed.status) {
    case "deployed":
    case "superseded":
    case "unknown":
      return [upgrade];
    case "failed":
      return [{ type: "upgrade", reason: `revision ${revision} failed` }];
    case "pending-install":
      return spec.atomic === true
        ? [interrupted, { type: "uninstall", reason: "atomic: a failed installation leaves nothing" }, install]
        : [interrupted, upgrade];
    case "pending-upgrade":
    case "pending-rollback":
      return spec.upgradeAtomic === true && observed.revision > 1
        ? [interrupted, { type: "rollback", reason: "upgradeAtomic: a failed upgrade is rolled back" }, upgrade]
        : [interrupted, upgrade];
    case "uninstalling":
      return [{ type: "uninstall", reason: "uninstalling it was interrupted" }, install];
    case "uninstalled":
      return [{ type: "install", reason: "it was uninstalled, and its history kept" }];
    default:
      return observed.status satisfies never;
  }
}

const install: ReleaseStep = { type: "install", reason: "nothing of it is there any more" };

/** Of what a release is made: options that only say how long or how carefully are not part of it. */
export function releaseHash({ metadata, spec }: HelmRelease): string {
  const { repo, chart, version, plainHTTP, overrides, skipCRDs, replaceCRDs, disableHooks, force } = spec;
  return canonicalHash({
    release: releaseKeyText(releaseKeyOf({ metadata, spec } as HelmRelease)),
    chart: [repo, chart, version ?? "", plainHTTP === true],
    overrides: overrides ?? "",
    options: [skipCRDs, replaceCRDs, disableHooks, force].map((option) => option === true),
  });
}

/** What its newest spec asks for is released: helm need not run. */
export function isReleased(release: HelmRelease): boolean {
  const { status } = release;
  return status?.phase === "deployed" && status.releasedHash === releaseHash(release);
}

/** The HelmRelease that came first keeps a release; undefined: this one did. */
export function releaseOwner(release: HelmRelease, others: readonly HelmRelease[]): HelmRelease | undefined {
  const wanted = releaseKeyText(releaseKeyOf(release));
  return others.find(
    (other) =>
      other.metadata.name !== release.metadata.name &&
      other.metadata.deletionTimestamp === undefined &&
      releaseKeyText(releaseKeyOf(other)) === wanted &&
      isBefore(other, release),
  );
}

/** Somebody else wants the release to be there: it must not be uninstalled. */
export function isWantedByAnother(key: string, release: HelmRelease, others: readonly HelmRelease[]): boolean {
  return others.some(
    (other) =>
      other.metadata.name !== release.metadata.name &&
      other.metadata.deletionTimestamp === undefined &&
      releaseKeyText(releaseKeyOf(other)) === key,
  );
}

function isBefore(a: HelmRelease, b: HelmRelease): boolean {
  const [first, second] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ""} ${metadata.name}`);
  return (first ?? "") < (second ?? "");
}
