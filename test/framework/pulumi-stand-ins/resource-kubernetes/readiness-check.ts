// The shape of a readiness check, shared by the kinds that have one.

import type { GroupVersionKind } from "./kubernetes-object.ts";
import type { JsonObject } from "./property-values.ts";

export type Readiness =
  | { readonly ready: true }
  /** `messages`: why, for the error when time runs out. `failed`: waiting longer is no use. */
  | { readonly ready: false; readonly messages: readonly string[]; readonly failed?: boolean };

/** Reads what belongs to the object: its ReplicaSets, Pods, EndpointSlices. */
export type ListRelated = (kind: GroupVersionKind, namespace: string) => Promise<readonly JsonObject[]>;

export type ReadinessCheck = (object: JsonObject, list: ListRelated) => Promise<Readiness> | Readiness;

export const READY: Readiness = { ready: true };

export const notReady = (...messages: readonly string[]): Readiness => ({ ready: false, messages });
