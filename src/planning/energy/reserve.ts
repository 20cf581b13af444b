// What has to stay free while nodes are off: room for the largest pod, and for what sleeps or ran at other hours. Pure.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import { podRequests } from '#cluster/requests.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { EnergyRules } from '../goals/policy.ts'
import type { Amounts } from '../plan-record.ts'

const resources = ['cpu', 'memory'] as const

/** The reserve of the policy; what it leaves out is a tenth more than the largest pod that could be anywhere requests. */
export function reserveOf(state: ClusterState, energy: Pick<EnergyRules, 'reserve'>): Amounts {
  const largest = (resource: string) =>
    Array.from(state.pods.values()).reduce((most, pod) => {
      const isBound = pod.isFinished || pod.workload === undefined || pod.workload.kind === 'DaemonSet'
      return isBound ? most : Math.max(most, pod.requests[resource] ?? 0)
    }, 0)
  return Object.fromEntries(resources.map(key => [key, energy.reserve[key] ?? Math.ceil(largest(key) * 1.1)]))
}

/** Requested by all pods that run now. */
export function demandOf(state: ClusterState): Amounts {
  const running = Array.from(state.pods.values()).filter(pod => !pod.isFinished && pod.nodeName !== undefined)
  return Object.fromEntries(resources.map(key => [key, running.reduce((sum, pod) => sum + (pod.requests[key] ?? 0), 0)]))
}

/** Beyond what runs: the most of `before` (requests of other hours), and one pod of each workload that a scaler keeps at zero. */
export function toComeOf(state: ClusterState, before: readonly Amounts[] = []): Amounts {
  const now = demandOf(state)
  const waking = sleepingPods(state).map(podRequests)
  return Object.fromEntries(
    resources.map(key => {
      const most = Math.max(now[key] ?? 0, ...before.map(amounts => amounts[key] ?? 0))
      return [key, most - (now[key] ?? 0) + waking.reduce((sum, requests) => sum + (requests[key] ?? 0), 0)]
    }),
  )
}

/** As its template makes it, one pod of each Deployment and StatefulSet at zero that a ScaledObject targets. */
function sleepingPods(state: ClusterState): readonly Pod[] {
  return state.objects('ScaledObject.keda.sh').flatMap(scaler => {
    const { name, kind = 'Deployment', apiVersion = 'apps/v1' } = targetOf(scaler)
    if (name === undefined) return []
    const workload = state.object(kindKey(apiVersion, kind), scaler.metadata.namespace, name)
    const spec = workload === undefined ? undefined : record(workload['spec'])
    const template = record(record(spec?.['template'])?.['spec'])
    const containers = template?.['containers']
    if (workload === undefined || spec?.['replicas'] !== 0 || !Array.isArray(containers)) return []
    const { namespace = '' } = workload.metadata
    return [{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: { ...template, containers } }]
  })
}

function targetOf(scaler: KubeObject): { readonly name?: string; readonly kind?: string; readonly apiVersion?: string } {
  const target = record(record(scaler['spec'])?.['scaleTargetRef'])
  const text = (key: string) => (typeof target?.[key] === 'string' && target[key] !== '' ? { [key]: target[key] } : {})
  return { ...text('name'), ...text('kind'), ...text('apiVersion') }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}
