// The containers that somebody went into: what commands wrote there stays until the container ends, or others were used since.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { textAt } from '../json-value.ts'
import { statusOf } from './asked-container.ts'
import { ContainerFiles } from './container-files.ts'
import { environmentOf } from './downward-values.ts'
import { hostnameOf, type Lookup } from './pod-data.ts'
import { Shell } from './shell.ts'

/** Each holds up to 8 MiB; the least used is forgotten. */
const mostOpenContainers = 32

type GetObject = (resource: 'configmaps' | 'secrets', namespace: string | undefined, name: string) => KubeObject | undefined

/** Makes the shell of one command. */
export type OpenShell = (signal: AbortSignal, isInteractive: boolean) => Shell

export class OpenContainers {
  readonly #files = new LRUCache<string, ContainerFiles>({ max: mostOpenContainers })
  readonly #clock: Clock
  readonly #get: GetObject

  constructor(clock: Clock, get: GetObject) {
    this.#clock = clock
    this.#get = get
  }

  /** The running container of that name. Mounted objects are read when it is first opened. */
  open(pod: KubeObject, container: string): OpenShell {
    const { namespace, uid } = pod.metadata
    const lookup: Lookup = (resource, name) => this.#get(resource, namespace, name)
    const key = `${uid} ${container} ${textAt(statusOf(pod, container), 'state', 'running', 'startedAt') ?? ''}`
    const files = this.#files.get(key) ?? new ContainerFiles(pod, container, lookup)
    this.#files.set(key, files)
    return (signal, isInteractive) =>
      new Shell({
        files,
        environment: environmentOf(pod, container, lookup),
        hostname: hostnameOf(pod),
        clock: this.#clock,
        signal,
        isInteractive,
      })
  }
}
