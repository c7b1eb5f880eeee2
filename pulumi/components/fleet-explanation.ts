// A question about one field of one template in one child of a fleet -> what explainValue needs to answer it.

import * as pulumi from "@pulumi/pulumi";
import { feedText } from "#delivery/feeds.ts";
import { explainValue, type ExplainedValue } from "#pulumi/explain-value.ts";
import type { ChildCluster } from "./child-cluster.ts";
import type { DeliveryArgs } from "./fleet-delivery.ts";
import { templateObjects } from "./templates.ts";

export interface FleetQuestion {
  /** Name of the child. */
  readonly child: string;
  /** Which of the fleet's templates. */
  readonly template: { readonly kind: string; readonly name: string; readonly namespace?: string };
  /** JSON pointer, as `pointer()` makes it. Default: every change. */
  readonly path?: string | undefined;
}

interface Fleet extends DeliveryArgs {
  readonly children: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
}

export function explainInFleet(
  fleet: Fleet,
  { child, template, path, children }: FleetQuestion & { readonly children: readonly ChildCluster[] },
): pulumi.Output<ExplainedValue> {
  const { name: clusterName, labels } =
    fleet.children.find(({ name }) => name === child) ?? refuse("child", child, namesOf(fleet));
  const namespaceOf = (name: string): string => children.find((each) => each.clusterName === name)?.clusterNamespace ?? "";
  const known = templateObjects(fleet.templates ?? []);
  const wanted = feedText({ apiVersion: "", ...template });
  const texts = known.map(({ apiVersion, kind, metadata }) => feedText({ apiVersion, kind, ...metadata }));
  const object = known[texts.indexOf(wanted)] ?? refuse("template", wanted, texts);
  return explainValue({
    template: object,
    cluster: { name: clusterName, namespace: namespaceOf(clusterName), ...(labels === undefined ? {} : { labels }) },
    globalizations: (fleet.globalizations ?? []).map(({ name, spec }) => ({ metadata: { name }, spec })),
    localizations: (fleet.localizations ?? []).map((each) => ({
      metadata: { name: each.name, namespace: namespaceOf(each.child) },
      spec: each.spec,
    })),
    ...(path === undefined ? {} : { path }),
  });
}

function namesOf({ children }: Fleet): readonly string[] {
  return children.map(({ name }) => name);
}

function refuse(what: string, wanted: string, known: readonly string[]): never {
  throw new pulumi.RunError(`explainValue: there is no ${what} ${JSON.stringify(wanted)}: it must be one of ${known.join(", ")}`);
}
