// A stream whose other end, the hub, is the test.

import type { RequestHead, ResponseHead } from "#tunnel/head.ts";
import type { IncomingStream } from "#tunnel/stream.ts";

export class FakeStream implements IncomingStream {
  readonly id = 1;
  readonly head: RequestHead;
  readonly bodyEnded: boolean;
  closed = false;
  takes = true;
  answer: ResponseHead | undefined;
  answers = 0;
  body = "";
  isEnded = false;
  resumed = 0;
  /** "reason: message" */
  resetWith: string | undefined;

  constructor(head: Partial<RequestHead> = {}, bodyEnded = true) {
    const identity = { user: "ana", uid: "", groups: ["dev"], extra: {} };
    this.head = { kind: "request", target: "apiserver", method: "GET", path: "/api", headers: [], identity, ...head };
    this.bodyEnded = bodyEnded;
  }

  respond(head: ResponseHead, { end = false }: { readonly end?: boolean } = {}): void {
    this.answer = head;
    this.answers += 1;
    this.isEnded = end;
  }

  write(chunk: Uint8Array): boolean {
    this.body += Buffer.from(chunk).toString();
    return this.takes;
  }

  end(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.write(chunk);
    this.isEnded = true;
  }

  resume(): void {
    this.resumed += 1;
  }

  reset(reason: string, message = ""): void {
    this.closed = true;
    this.resetWith ??= `${reason}: ${message}`;
  }
}
