// Plays the kubelets of a real control plane that has none: pods that are bound run and are ready at once, pods that are being
// stopped are gone at once. It can stand in for the scheduler as well, to put pods where a test wants them.
import type { ApiClient, ApiObject } from '../control-plane/api-client.ts'

export interface PodObject extends ApiObject {
  readonly metadata: ApiObject['metadata'] & {
    readonly namespace: string
    readonly uid: string
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[]
  }
  readonly spec: {
    readonly nodeName?: string
    readonly containers: readonly { readonly name: string; readonly image: string }[]
    readonly [field: string]: unknown
  }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

export interface TinyKubelet {
  /** All pods as the watch has them. */
  readonly pods: ReadonlyMap<string, PodObject>
  /** Ends it; throws what went wrong. */
  stop(): Promise<void>
  /** What went wrong so far. */
  readonly failure: Error | undefined
}

/** The node for a pod that is not bound yet; undefined leaves it to the scheduler. */
export type Place = (pod: PodObject) => string | undefined

export function isReady(pod: PodObject): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** Begins to watch all pods. */
export async function startTinyKubelet(client: ApiClient, place: Place = () => undefined): Promise<TinyKubelet> {
  const list = await client.want('GET', '/api/v1/pods')
  const pods = new Map<string, PodObject>()
  const started = new Set<string>()
  const bound = new Set<string>()
  const stop = new AbortController()
  const working = new Set<Promise<void>>()
  let failure: Error | undefined
  const act = async (pod: PodObject) => {
    const { uid } = pod.metadata
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`
    if (pod.metadata.deletionTimestamp !== undefined) {
      const events = `/api/v1/namespaces/${pod.metadata.namespace}/events`
      const told = started.has(uid) ? await client.send('POST', events, killing(pod)) : undefined
      // A namespace that is being deleted takes nothing new.
      if (told !== undefined && told.status !== 403) tolerate(told, 'tell of', pod)
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } }
      tolerate(await client.send('DELETE', path, body), 'stop', pod)
    } else if (pod.spec.nodeName === undefined) {
      const node = bound.has(uid) ? undefined : place(pod)
      if (node === undefined) return
      bound.add(uid)
      const target = { apiVersion: 'v1', kind: 'Node', name: node }
      const { name, namespace } = pod.metadata
      tolerate(
        await client.send('POST', `${path}/binding`, {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target,
        }),
        'bind',
        pod,
      )
    } else if (!started.has(uid)) {
      started.add(uid)
      tolerate(await client.send('PATCH', `${path}/status`, { metadata: { uid }, status: runningStatus(pod) }), 'start', pod)
    }
  }
  const see = (type: string, pod: PodObject) => {
    if (type === 'DELETED') {
      pods.delete(pod.metadata.uid)
      return
    }
    pods.set(pod.metadata.uid, pod)
    const work = act(pod).catch((cause: Error) => {
      failure ??= cause
    })
    working.add(work)
    void work.finally(() => working.delete(work))
  }
  for (const pod of list.items as PodObject[]) see('ADDED', pod)
  const watching = (async () => {
    const from = list.metadata.resourceVersion ?? '0'
    for await (const { type, object } of client.watch('/api/v1/pods', from, stop.signal)) {
      if (type === 'ERROR') throw new Error(`the kubelet's watch ended: ${JSON.stringify(object)}`)
      see(type, object as PodObject)
    }
    if (!stop.signal.aborted) throw new Error("the kubelet's watch was closed")
  })().catch((cause: Error) => {
    if (!stop.signal.aborted) failure ??= cause
  })
  return {
    pods,
    get failure() {
      return failure
    },
    async stop() {
      stop.abort()
      await watching
      await Promise.all(working)
      if (failure !== undefined) throw failure
    },
  }
}

/** What kubelets say of each pod that they stop: after a while it is all that tells of a pod that somebody deleted. */
function killing({ metadata, spec }: PodObject) {
  const { namespace, name, uid } = metadata
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, generateName: `${name}.` },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    type: 'Normal',
    reason: 'Killing',
    message: `Stopping container ${spec.containers[0]?.name ?? ''}`,
    source: { component: 'kubelet', host: spec.nodeName },
    reportingComponent: 'kubelet',
    reportingInstance: spec.nodeName,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
}

/** A pod may be gone, or be another of its name, before the kubelet gets to it. */
function tolerate({ status, body }: { readonly status: number; readonly body: unknown }, what: string, pod: PodObject): void {
  if (status < 300 || status === 404 || status === 409) return
  throw new Error(`${what} ${pod.metadata.namespace}/${pod.metadata.name}: ${status} ${JSON.stringify(body)}`)
}

function runningStatus(pod: PodObject) {
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  return {
    phase: 'Running',
    startTime: now,
    conditions: ['Initialized', 'PodReadyToStartContainers', 'ContainersReady', 'Ready', 'PodScheduled'].map(type => ({
      type,
      status: 'True',
      lastTransitionTime: now,
    })),
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  }
}
