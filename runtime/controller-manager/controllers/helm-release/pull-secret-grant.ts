// Pull: a child's agent pulls charts itself, so it may read the pull secret of each: that one Secret, by name, as long as the HelmRelease is.
//
// What we grant we must hold: only in namespaces where our account was bound to the role of names.ts. So the parent's administrator
// decides whose pull secrets leave the parent.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { createdByValues, labels, roles, serviceAccounts } from "#api/names.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by, type DeliveryInformers } from "#controller-manager/informers.ts";
import { ChartError } from "#delivery/helm/charts/chart-error.ts";
import { pullSecretOf, readAccess } from "#delivery/helm/charts/access.ts";
import { describedReleases } from "#delivery/helm/describe-releases.ts";
import { Role, RoleBinding } from "#kube/builtin-kinds.ts";
import { isForbidden } from "#kube/errors.ts";
import { canonicalHash, deepEqual } from "#std/canonical-json.ts";

const RBAC_API_VERSION = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP = "rbac.authorization.k8s.io";

/** Namespace of the HelmChart that a HelmRelease was made from; its Description knows. */
export function chartNamespaceOf(release: HelmRelease, { descriptions }: Pick<DeliveryInformers, "descriptions">): string {
  const [description] = descriptions.byIndex(by.uid, release.metadata.labels?.[labels.configUid] ?? "");
  if (description === undefined) return "";
  const { releases } = describedReleases(description);
  return releases.find((each) => each.release.metadata.name === release.metadata.name)?.chart.namespace ?? "";
}

export async function grantPullSecret(release: HelmRelease, deps: DeliveryDeps, signal: AbortSignal): Promise<void> {
  const { client, informers, events } = deps;
  const secret = pullSecretOf(release.spec);
  if (secret === undefined || release.metadata.deletionTimestamp !== undefined) return;
  try {
    // Also decides whether this chart may use it at all.
    await readAccess(release.spec, { parent: client, chartNamespace: chartNamespaceOf(release, informers) }, signal);
    const { role, binding } = grantObjects(release, secret);
    const there = await client.get(Role, role.metadata, signal);
    if (there !== undefined && deepEqual(there.rules, role.rules)) return;
    await client.apply(Role, role, { fieldManager: createdByValues.controllerManager, force: true }, signal);
    await client.apply(RoleBinding, binding, { fieldManager: createdByValues.controllerManager, force: true }, signal);
    deps.log.info("helm-release.pull-secret-granted", { release: release.metadata.name, namespace: secret.namespace });
  } catch (error) {
    if (!(error instanceof ChartError) && !isForbidden(error)) throw error;
    // The agent will say in the status that it may not read it; here is why.
    events.record(release, { type: "Warning", reason: warningEventReasons.chartLocateFailure, message: error.message });
  }
}

export async function revokePullSecret(
  release: HelmRelease,
  { client }: Pick<DeliveryDeps, "client">,
  signal: AbortSignal,
): Promise<void> {
  const secret = pullSecretOf(release.spec);
  if (secret === undefined) return;
  const { role, binding } = grantObjects(release, secret);
  await client.delete(RoleBinding, binding.metadata, {}, signal);
  await client.delete(Role, role.metadata, {}, signal);
}

function grantObjects(
  { metadata }: HelmRelease,
  secret: { readonly namespace: string; readonly name: string },
): { readonly role: Role; readonly binding: RoleBinding } {
  const { namespace = "", name, labels: own = {} } = metadata;
  const common = {
    namespace: secret.namespace,
    name: `${roles.chartPullSecretPrefix}${canonicalHash([namespace, name])}`,
    labels: {
      [labels.createdBy]: createdByValues.controllerManager,
      ...Object.fromEntries(
        [labels.clusterId, labels.clusterName].flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]]])),
      ),
    },
  };
  return {
    role: {
      apiVersion: RBAC_API_VERSION,
      kind: "Role",
      metadata: common,
      rules: [{ apiGroups: [""], resources: ["secrets"], resourceNames: [secret.name], verbs: ["get"] }],
    },
    binding: {
      apiVersion: RBAC_API_VERSION,
      kind: "RoleBinding",
      metadata: common,
      roleRef: { apiGroup: RBAC_GROUP, kind: "Role", name: common.name },
      subjects: [{ kind: "ServiceAccount", name: serviceAccounts.agent, namespace }],
    },
  };
}
