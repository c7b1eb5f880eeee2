// One HTTP request to the API server: address, credentials, and the two retries that are always safe.

import type { Dispatcher } from "undici";
import { childController } from "#std/abort.ts";
import { errorChain, toError } from "#std/errors.ts";
import type { Connection } from "./connection.ts";
import { ApiError } from "./errors.ts";

export type QueryValue = string | number | boolean | undefined;

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Begins with a slash; segments are encoded by the caller. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly accept?: string;
  /** A longer answer is an error; for those who answer what they like. */
  readonly answerBytesMax?: number;
}

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface TextResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly text: string;
}

export interface StreamResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Dispatcher.ResponseData["body"];
}

export interface Transport {
  request(request: ApiRequest, signal: AbortSignal): Promise<TextResponse>;
  /** `headersSignal` ends the wait for the answer, `signal` also the body that follows. */
  stream(
    request: ApiRequest,
    signals: { readonly headersSignal: AbortSignal; readonly signal: AbortSignal },
  ): Promise<StreamResponse>;
}

/** An unpaged list of everything may be large, but not without end. */
const RESPONSE_BYTES_MAX = 512 * 1024 * 1024;

export function createTransport(connection: Connection, { userAgent }: { readonly userAgent: string }): Transport {
  const send = async (request: ApiRequest, signal: AbortSignal): Promise<StreamResponse> => {
    const authorization = await connection.authorization(signal);
    const { dispatcher } = connection;
    const answer = await sendOnce(connection, { request, authorization, userAgent, signal });
    if (answer.status !== 401) return answer;
    // A token may have expired, or an account may have been made again: who we are is read anew, once.
    connection.forgetCredentials();
    const renewed = await connection.authorization(signal);
    const isSame = renewed["authorization"] === authorization["authorization"] && dispatcher === connection.dispatcher;
    if (isSame) return answer;
    await answer.body.dump();
    return sendOnce(connection, { request, authorization: renewed, userAgent, signal });
  };

  const readAll = async (request: ApiRequest, signal: AbortSignal): Promise<TextResponse> => {
    const { status, headers, body } = await send(request, signal);
    return { status, headers, text: await textOf(body, request) };
  };

  return {
    request: async (request, signal) => {
      try {
        return await readAll(request, signal);
      } catch (error) {
        if (request.method !== "GET" || !isStaleConnection(error) || signal.aborted) throw unreachable(request, error);
      }
      // The server closed an idle connection just as we used it. Asking again is safe for a GET.
      try {
        return await readAll(request, signal);
      } catch (error) {
        throw unreachable(request, error);
      }
    },
    stream: async (request, { headersSignal, signal }) => {
      const body = childController(signal);
      const giveUp = (): void => {
        body.abort(headersSignal.reason);
      };
      headersSignal.addEventListener("abort", giveUp, { once: true });
      try {
        const answer = await send(request, body.signal);
        answer.body.once("close", () => {
          body[Symbol.dispose]();
        });
        return answer;
      } catch (error) {
        body[Symbol.dispose]();
        throw unreachable(request, error);
      } finally {
        headersSignal.removeEventListener("abort", giveUp);
      }
    },
  };
}

interface SendOptions {
  readonly request: ApiRequest;
  readonly authorization: Readonly<Record<string, string>>;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

async function sendOnce(
  { server, dispatcher }: Connection,
  { request, authorization, userAgent, signal }: SendOptions,
): Promise<StreamResponse> {
  const { origin, pathname } = new URL(server);
  const { method, path, query, headers, body, accept = "application/json" } = request;
  const response = await dispatcher.request({
    origin,
    method,
    path: `${pathname === "/" ? "" : pathname}${path}${queryText(query)}`,
    headers: {
      accept,
      "user-agent": userAgent,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
      ...authorization,
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal,
  });
  return { status: response.statusCode, headers: response.headers, body: response.body };
}

function queryText(query: ApiRequest["query"]): string {
  if (query === undefined) return "";
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.append(name, String(value));
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

async function textOf(body: StreamResponse["body"], request: ApiRequest): Promise<string> {
  const { answerBytesMax = RESPONSE_BYTES_MAX } = request;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      const message = `${what(request)}: The answer is longer than ${answerBytesMax} bytes`;
      throw new ApiError({ reason: "InvalidResponse", code: 0, message });
    }
    chunks.push(chunk);
  }
  return (chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)).toString("utf8");
}

const STALE_CONNECTION_CODES = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

function isStaleConnection(error: unknown): boolean {
  return error instanceof Error && "code" in error && STALE_CONNECTION_CODES.includes(String(error.code));
}

function unreachable(request: ApiRequest, error: unknown): Error {
  if (error instanceof ApiError) return error;
  const message = `${what(request)}: The server cannot be reached: ${errorChain(error)}`;
  return new ApiError({ reason: "Unreachable", code: 0, message, cause: toError(error) });
}

function what({ method, path }: ApiRequest): string {
  return `${method} ${path}`;
}
