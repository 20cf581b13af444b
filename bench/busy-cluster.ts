// A cluster in which something happens all the time: each Deployment with its Service and its budget, autoscalers whose load rises and
// falls, CronJobs, and Deployments that are rolled out one after the other.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ClusterAccess } from '#twin/access.ts'
import { type ClusterSize, namespaceOf } from './big-cluster.ts'
import { dumpedObjects } from './big-dump.ts'

const workloadsANamespace = 10
/** One of so many CronJobs runs each minute, the others every five minutes. */
const minutelyShare = 5
const writer = { manager: 'kubectl', user: 'admin' }

/** How much happens. */
export interface Bustle {
  /** One of so many Deployments has an autoscaler, and a CronJob beside it. */
  readonly scaledEach: number
  /** Minutes from one roll-out of 30 pods to the next. */
  readonly rollOutEach: number
}

interface BusyCluster {
  readonly objects: readonly KubeObject[]
  readonly jobsAnHour: number
  readonly rollOutsAnHour: number
  /** Begins the roll-out of the next Deployment, where its minute has come. */
  rollOut(access: ClusterAccess, minute: number): void
  /** How many Deployments have another size than at the start. */
  scalings(access: ClusterAccess): number
}

export function busyCluster(size: ClusterSize, { scaledEach, rollOutEach }: Bustle): BusyCluster {
  const isScaled = (workload: number) => workload % scaledEach === 0
  const workloads = Array.from({ length: size.workloads }, (_, workload) => workload)
  const scaled = workloads.filter(isScaled)
  const others = workloads.filter(workload => !isScaled(workload))
  const minutely = scaled.filter((_, index) => index % minutelyShare === 0).length
  const deploymentOf = (access: ClusterAccess, workload: number) => {
    const found = access.get('deployments.apps', namespaceOf(workload), `app-${workload}`)
    if (found === undefined) throw new Error(`Deployment app-${workload} is not there`)
    return found as KubeObject & { readonly spec: { readonly replicas: number; readonly template: KubeObject } }
  }
  return {
    objects: [
      ...(dumpedObjects(size) as Iterable<KubeObject>),
      ...workloads.flatMap(workload => [service(workload), budget(workload)]),
      ...scaled.flatMap((workload, index) => [autoscaler(workload, size.replicas), cronJob(workload, index)]),
      usage,
    ],
    jobsAnHour: minutely * 60 + (scaled.length - minutely) * 12,
    rollOutsAnHour: 60 / rollOutEach,
    rollOut(access, minute) {
      if (minute % rollOutEach !== 0) return
      const turn = minute / rollOutEach
      // Each tenth Deployment, so that a roll-out is not the last one's neighbour.
      const workload = others[(turn * workloadsANamespace) % others.length] ?? 0
      const { resourceVersion: _version, ...metadata } = deploymentOf(access, workload).metadata
      const { spec, ...rest } = deploymentOf(access, workload)
      const { template } = spec
      const annotations = { ...template.metadata.annotations, 'kubectl.kubernetes.io/restartedAt': `turn ${turn}` }
      const changed = { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } }
      access.update('deployments.apps', { ...rest, metadata, spec: changed } as KubeObject, writer)
    },
    scalings: access => scaled.filter(workload => deploymentOf(access, workload).spec.replicas !== size.replicas).length,
  }
}

function named(apiVersion: string, kind: string, workload: number, spec: object): KubeObject {
  const metadata = { name: `app-${workload}`, namespace: namespaceOf(workload) }
  return { apiVersion, kind, metadata, spec } as KubeObject
}

function service(workload: number): KubeObject {
  const ports = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }]
  return named('v1', 'Service', workload, { selector: { app: `app-${workload}` }, ports })
}

function budget(workload: number): KubeObject {
  const selector = { matchLabels: { app: `app-${workload}` } }
  return named('policy/v1', 'PodDisruptionBudget', workload, { maxUnavailable: '10%', selector })
}

function autoscaler(workload: number, replicas: number): KubeObject {
  return named('autoscaling/v2', 'HorizontalPodAutoscaler', workload, {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `app-${workload}` },
    minReplicas: Math.ceil(replicas / 2),
    maxReplicas: replicas * 2,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  })
}

function cronJob(workload: number, index: number): KubeObject {
  const container = { name: 'main', image: 'registry.example/report:1.0', resources: { requests: { cpu: '50m' } } }
  return named('batch/v1', 'CronJob', workload, {
    schedule: index % minutelyShare === 0 ? '* * * * *' : '*/5 * * * *',
    jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } },
  })
}

/** All pods together use so much that each autoscaler has to follow, within any hour. */
const usage = {
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'TwinUsage',
  metadata: { name: 'load' },
  spec: {
    cpu: {
      curve: Array.from({ length: 48 }, (_, half) => ({
        at: `${String(Math.floor(half / 2)).padStart(2, '0')}:${half % 2 === 0 ? '00' : '30'}`,
        value: half % 2 === 0 ? '40m' : '120m',
      })),
      noise: 0.05,
    },
  },
} as KubeObject
