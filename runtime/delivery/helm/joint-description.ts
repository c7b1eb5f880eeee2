// The two Descriptions of a Base, objects and charts, seen as one: what both together say of one cluster. Pure.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import { isDelivered } from "#delivery/description-status.ts";
import { isChartFeed } from "#delivery/feeds.ts";

/** undefined: one that the Base needs is not there yet. */
export function jointDescription(
  { spec }: Base,
  { generic, helm }: { readonly generic: Description | undefined; readonly helm: Description | undefined },
): Description | undefined {
  if (!spec.feeds.some(isChartFeed)) return generic;
  if (spec.feeds.every(isChartFeed)) return helm;
  if (generic === undefined || helm === undefined) return undefined;
  // Whichever is not done speaks for both, failures first.
  const speaker = [generic, helm].find(isFailed) ?? [generic, helm].find((each) => !isDelivered(each)) ?? generic;
  const manifestStatuses = [generic, helm].flatMap(({ status }) => status?.manifestStatuses ?? []);
  const conditions = generic.status?.conditions;
  const reason = [generic, helm].filter(isFailed).map(({ status }) => status?.reason ?? "failed");
  return {
    ...speaker,
    status: {
      ...speaker.status,
      manifestStatuses,
      ...(conditions === undefined ? {} : { conditions }),
      ...(reason.length === 0 ? {} : { reason: reason.join("; ") }),
    },
  };
}

function isFailed({ status }: Description): boolean {
  return status?.phase === "Failure";
}
