// What a node knows about a pod -> the pod's status. Pure.

import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from "kubernetes-types/core/v1.js";
import type { PodAddress } from "#test/framework/address-slot.ts";

export interface ContainerView {
  readonly container: Container;
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly pid?: number;
}

export interface PodView {
  readonly pod: Pod;
  readonly address: PodAddress;
  readonly hostAddress: string;
  readonly startTime: string;
  readonly initContainers: readonly ContainerView[];
  readonly containers: readonly ContainerView[];
}

export function podStatus({ pod, address, hostAddress, startTime, initContainers, containers }: PodView, now: string): PodStatus {
  const initialized = initContainers.every(({ state }) => state.terminated?.exitCode === 0);
  const phase = phaseOf(pod, { initContainers, containers });
  const isOver = phase === "Succeeded" || phase === "Failed";
  const notReady = containers.filter(({ ready }) => !ready).map(({ container }) => container.name);
  const isReady = !isOver && initialized && notReady.length === 0;
  const why = isReady
    ? {}
    : isOver
      ? { reason: phase === "Succeeded" ? "PodCompleted" : "PodFailed" }
      : { reason: "ContainersNotReady", message: `containers with unready status: [${notReady.join(" ")}]` };
  const conditions: Omit<PodCondition, "lastTransitionTime">[] = [
    { type: "PodReadyToStartContainers", status: isOver ? "False" : "True" },
    { type: "Initialized", status: initialized ? "True" : "False" },
    { type: "ContainersReady", status: isReady ? "True" : "False", ...why },
    { type: "Ready", status: isReady && readinessGatesPass(pod) ? "True" : "False", ...why },
  ];
  return {
    phase,
    conditions: mergeConditions(pod.status?.conditions ?? [], conditions, now),
    podIP: address.api,
    podIPs: [{ ip: address.api }],
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
    startTime,
    ...(initContainers.length === 0 ? {} : { initContainerStatuses: initContainers.map(containerStatus) }),
    containerStatuses: containers.map(containerStatus),
  };
}

/** Whether a container that ended starts again. */
export function restarts(policy: string | undefined, exitCode: number): boolean {
  return policy === undefined || policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

function phaseOf({ spec }: Pod, { initContainers, containers }: Pick<PodView, "initContainers" | "containers">): string {
  const policy = spec?.restartPolicy;
  const initFailed = initContainers.some(({ state }) => state.terminated !== undefined && state.terminated.exitCode !== 0);
  if (initFailed && policy === "Never") return "Failed";
  const ends = containers.map(({ state }) => state.terminated?.exitCode);
  const isOver = ends.every((code) => code !== undefined && !restarts(policy, code));
  if (isOver && ends.length > 0) return ends.every((code) => code === 0) ? "Succeeded" : "Failed";
  return containers.some(({ state, restartCount }) => state.running !== undefined || restartCount > 0) ? "Running" : "Pending";
}

function readinessGatesPass({ spec, status }: Pod): boolean {
  return (spec?.readinessGates ?? []).every(({ conditionType }) =>
    (status?.conditions ?? []).some(({ type, status: value }) => type === conditionType && value === "True"),
  );
}

function mergeConditions(
  existing: readonly PodCondition[],
  ours: readonly Omit<PodCondition, "lastTransitionTime">[],
  now: string,
): PodCondition[] {
  const foreign = existing.filter(({ type }) => !ours.some((condition) => condition.type === type));
  return [
    ...foreign,
    ...ours.map((condition) => {
      const known = existing.find(({ type, status }) => type === condition.type && status === condition.status);
      return { ...condition, lastTransitionTime: known?.lastTransitionTime ?? now };
    }),
  ];
}

function containerStatus({ container, state, lastState, ready, started, restartCount, pid }: ContainerView): ContainerStatus {
  return {
    name: container.name,
    image: container.image ?? "",
    imageID: `process://${container.image ?? ""}`,
    ...(pid === undefined ? {} : { containerID: `process://${String(pid)}` }),
    ready,
    started,
    restartCount,
    state,
    ...(lastState === undefined ? {} : { lastState }),
  };
}
