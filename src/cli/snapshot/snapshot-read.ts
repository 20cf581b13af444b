// Every object of a live cluster, kind by kind in a fixed order; nothing is written, and what cannot be read is told.
import type { Api } from '#kube/client/api.ts'
import { RequestTimeoutError } from '#kube/client/connection-error.ts'
import type { Discovery } from '#kube/client/discovery.ts'
import { ListDecodeError } from '#kube/client/list-stream.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { apiVersionOf, type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { isExpired, isForbidden, isNotFound, StatusError } from '#kube/objects/status.ts'

type ListedKind = Discovery['resources'][number]

/** Left out unless asked for: they pass, and say nothing of what the cluster is made of. */
export const passingKinds = ['events', 'leases'] as const

interface ReadClusterOptions {
  readonly api: Api
  /** Whether a kind that can be listed goes into the snapshot. */
  readonly wants: (kind: GroupVersionResource) => boolean
  readonly signal: AbortSignal
  /** A kind, or a group of them, that cannot be read, in a sentence. */
  readonly onLeftOut: (sentence: string) => void
  /** After each page: the kind, as in `kubectl get`, and how many objects of it there are so far. */
  readonly onProgress: (kind: string, objects: number) => void
}

/**
 * The objects by group, kind, namespace and name; memory holds one kind at a time. An object that is served in several groups comes once.
 * @throws StatusError where the server does not say what it serves, ConnectionError where it is not reached any more
 */
export async function* readCluster(options: ReadClusterOptions): AsyncGenerator<KubeObject> {
  const { api, signal } = options
  const { resources, unavailable } = await api.discover(signal)
  for (const { groupVersion, why } of unavailable)
    options.onLeftOut(`${groupVersion} does not answer, its kinds are left out: ${why}`)
  const seen = new Set<string>()
  for (const kind of listedKinds(resources.filter(options.wants))) {
    for (const object of await objectsOf(kind, options)) {
      const { uid } = object.metadata
      if (uid !== undefined && seen.has(uid)) continue
      if (uid !== undefined) seen.add(uid)
      yield object
    }
  }
}

/** The kinds to list: of each the version that its group names first, in the order of the snapshot. */
function listedKinds(resources: Discovery['resources']): ListedKind[] {
  const kinds = new Map<string, ListedKind>()
  for (const resource of resources) {
    // ComponentStatuses are made up on each read.
    if (!resource.verbs.includes('list') || resource.kind === 'ComponentStatus') continue
    const key = resourceKey(resource)
    if (!kinds.has(key)) kinds.set(key, resource)
  }
  return [...kinds.values()].sort((a, b) => inOrder(a.group, b.group) || inOrder(a.kind, b.kind))
}

async function objectsOf(kind: ListedKind, options: ReadClusterOptions): Promise<readonly KubeObject[]> {
  const name = resourceKey(kind)
  try {
    const listed = await listWhole(kind, options)
    const objects = listed.filter(object => typeof object.metadata?.name === 'string')
    if (objects.length < listed.length)
      options.onLeftOut(`${name}: ${listed.length - objects.length} objects without a name are left out`)
    return objects
      .map(({ apiVersion: _version, kind: _kind, ...rest }) => ({
        apiVersion: apiVersionOf(kind),
        kind: kind.kind,
        ...rest,
      }))
      .sort(
        (a, b) => inOrder(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || inOrder(a.metadata.name, b.metadata.name),
      )
  } catch (error) {
    options.signal.throwIfAborted()
    const sentence = leftOutSentence(name, error)
    if (sentence === undefined) throw error
    options.onLeftOut(sentence)
    return []
  }
}

/** Page by page; where the pages' snapshot expires midway in one go, as client-go does, so that a busy cluster does not keep it from an end. */
async function listWhole(
  kind: GroupVersionResource,
  { api, signal, onProgress }: ReadClusterOptions,
): Promise<readonly KubeObject[]> {
  const resource = api.resource(kind)
  let objects: KubeObject[] = []
  try {
    for await (const page of resource.pages({ signal })) {
      for (const item of page.items) objects.push(item)
      onProgress(resourceKey(kind), objects.length)
    }
  } catch (error) {
    if (!isExpired(error)) throw error
    objects = []
    await resource.visit({ signal }, item => objects.push(item))
    onProgress(resourceKey(kind), objects.length)
  }
  return objects
}

/** Why a kind is left out; `undefined` where the error is the whole cluster's. */
function leftOutSentence(name: string, error: unknown): string | undefined {
  if (isForbidden(error)) return `${name} may not be read and are left out: ${error.message}`
  if (isNotFound(error)) return `${name} are not served any more and are left out`
  if (error instanceof StatusError && error.code !== 401) return `${name} cannot be listed and are left out: ${error.message}`
  if (error instanceof RequestTimeoutError) return `${name} did not come in time and are left out: ${error.message}`
  if (error instanceof ListDecodeError) return `${name} cannot be read and are left out: ${error.message}`
  return undefined
}

/** By code units, as object keys are stored: the same on every machine. */
const inOrder = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
