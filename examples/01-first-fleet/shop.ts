// The application: a web server that answers with a greeting from its ConfigMap. Nothing in here knows of more than one cluster.

const metadata = { name: "shop", namespace: "default", labels: { app: "shop" } };
const port = 8080;

const server = `
  require("node:http")
    .createServer((request, response) => response.end(process.env.GREETING + "\\n"))
    .listen(${String(port)}, process.env.POD_IP);
`;

export const shop = {
  configMap: { apiVersion: "v1", kind: "ConfigMap", metadata, data: { greeting: "Hello" } },

  service: {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { selector: { app: "shop" }, ports: [{ name: "http", port, targetPort: port }] },
  },

  deployment: (release: string) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "shop" } },
      template: {
        metadata: { labels: { app: "shop", release } },
        spec: {
          containers: [
            {
              name: "web",
              image: "node:24-alpine",
              command: ["node", "-e", server],
              env: [
                { name: "GREETING", valueFrom: { configMapKeyRef: { name: "shop", key: "greeting" } } },
                { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              ],
              ports: [{ name: "http", containerPort: port }],
              readinessProbe: { httpGet: { path: "/", port }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  }),
};
