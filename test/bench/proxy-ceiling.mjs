// The least that an aggregated API server can be: TLS, and one fixed answer. What is slower than the parent with this behind it is ours.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const { host, port, certificatePem, privateKeyPem } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const body = Buffer.from(
  `${JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "bench" }, data: { text: "x".repeat(1024) } })}\n`,
);
const headers = { "content-type": "application/json", "content-length": body.byteLength };
const server = createServer(
  { cert: certificatePem, key: privateKeyPem, ALPNProtocols: ["http/1.1"], keepAliveTimeout: 120_000 },
  (_request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  },
);
server.listen(port, host);
