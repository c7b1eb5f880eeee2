// Keeps the hub's serving certificate valid and its authority known to the parent: Secret, certificate, APIService caBundle.
//
// The Secret holds the authority, shared by all replicas; each signs a certificate of its own, in memory. The plan is in
// serving-authority.ts. The hub alone owns `spec.caBundle` of its APIService; while that object does not exist nothing is written.

import { X509Certificate } from "node:crypto";
import { apiServices } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { after, createController, source, type Controller, type Result } from "#kube/controller.ts";
import { isAlreadyExists, isConflict } from "#kube/errors.ts";
import { APIService, Secret } from "#kube/builtin-kinds.ts";
import { createInformer, type Informer } from "#kube/informer.ts";
import {
  certificateExpiresAt,
  createCertificateAuthority,
  issueCertificate,
  type CertificateWithKey,
} from "#std/certificates.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import {
  nextAuthorityStep,
  renewAtMs,
  SERVING_SECRET_NAME,
  trustedPems,
  type Authorities,
  type Authority,
  type AuthorityStep,
} from "./serving-authority.ts";

export interface ServingCertificateOptions {
  readonly client: Client;
  /** Where the Secret is. */
  readonly namespace: string;
  /** Host names and addresses that clients use. */
  readonly names: readonly string[];
  readonly authorityDays: number;
  readonly certificateDays: number;
  readonly overlapMs: number;
  /** Called with every new certificate. */
  readonly onCertificate: (certificate: CertificateWithKey) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ServingCertificate {
  readonly informers: readonly Pick<Informer, "type" | "run">[];
  readonly controller: Controller;
}

const KEY = "serving";
const FIELD_MANAGER = "clusternet-hub";
const DAY_MS = 86_400_000;
/** Timers are short: a clock that was set or a machine that slept is noticed. */
const LOOK_AGAIN_MAX_MS = 3_600_000;
const LOOK_AGAIN_MIN_MS = 100;

export function createServingCertificate(options: ServingCertificateOptions): ServingCertificate {
  const { client, namespace, clock, log, metrics } = options;
  const shared = { clock, log, metrics };
  const secrets = createInformer(client, Secret, { ...shared, namespace, fieldSelector: `metadata.name=${SERVING_SECRET_NAME}` });
  const services = createInformer(client, APIService, { ...shared, fieldSelector: `metadata.name=${apiServices.proxies}` });
  const served = createServed(options);
  const reconcile = async (_key: string, signal: AbortSignal): Promise<Result> => {
    const secret = secrets.get(`${namespace}/${SERVING_SECRET_NAME}`);
    const authorities = secret === undefined ? undefined : parseAuthorities(secret);
    const service = services.get(apiServices.proxies);
    const isPublished = authorities === undefined || isTrustedBy(service, authorities);
    const step = nextAuthorityStep(authorities, { nowMs: clock.now(), overlapMs: options.overlapMs, isPublished });
    if (step.type !== "wait") {
      log.info("serving-authority.changes", { step: step.type, reason: step.reason });
      await writeAuthorities({ ...options, secret, authorities, step }, signal);
      // The informer brings what was written, by us or by another replica.
      return after(LOOK_AGAIN_MIN_MS);
    }
    if (authorities === undefined) return after(LOOK_AGAIN_MIN_MS);
    await served.renew(authorities.current);
    await publish(client, { service, authorities, log }, signal);
    const nextMs = Math.min(step.untilMs, served.renewAtMs()) - clock.now();
    return after(Math.min(LOOK_AGAIN_MAX_MS, Math.max(LOOK_AGAIN_MIN_MS, nextMs)));
  };
  const key = (): readonly string[] => [KEY];
  const controller = createController({
    name: "serving-certificate",
    sources: [source(secrets, key), source(services, key)],
    reconcile,
    concurrency: 1,
    ...shared,
  });
  return {
    informers: [secrets, services],
    controller: {
      name: controller.name,
      enqueue: controller.enqueue,
      run: (signal) => {
        // Without a Secret there is no event that would begin the work.
        controller.enqueue(KEY);
        return controller.run(signal);
      },
    },
  };
}

/** The certificate in use: replaced when its authority was, or in the last third of its life. */
function createServed({ names, certificateDays, onCertificate, clock, log }: ServingCertificateOptions): {
  renew(authority: Authority): Promise<void>;
  renewAtMs(): number;
} {
  let signedBy = "";
  let renewAt = 0;
  return {
    renew: async (authority) => {
      const nowMs = clock.now();
      if (signedBy === authority.certificatePem && nowMs < renewAt) return;
      const certificate = await issueCertificate(authority, {
        commonName: names[0] ?? "clusternet-hub",
        dnsNames: names.filter((name) => !isAddress(name)),
        ipAddresses: names.filter(isAddress),
        usages: ["server"],
        validDays: Math.min(certificateDays, (authority.expiresAtMs - nowMs) / DAY_MS),
        now: nowMs,
      });
      signedBy = authority.certificatePem;
      const expiresAtMs = certificateExpiresAt(certificate.certificatePem);
      // One that ends with its authority is replaced when the authority is.
      renewAt = Math.min(renewAtMs({ createdAtMs: nowMs, expiresAtMs }), expiresAtMs);
      log.info("serving-certificate.issued", { expiresAt: new Date(expiresAtMs).toISOString(), names });
      onCertificate(certificate);
    },
    renewAtMs: () => renewAt,
  };
}

interface WriteOptions extends ServingCertificateOptions {
  readonly secret: Secret | undefined;
  readonly authorities: Authorities | undefined;
  readonly step: Exclude<AuthorityStep, { type: "wait" }>;
}

async function writeAuthorities(
  { client, namespace, authorityDays, clock, secret, authorities, step }: WriteOptions,
  signal: AbortSignal,
): Promise<void> {
  const fresh = async (): Promise<Authority> => {
    const made = await createCertificateAuthority({
      commonName: `clusternet-hub@${String(clock.now())}`,
      validDays: authorityDays,
    });
    return { ...made, createdAtMs: clock.now(), expiresAtMs: certificateExpiresAt(made.certificatePem) };
  };
  const data = formatAuthorities(await nextAuthorities(authorities, step, fresh));
  const metadata = { name: SERVING_SECRET_NAME, namespace, labels: { "app.kubernetes.io/name": "clusternet-hub" } };
  try {
    if (secret === undefined)
      await client.create(Secret, { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data }, signal);
    else await client.update(Secret, { ...secret, data }, signal);
  } catch (error) {
    // Another replica was first; its authority is as good.
    if (!isAlreadyExists(error) && !isConflict(error)) throw error;
  }
}

async function nextAuthorities(
  authorities: Authorities | undefined,
  step: Exclude<AuthorityStep, { type: "wait" }>,
  fresh: () => Promise<Authority>,
): Promise<Authorities> {
  if (authorities === undefined || step.type === "create") return { current: await fresh() };
  const { current, next } = authorities;
  switch (step.type) {
    case "stage":
      return { ...authorities, next: await fresh() };
    case "promote":
      return { current: next ?? current, previousPem: current.certificatePem, previousExpiresAtMs: current.expiresAtMs };
    case "forget":
      return { current };
  }
}

/** An object that is not there, or goes away, misleads nobody. */
function isTrustedBy(service: APIService | undefined, authorities: Authorities): boolean {
  return (
    service === undefined ||
    service.metadata.deletionTimestamp !== undefined ||
    service.spec?.caBundle === caBundleOf(authorities)
  );
}

function caBundleOf(authorities: Authorities): string {
  return Buffer.from(trustedPems(authorities)).toString("base64");
}

/** Server-side apply of the one field; zero writes when it is right. */
async function publish(
  client: Client,
  {
    service,
    authorities,
    log,
  }: { readonly service: APIService | undefined; readonly authorities: Authorities; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  if (service === undefined || isTrustedBy(service, authorities)) return;
  const { name, uid } = service.metadata;
  await client.apply(
    APIService,
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      // With the uid an object that was deleted meanwhile is not made again.
      metadata: { name, ...(uid === undefined ? {} : { uid }) },
      spec: { caBundle: caBundleOf(authorities) },
    },
    { fieldManager: FIELD_MANAGER, force: true },
    signal,
  );
  log.info("serving-authority.published", { apiService: name });
}

const FIELDS = {
  certificate: "ca.crt",
  key: "ca.key",
  nextCertificate: "next-ca.crt",
  nextKey: "next-ca.key",
  nextSince: "next-since",
  previousCertificate: "previous-ca.crt",
} as const;

/** Undefined when the Secret is not what we write: then a new authority takes its place. */
function parseAuthorities({ data = {} }: Secret): Authorities | undefined {
  const text = (field: string): string => Buffer.from(data[field] ?? "", "base64").toString("utf8");
  try {
    const current = authorityOf(text(FIELDS.certificate), text(FIELDS.key));
    const previousPem = text(FIELDS.previousCertificate);
    const nextPem = text(FIELDS.nextCertificate);
    return {
      current,
      ...(nextPem === ""
        ? {}
        : { next: { ...authorityOf(nextPem, text(FIELDS.nextKey)), createdAtMs: Date.parse(text(FIELDS.nextSince)) } }),
      ...(previousPem === "" ? {} : { previousPem, previousExpiresAtMs: certificateExpiresAt(previousPem) }),
    };
  } catch {
    return undefined;
  }
}

function authorityOf(certificatePem: string, privateKeyPem: string): Authority {
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.ca || privateKeyPem === "") throw new Error("Not an authority");
  return {
    certificatePem,
    privateKeyPem,
    createdAtMs: certificate.validFromDate.getTime(),
    expiresAtMs: certificate.validToDate.getTime(),
  };
}

function formatAuthorities({ current, next, previousPem }: Authorities): Record<string, string> {
  const texts: Record<string, string> = {
    [FIELDS.certificate]: current.certificatePem,
    [FIELDS.key]: current.privateKeyPem,
    ...(next === undefined
      ? {}
      : {
          [FIELDS.nextCertificate]: next.certificatePem,
          [FIELDS.nextKey]: next.privateKeyPem,
          [FIELDS.nextSince]: new Date(next.createdAtMs).toISOString(),
        }),
    ...(previousPem === undefined ? {} : { [FIELDS.previousCertificate]: previousPem }),
  };
  return Object.fromEntries(Object.entries(texts).map(([field, value]) => [field, Buffer.from(value).toString("base64")]));
}

function isAddress(name: string): boolean {
  return /^[\d.]+$/.test(name) || name.includes(":");
}
