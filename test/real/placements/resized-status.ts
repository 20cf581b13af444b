// Status of pods whose resources are being changed in place: what they run with differs from what they ask for.
import type { ApiObject } from '../control-plane/api-client.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface ResizedRequests {
  readonly allocated: Readonly<Record<string, string>>
  readonly actual: Readonly<Record<string, string>>
  /** Container statuses that say so: of the first container alone, or of all. */
  readonly isWhole: boolean
}

export function resizedRequests(random: SeededRandom): ResizedRequests {
  const requests = () => ({ cpu: random.pick(['20m', '300m', '700m']), memory: random.pick(['32Mi', '256Mi', '900Mi']) })
  return { allocated: requests(), actual: requests(), isWhole: random.chance(0.7) }
}

export interface ResizeOptions {
  readonly resized: ResizedRequests
  /** The node can never give what the pod asks for by now. */
  readonly isInfeasible: boolean
  /** Version of the scheduler: a cluster of 1.34 knows no resizing of the resources of whole pods. */
  readonly version: MinorVersion
}

/** The status for a created pod. */
export function resizedStatus(pod: ApiObject, { resized, isInfeasible, version }: ResizeOptions): object {
  const { containers, initContainers = [], resources } = pod.spec as PodResources
  const statusOf = ({ name, image }: ContainerName) => ({
    name,
    image,
    imageID: image,
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: {} },
    allocatedResources: resized.allocated,
    resources: { requests: resized.actual },
  })
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')
  const infeasible = { type: 'PodResizePending', status: 'True', reason: 'Infeasible', message: 'does not fit' }
  const deferred = { type: 'PodResizePending', status: 'True', reason: 'Deferred', message: 'does not fit yet' }
  return {
    phase: 'Running',
    conditions: [isInfeasible ? infeasible : deferred],
    containerStatuses: containers.slice(0, resized.isWhole ? containers.length : 1).map(statusOf),
    ...(sidecars.length === 0 || !resized.isWhole ? {} : { initContainerStatuses: sidecars.map(statusOf) }),
    ...(resources === undefined || version === '1.34'
      ? {}
      : { allocatedResources: resized.allocated, resources: { requests: resized.actual } }),
  }
}

interface ContainerName {
  readonly name: string
  readonly image: string
  readonly restartPolicy?: string
}

interface PodResources {
  readonly containers: readonly ContainerName[]
  readonly initContainers?: readonly ContainerName[]
  readonly resources?: object
}
