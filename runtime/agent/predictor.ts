// Answers the questions of schedulers: upstream's paths and JSON, whatever way they came in. Decides, does no I/O.

import { PredictRequest, predictorPaths, type UnscheduledAnswer, type UnscheduledFeed } from "#api/proxies/v1alpha1/predictor.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { statusOf, type StatusReason } from "#api/status.ts";
import { compareText } from "#std/compare-text.ts";
import { capacityOf, type ClusterRoom } from "./capacity.ts";
import type { CountedPod } from "./counted-pod.ts";

export interface PredictorRequest {
  readonly method: string;
  /** Raw; a query is ignored. */
  readonly path: string;
  readonly body: string;
}

export interface PredictorResponse {
  readonly status: number;
  readonly json: unknown;
}

export interface PredictorSources {
  readonly room: {
    readonly problem: string | undefined;
    room(namespace: string | undefined): ClusterRoom;
    placed(owner: string): number;
    waiting(): readonly CountedPod[];
  };
  /** The objects that the parent delivers here. */
  readonly delivered: () => readonly Feed[];
}

export type Predictor = (request: PredictorRequest) => PredictorResponse;

export function createPredictor(sources: PredictorSources): Predictor {
  return ({ method, path, body }) => {
    const [only = ""] = path.split("?");
    const [allowed, answer] =
      only === predictorPaths.predict
        ? ["POST", () => predict(body, sources)]
        : only === predictorPaths.unscheduled
          ? ["GET", () => ok(unscheduled(sources))]
          : [];
    if (answer === undefined) {
      return failure("NotFound", `The predictor serves ${Object.values(predictorPaths).join(" and ")}, not ${shown(only)}`);
    }
    if (method !== allowed) return failure("MethodNotAllowed", `${only} is asked with ${allowed}, not ${shown(method)}`);
    const { problem } = sources.room;
    return problem === undefined ? answer() : failure("ServiceUnavailable", problem);
  };
}

export function failure(reason: StatusReason, message: string): PredictorResponse {
  const status = statusOf({ reason, message });
  return { status: status.code, json: status };
}

function ok(json: unknown): PredictorResponse {
  return { status: 200, json };
}

function predict(body: string, { room }: PredictorSources): PredictorResponse {
  let request: PredictRequest;
  try {
    // What JSON does not say is absent, never undefined.
    request = PredictRequest.parse(JSON.parse(body)) as PredictRequest;
  } catch (error) {
    return failure("BadRequest", `The question is not understood: ${messageOf(error)}`);
  }
  try {
    const answer = capacityOf(room.room(request.namespace ?? undefined), request);
    const feeds = request.feeds ?? [];
    const placed = Object.fromEntries(feeds.map((feed) => [feed, room.placed(feed)]));
    return ok({ ...answer, ...(feeds.length === 0 ? {} : { placed }) });
  } catch (error) {
    if (error instanceof RangeError) return failure("BadRequest", `The question is not understood: ${error.message}`);
    throw error;
  }
}

/** Of each delivered object, the pods that kube-scheduler found no node for. */
function unscheduled({ room, delivered }: PredictorSources): UnscheduledAnswer {
  const feeds = new Map(delivered().map((feed) => [feedKey(feed), feed]));
  const counted = new Map<string, UnscheduledFeed>();
  for (const { owner: key, waiting = "" } of room.waiting()) {
    const feed = feeds.get(key);
    if (feed === undefined) continue;
    const known = counted.get(key);
    const message = known?.message ?? (waiting === "" ? undefined : waiting);
    const { apiVersion, kind, name } = feed;
    counted.set(key, {
      apiVersion,
      kind,
      ...(feed.namespace === undefined ? {} : { namespace: feed.namespace }),
      name,
      unscheduled: (known?.unscheduled ?? 0) + 1,
      ...(message === undefined ? {} : { message }),
    });
  }
  const sorted = [...counted].toSorted(([a], [b]) => compareText(a, b)).map(([, feed]) => feed);
  return { replicas: { default: sorted.reduce((sum, feed) => sum + feed.unscheduled, 0) }, feeds: sorted };
}

const SHOWN_LENGTH_MAX = 200;

function shown(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX));
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").slice(0, SHOWN_LENGTH_MAX);
}
