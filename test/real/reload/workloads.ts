// Workloads as upstream's load test has them: small, opted in by annotation, in every form of reference.
import type { SourceName, Target } from './scenario.ts'

export const optedIn = { 'reloader.stakater.com/auto': 'true' } as const

const resources = { requests: { cpu: '1m', memory: '4Mi' }, limits: { cpu: '10m', memory: '16Mi' } }
const container = { name: 'app', image: 'registry.example/busybox:1', command: ['sh', '-c', 'sleep 999999999'], resources }

const reference = ({ type, name }: SourceName) => (type === 'configmap' ? { configMapRef: { name } } : { secretRef: { name } })

interface WorkloadOptions {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly namespace: string
  readonly name: string
  readonly uses: readonly SourceName[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** One container that reads all of `uses` into its environment. */
export function workload({ kind = 'Deployment', namespace, name, uses, annotations = {} }: WorkloadOptions): Target {
  const template = {
    metadata: { labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ ...container, envFrom: uses.map(reference) }] },
  }
  const selector = { matchLabels: { app: name } }
  const specs = {
    Deployment: { replicas: 1, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }, selector, template },
    StatefulSet: { replicas: 1, serviceName: name, selector, template },
    DaemonSet: { selector, template },
  }
  const metadata = { name, namespace, annotations: { ...optedIn, ...annotations } }
  return { object: { apiVersion: 'apps/v1', kind, metadata, spec: specs[kind] }, uses }
}

/** An init container, single keys, a volume and a projected volume; the second ConfigMap is only projected. */
export function complexWorkload(namespace: string, name: string, [first, second]: readonly [SourceName, SourceName]): Target {
  const keyRef = (key: string) => ({ configMapKeyRef: { name: first.name, key } })
  const projected = ({ name: of }: SourceName, path: string) => ({ configMap: { name: of, items: [{ key: 'key1', path }] } })
  const template = {
    metadata: { labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      initContainers: [{ ...container, name: 'init', envFrom: [reference(first)] }],
      containers: [
        {
          ...container,
          name: 'main',
          env: [
            { name: 'CONFIG_KEY1', valueFrom: keyRef('key1') },
            { name: 'CONFIG_KEY2', valueFrom: keyRef('key2') },
          ],
        },
        {
          ...container,
          name: 'sidecar',
          volumeMounts: [
            { name: 'config-volume', mountPath: '/etc/config' },
            { name: 'projected-volume', mountPath: '/etc/projected' },
          ],
        },
      ],
      volumes: [
        { name: 'config-volume', configMap: { name: first.name } },
        {
          name: 'projected-volume',
          projected: { sources: [projected(first, 'primary-key1'), projected(second, 'secondary-key1')] },
        },
      ],
    },
  }
  const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template }
  const metadata = { name, namespace, annotations: { ...optedIn } }
  return { object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }, uses: [first, second] }
}
