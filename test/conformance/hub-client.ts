// Sends requests with exactly the given headers to a server of a HubBed, and tells how each answer ended.

import { once } from "node:events";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { issueCertificate, type CertificateAuthority } from "#std/certificates.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** False when the connection was cut in the middle. */
  readonly isComplete: boolean;
}

/** An answer whose head has arrived. */
export interface OpenAnswer {
  readonly status: number;
  readonly response: IncomingMessage;
  /** What has arrived of the body. */
  text(): string;
  readonly ended: Promise<Answer>;
}

export interface SendOptions extends RequestOptions {
  readonly body?: string;
}

export async function send(url: string, options: SendOptions = {}): Promise<Answer> {
  return (await open(url, options)).ended;
}

/** Resolves with the head; the body comes as it comes. */
export function open(url: string, { body, ...options }: SendOptions = {}): Promise<OpenAnswer> {
  const outgoing = httpsRequest(url, { agent: false, ...options });
  const answer = answerTo(outgoing);
  outgoing.end(body);
  return answer;
}

/** For a request whose body the test sends in parts. */
export async function answerTo(outgoing: ClientRequest): Promise<OpenAnswer> {
  // Rejects with what breaks the connection before the head.
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  outgoing.on("error", () => undefined);
  const status = response.statusCode ?? 0;
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  response.on("error", () => undefined);
  const ended = new Promise<Answer>((resolve) => {
    response.once("close", () => {
      resolve({ status, body: text, headers: response.headers, isComplete: response.complete });
    });
  });
  return { status, response, text: () => text, ended };
}

export async function clientCertificate(
  authority: CertificateAuthority,
  { user, groups = [] }: { readonly user: string; readonly groups?: readonly string[] },
): Promise<{ readonly cert: string; readonly key: string }> {
  const options = { commonName: user, organizations: groups, usages: ["client"], validDays: 1 } as const;
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, options);
  return { cert: certificatePem, key: privateKeyPem };
}

/** Asks the child who it thinks the caller is; its answer when that is another one. */
export async function whoAmI(base: string, options: RequestOptions): Promise<unknown> {
  const review = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" });
  const { status, body } = await send(`${base}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
    ...options,
    method: "POST",
    body: review,
    headers: {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(review)),
      ...(options.headers as Record<string, string> | undefined),
    },
  });
  const answer = JSON.parse(body) as { status: { userInfo?: unknown }; message?: string };
  return status === 201 ? answer.status.userInfo : answer;
}
