// What a kubelet's `/stats/summary` says of local disks: the bytes that a node's filesystem has in use, and of each container its writable
// layer and its logs. Volumes of a pod are no container's, and so are not told.
import { readItems } from '#kube/client/list-stream.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { containersLimit } from './known-containers.ts'
import { type ContainerName, type NodeReading, unbelievable } from './reading.ts'

/** Bytes of a pod's part: a hundred containers and volumes fit. */
const largestPod = 256 * 1024

/** Undefined, or not there: not known, which is not nothing. */
export interface StorageReading {
  readonly node: number | undefined
  /** By namespace, pod and name. */
  readonly containers: ReadonlyMap<string, number>
  /** Figures that nobody can have measured. */
  readonly rejected: number
}

/** The answer is JSON, and no summary. */
export class NoSummaryError extends Error {
  override readonly name = 'NoSummaryError'
}

function containerKey({ namespace, pod, container }: ContainerName): string {
  return `${namespace}/${pod}/${container}`
}

/** @throws NoSummaryError; ListDecodeError for what is no JSON; what `nextTurn` throws */
export async function readStorage(body: Uint8Array, nextTurn: () => Promise<void>): Promise<StorageReading> {
  const containers = new Map<string, number>()
  let rejected = 0
  let pods = 0
  const believed = (bytes: unknown): number | undefined => {
    if (bytes === undefined || bytes === null) return undefined
    if (typeof bytes === 'number' && Number.isInteger(bytes) && unbelievable(bytes, 0) === undefined) return bytes
    rejected++
    return undefined
  }
  const rest = await readItems(body, {
    key: 'pods',
    mostItemBytes: largestPod,
    breathe: nextTurn,
    visit: pod => {
      if (++pods > containersLimit) throw new NoSummaryError(`the answer is no summary: it has more than ${containersLimit} pods`)
      const [namespace, name] = [textAt(pod, 'podRef', 'namespace'), textAt(pod, 'podRef', 'name')]
      for (const one of listAt(pod, 'containers')) {
        const container = textAt(one, 'name')
        const [layer, logs] = [believed(at(one, 'rootfs', 'usedBytes')), believed(at(one, 'logs', 'usedBytes'))]
        // A part would pass for the whole.
        const bytes = layer === undefined || logs === undefined ? undefined : believed(layer + logs)
        if (!namespace || !name || !container || containers.size >= containersLimit) rejected++
        else if (bytes !== undefined) containers.set(containerKey({ namespace, pod: name, container }), bytes)
      }
    },
  })
  if (textAt(rest, 'node', 'nodeName') === undefined) throw new NoSummaryError('the answer is no summary: it names no node')
  return { node: believed(at(rest, 'node', 'fs', 'usedBytes')), containers, rejected }
}

/** Adds what is known of disks to what was measured. */
export function addStorage(reading: NodeReading, storage: StorageReading): void {
  reading.node.storageBytes = storage.node
  for (const container of reading.containers) container.storageBytes = storage.containers.get(containerKey(container))
}
