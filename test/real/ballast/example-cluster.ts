// The cluster of an example on a real control plane: its controllers make the pods, and the pods begin where the example has them.
import { join } from 'node:path'
import { readSource } from '../../../src/cli/source/source.ts'
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { isReady, type Place, type PodObject } from './tiny-kubelet.ts'

const example = join(import.meta.dirname, '..', '..', '..', 'examples', 'talos-homelab')

/** What is created, in this order; ReplicaSets and their pods are made by the server's controllers. */
const order = [
  'Namespace',
  'Node',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Service',
  'PodDisruptionBudget',
  'ScaledObject',
  'HTTPScaledObject',
  'DaemonSet',
  'StatefulSet',
  'Deployment',
  'Pod',
  'RebalancePolicy',
]

export interface ExampleCluster {
  readonly objects: readonly ApiObject[]
  readonly podCount: number
  /** Puts each pod on the node where the example has one of its workload. */
  readonly place: Place
}

/** Reads the example. */
export function exampleCluster(): ExampleCluster {
  const all = readSource(example).objects.map(({ object }) => object as ApiObject)
  const pods = all.filter(({ kind }) => kind === 'Pod') as PodObject[]
  const objects = all.filter(isCreated).sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  return { objects, podCount: pods.length, place: placement(pods) }
}

function isCreated(object: ApiObject): boolean {
  if (object.kind === 'Pod') return controllerOf(object as PodObject)?.kind === 'Node'
  return order.includes(object.kind)
}

const controllerOf = ({ metadata }: PodObject) => metadata.ownerReferences?.find(({ controller }) => controller === true)

/** `namespace/Kind/name` of the workload; the hash of a ReplicaSet is not the example's. */
function workloadOf(pod: PodObject): string {
  const owner = controllerOf(pod)
  const [kind, name] =
    owner?.kind === 'ReplicaSet' ? ['Deployment', owner.name.replace(/-[^-]+$/, '')] : [owner?.kind, owner?.name]
  return `${pod.metadata.namespace}/${kind}/${name}${kind === 'StatefulSet' ? `/${pod.metadata.name}` : ''}`
}

function placement(pods: readonly PodObject[]): Place {
  const left = new Map<string, string[]>()
  for (const pod of pods) {
    if (pod.spec.nodeName === undefined) continue
    const key = workloadOf(pod)
    left.set(key, [...(left.get(key) ?? []), pod.spec.nodeName])
  }
  return pod => {
    const key = workloadOf(pod)
    const node = controllerOf(pod)?.kind === 'DaemonSet' ? daemonNode(pod) : left.get(key)?.shift()
    if (node === undefined) throw new Error(`the example has no node for one more pod of ${key}`)
    return node
  }
}

/** The node that the DaemonSet controller has made the pod for. */
function daemonNode({ spec }: PodObject): string | undefined {
  const text = JSON.stringify(spec['affinity'] ?? {})
  return /"key":"metadata\.name","operator":"In","values":\["([^"]+)"\]/.exec(text)?.[1]
}

/** Creates the objects as a user would, without what a server gives them. */
export async function createExample(client: ApiClient, objects: readonly ApiObject[]): Promise<void> {
  const nodeUids = new Map<string, unknown>()
  for (const object of objects) {
    const { namespace = '', name } = object.metadata
    const created = await client.send('POST', apiPath(object, namespace), desired(object, nodeUids))
    if (created.status === 409 && object.kind === 'Namespace') {
      await client.want('PATCH', apiPath(object, '', name), { metadata: { labels: object.metadata.labels ?? {} } })
    } else if (created.status >= 300) {
      throw new Error(`create ${object.kind} ${namespace}/${name}: ${created.status} ${JSON.stringify(created.body)}`)
    }
    if (object.kind === 'Node') nodeUids.set(name, (created.body as ApiObject).metadata['uid'])
  }
}

function desired(object: ApiObject, nodeUids: ReadonlyMap<string, unknown>): ApiObject {
  const {
    name,
    namespace,
    labels,
    annotations = {},
    ownerReferences,
  } = object.metadata as ApiObject['metadata'] & {
    readonly annotations?: Readonly<Record<string, string>>
    readonly ownerReferences?: PodObject['metadata']['ownerReferences']
  }
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('pv.kubernetes.io/'))),
    ...(object.kind === 'Pod' && ownerReferences !== undefined
      ? { ownerReferences: ownerReferences.map(owner => ({ ...owner, uid: nodeUids.get(owner.name) })) }
      : {}),
  }
  const { status, ...rest } = object
  return { ...rest, metadata, ...(object.kind === 'Node' ? { status } : {}), ...specOf(object) }
}

/** Addresses and identities are the server's to give. */
function specOf({ kind, spec }: ApiObject): { readonly spec?: unknown } {
  if (typeof spec !== 'object' || spec === null) return {}
  if (kind === 'Service') {
    const { clusterIP, clusterIPs, ...rest } = spec as Record<string, unknown>
    return { spec: clusterIP === 'None' ? { ...rest, clusterIP } : rest }
  }
  if (kind === 'PersistentVolume') {
    const { claimRef, ...rest } = spec as { readonly claimRef?: Readonly<Record<string, unknown>> }
    const { uid, resourceVersion, ...claim } = claimRef ?? {}
    return { spec: { ...rest, claimRef: claim } }
  }
  return { spec }
}

/** Waits until a kind is served. */
export async function untilEstablished(client: ApiClient, name: string): Promise<readonly Condition[]> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`
  return await eventually(`CustomResourceDefinition ${name} is established`, async () => {
    const { status } = (await client.want('GET', path)) as { readonly status?: { readonly conditions?: readonly Condition[] } }
    const conditions = status?.conditions ?? []
    return conditions.some(({ type, status }) => type === 'Established' && status === 'True') ? conditions : undefined
  })
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly message?: string
}

/** Looks every 200 ms until there is an answer. @throws Error naming what did not come about. */
export async function eventually<T>(
  what: string | (() => string),
  look: () => T | Promise<T | undefined> | undefined,
  limitMs = 180_000,
): Promise<T> {
  const untilMs = Date.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > untilMs) throw new Error(`not after ${limitMs / 1000} s: ${typeof what === 'string' ? what : what()}`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

/** For two minutes a replacement of the same name counts as the pod that was evicted, where the disruption controller saw no gap. */
const countedLimitMs = 180_000

/** Resolves when every pod of the example is ready and every budget has counted its own. */
export async function untilSteady(client: ApiClient, pods: ReadonlyMap<string, PodObject>, podCount: number): Promise<void> {
  const unready = () => [...pods.values()].filter(pod => !isReady(pod)).map(pod => pod.metadata.name)
  await eventually(
    () => `${podCount} pods; there are ${pods.size}, not ready: ${unready().join(', ')}`,
    () => (pods.size === podCount && unready().length === 0 ? true : undefined),
    120_000,
  )
  const isCountedEverywhere = async () => {
    const budgets = (await client.want('GET', '/apis/policy/v1/poddisruptionbudgets')).items as readonly {
      readonly status?: { readonly currentHealthy: number; readonly expectedPods: number }
    }[]
    const isCounted = ({ status }: (typeof budgets)[number]) =>
      status !== undefined && status.expectedPods > 0 && status.currentHealthy === status.expectedPods
    return budgets.every(isCounted) ? true : undefined
  }
  await eventually('every budget has counted its pods', isCountedEverywhere, countedLimitMs)
}
