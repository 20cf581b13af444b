// Many Deployments of a pod each, and wishes to roll them out: what one ConfigMap of many users brings about.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Intent, Target } from '../intent.ts'
import { startMs } from './scripted-api.ts'

/** The variable that a reload writes. */
export const variable = 'STAKATER_SETTINGS_CONFIGMAP'

function webName(at: number): string {
  return `web-${at}`
}

interface Web {
  readonly replicas?: number
  readonly namespace?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** The hash that its template carries. */
  readonly hash?: string
  /** Its rollout is over. */
  readonly isWhole?: boolean
}

/** The Deployment `web-<at>` with its ReplicaSet and a pod. */
export function web(at: number, { replicas = 1, namespace = 'shop', annotations = {}, hash, isWhole = true }: Web = {}): readonly KubeObject[] {
  const name = webName(at)
  const uid = `uid-${name}`
  const owned = (kind: string, owner: string) => [{ apiVersion: 'apps/v1', kind, name: owner, uid: `uid-${owner}`, controller: true }]
  const env = hash === undefined ? {} : { env: [{ name: variable, value: hash }] }
  const updated = isWhole ? replicas : 0
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, uid, generation: 1, annotations },
      spec: { replicas, selector: { matchLabels: { app: name } }, template: { spec: { containers: [{ name: 'main', image: 'web', ...env }] } } },
      status: { observedGeneration: 1, replicas, updatedReplicas: updated, readyReplicas: updated },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: `${name}-1`, namespace, uid: `uid-${name}-1`, ownerReferences: owned('Deployment', name) },
      spec: { replicas, selector: { matchLabels: { app: name } } },
    },
    ...(replicas === 0 ? [] : [
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `${name}-1-a`, namespace, uid: `uid-${name}-1-a`, labels: { app: name }, ownerReferences: owned('ReplicaSet', `${name}-1`) },
        spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      },
    ]),
  ]
}

export function webTarget(at: number, namespace = 'shop'): Target & { readonly namespace: string; readonly uid: string } {
  const name = webName(at)
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name, uid: `uid-${name}` }
}

/** The wish that `web-<at>` gets the hash `x`. */
export function reloadOf(at: number, change: Partial<Intent> = {}): Intent {
  const target = webTarget(at, change.workload?.namespace)
  return {
    requester: 'reload',
    verb: 'restart',
    purpose: 'reload',
    class: 'correctness',
    targets: [target],
    workload: target,
    disrupts: [{ apiVersion: 'v1', kind: 'Pod', namespace: target.namespace, name: `${target.name}-1-a`, uid: `${target.uid}-1-a` }],
    reasons: [{ code: 'ConfigMapChanged', message: 'ConfigMap settings changed', data: { configmap: 'settings' } }],
    idempotencyKey: `reload/${target.namespace}/${target.name}/x`,
    deadlineMs: startMs + 900_000,
    timeToLiveMs: 600_000,
    change: { env: [{ container: 'main', name: variable, value: 'x' }] },
    mark: 'none',
    fieldManager: 'Reloader',
    ...change,
  }
}
