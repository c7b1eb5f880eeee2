// Certificates that Node and kube-apiserver accept: who signed them, for whom, for what, until when.
import { once } from "node:events";
import { X509Certificate } from "node:crypto";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { describe, expect, test } from "@jest/globals";
import { certificateExpiresAt, createCertificateAuthority, issueCertificate } from "#std/certificates.ts";

describe("issueCertificate", () => {
  test("signs for the subject, names, addresses and usages asked for", async () => {
    const authority = await createCertificateAuthority({ commonName: "test-ca", validDays: 10 });
    const { certificatePem } = await issueCertificate(authority, {
      commonName: "jane",
      organizations: ["team-a", "a, comma=inside"],
      dnsNames: ["hub.clusternet-system.svc"],
      ipAddresses: ["127.0.0.1"],
      usages: ["server", "client"],
      validDays: 1,
      now: Date.UTC(2030, 0, 1),
    });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(new X509Certificate(authority.certificatePem).ca).toBe(true);
    expect(certificate.toLegacyObject().subject).toMatchObject({ CN: "jane", O: ["team-a", "a, comma=inside"] });
    expect(certificate.subjectAltName).toBe("DNS:hub.clusternet-system.svc, IP Address:127.0.0.1");
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(certificateExpiresAt(certificatePem)).toBe(Date.UTC(2030, 0, 2));
  });

  test("is accepted by a TLS client that trusts only the authority, also after the authority was stored as text", async () => {
    const made = await createCertificateAuthority({ commonName: "test-ca", validDays: 1 });
    const stored = JSON.parse(JSON.stringify(made)) as typeof made;
    const serving = await issueCertificate(stored, {
      commonName: "s",
      ipAddresses: ["127.0.0.1"],
      usages: ["server"],
      validDays: 1,
    });
    const server = createServer({ cert: serving.certificatePem, key: serving.privateKeyPem });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const trusting = (ca: string): TLSSocket => connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", ca });
    try {
      const socket = trusting(made.certificatePem);
      await once(socket, "secureConnect");
      expect(socket.authorized).toBe(true);
      socket.destroy();
      const other = trusting((await createCertificateAuthority({ commonName: "test-ca", validDays: 1 })).certificatePem);
      await expect(once(other, "secureConnect")).rejects.toThrow();
    } finally {
      server.close();
    }
  });
});
