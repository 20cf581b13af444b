// What the cases send to the API server.

export interface DeploymentOptions {
  readonly name?: string
  readonly replicas?: number
  readonly image?: string
  /** A node label, as `key: value`. */
  readonly nodeSelector?: string
}

/** A small Deployment in the namespace default. */
export function deploymentManifest(options: DeploymentOptions = {}): string {
  const { name = 'web', replicas = 2, image = 'nginx:1.27', nodeSelector } = options
  const selector = nodeSelector === undefined ? '' : `\n      nodeSelector: {${nodeSelector}}`
  return `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: default
  labels: {app: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1${selector}
      containers:
      - name: web
        image: ${image}
        ports: [{containerPort: 80}]
        resources: {requests: {cpu: 10m, memory: 16Mi}}
`
}

/** A ConfigMap in the namespace default. */
export function configMapManifest(name: string, data: Readonly<Record<string, string>>): string {
  const metadata = JSON.stringify({ name, namespace: 'default' })
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\ndata: ${JSON.stringify(data)}\n`
}
