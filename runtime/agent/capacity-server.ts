// The stream target "predictor": a question that came through the tunnel -> the predictor's answer.
//
// (CSV-1) Nothing is read of a question whose caller may not ask.
// (CSV-2) A question is small; what is larger is answered before it is read to its end.

import type { Logger } from "#std/log.ts";
import type { Counter } from "#std/metrics.ts";
import type { IncomingStream, StreamHandler } from "#tunnel/stream.ts";
import { askRefusal, type PredictorPolicy } from "./access-policy.ts";
import { failure, type Predictor, type PredictorResponse } from "./predictor.ts";
import type { StreamTarget } from "./targets.ts";

export interface PredictorTargetOptions {
  readonly predictor: Predictor;
  readonly policy: PredictorPolicy;
  readonly answers: Counter<"code">;
  readonly log: Logger;
}

/** A pod template's affinity may be long; more than this is no question. */
export const QUESTION_BYTES_MAX = 256 * 1024;

export function createPredictorTarget({ predictor, policy, answers, log }: PredictorTargetOptions): StreamTarget {
  return (stream) => {
    const { kind, identity, requestId } = stream.head;
    const reason = kind === "request" ? askRefusal(identity, policy) : "the predictor speaks plain HTTP only";
    if (reason !== undefined) {
      log.info("predictor.refused", { requestId, user: identity.user, reason });
      answers.inc({ code: "403" });
      stream.reset("refused", reason);
      return ignored;
    }
    return new Question(stream, (response) => {
      answers.inc({ code: String(response.status) });
    }).readBy(predictor);
  };
}

class Question {
  readonly #stream: IncomingStream;
  readonly #onAnswer: (response: PredictorResponse) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isAnswered = false;

  constructor(stream: IncomingStream, onAnswer: (response: PredictorResponse) => void) {
    this.#stream = stream;
    this.#onAnswer = onAnswer;
  }

  readBy(predictor: Predictor): StreamHandler {
    const { method, path } = this.#stream.head;
    return {
      onData: (chunk) => {
        this.#bytes += chunk.byteLength;
        if (this.#bytes <= QUESTION_BYTES_MAX) this.#chunks.push(chunk);
        else this.#answer(failure("RequestEntityTooLarge", `A question has at most ${String(QUESTION_BYTES_MAX)} bytes`));
        return true;
      },
      onEnd: () => {
        this.#answer(predictor({ method, path, body: Buffer.concat(this.#chunks).toString("utf8") }));
      },
      onReset: () => {
        this.#chunks = [];
      },
    };
  }

  #answer(response: PredictorResponse): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#chunks = [];
    this.#onAnswer(response);
    const body = Buffer.from(JSON.stringify(response.json));
    const headers = ["content-type", "application/json", "content-length", String(body.byteLength)];
    this.#stream.respond({ status: response.status, headers });
    this.#stream.end(body);
  }
}

const ignored: StreamHandler = { onData: () => true, onEnd: () => undefined, onReset: () => undefined };
