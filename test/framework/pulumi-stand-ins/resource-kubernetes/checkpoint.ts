// What Pulumi keeps of an object: the live object, and beside it the inputs, the first apiVersion and the field manager.

import { randomBytes } from "node:crypto";
import { annotation, normalize, prune, stringField } from "./kubernetes-object.ts";
import { isObject, toKubernetes, toStateNames, withSecretsOf, type JsonObject } from "./property-values.ts";

export interface Checkpoint {
  readonly inputs: JsonObject;
  readonly live: JsonObject;
  /** The apiVersion the object was first created with. */
  readonly initialApiVersion: string;
  readonly fieldManager: string;
}

/** The state to keep. What is secret in `secrets` (raw property values) is secret in it. */
export function checkpointState({ inputs, live, initialApiVersion, fieldManager }: Checkpoint, secrets: JsonObject): JsonObject {
  return {
    ...withSecretsOf(toStateNames(live), secrets),
    __inputs: withSecretsOf(toStateNames(inputs), secrets),
    __initialApiVersion: initialApiVersion,
    __fieldManager: fieldManager,
  };
}

export function parseState(state: JsonObject): Checkpoint {
  const { __inputs: inputs, __initialApiVersion: initialApiVersion, __fieldManager: fieldManager, ...live } = toKubernetes(state);
  const known = normalize(isObject(inputs) ? inputs : {});
  return {
    inputs: known,
    live,
    initialApiVersion: typeof initialApiVersion === "string" ? initialApiVersion : stringField(known, "apiVersion"),
    fieldManager: typeof fieldManager === "string" ? fieldManager : "",
  };
}

/** The last known live values of the fields that the program gave. */
export function liveInputs({ live, inputs }: Checkpoint): JsonObject {
  return prune(live, inputs);
}

/** The name under which this object's fields are owned: the annotation's, else the one in the state, else a new one. */
export function fieldManagerOf(inputs: JsonObject, stateManager: string): string {
  const chosen = annotation(inputs, "pulumi.com/patchFieldManager");
  if (chosen !== "") return chosen;
  return stateManager === "" ? `pulumi-kubernetes-${randomBytes(4).toString("hex")}` : stateManager;
}
