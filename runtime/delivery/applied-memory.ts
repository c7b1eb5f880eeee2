// What a cluster made of each applied object: defaults, normal forms (`1000m` is `1`) and what webhooks change included. While the
// object still looks so, nobody changed what we set, and looking costs no request.

import { keyText, type KubeObject } from "#api/meta.ts";
import { project, withoutIdentity } from "#kube/owned-fields.ts";
import { keyOf } from "#kube/object.ts";
import { canonicalHash } from "#std/canonical-json.ts";

/** Beyond it the oldest is forgotten, which costs a read. */
const REMEMBERED_MAX = 50_000;

export interface AppliedObject {
  /** What was applied, without the fields that are left alone. */
  readonly wanted: KubeObject;
  readonly live: KubeObject;
}

export class AppliedMemory {
  readonly #looks = new Map<string, string>();

  remember(owner: string, applied: AppliedObject): void {
    const id = idOf(owner, applied.wanted);
    this.#looks.delete(id);
    this.#looks.set(id, lookOf(applied));
    const [oldest] = this.#looks.keys();
    if (this.#looks.size > REMEMBERED_MAX && oldest !== undefined) this.#looks.delete(oldest);
  }

  /** The object is as the last apply of exactly this left it. */
  isAsApplied(owner: string, applied: AppliedObject): boolean {
    return this.#looks.get(idOf(owner, applied.wanted)) === lookOf(applied);
  }
}

function lookOf({ wanted, live }: AppliedObject): string {
  const content = withoutIdentity(wanted);
  return canonicalHash([content, live.metadata.uid ?? "", project(content, live)]);
}

function idOf(owner: string, object: KubeObject): string {
  return `${owner} ${object.apiVersion}/${object.kind} ${keyText(keyOf(object))}`;
}
