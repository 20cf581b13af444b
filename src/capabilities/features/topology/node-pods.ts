// The pods of the node as the API server has them: whose processors are their own is in their specification, and the kubelet does not say it.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'
import type { HeldByPod } from './pod-resources-api.ts'
import type { CountedPod } from './zones.ts'

/** Pods that the watch does not have yet are asked for one by one; where there are more the watch is late, and the look is another time. */
const mostAskedPods = 100
const fields = ['spec.containers.resources', 'spec.initContainers.resources', 'status.qosClass', 'status.phase']

interface NodePodsOptions {
  readonly api: Api
  readonly node: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly signal: AbortSignal
}

export class NodePods implements AsyncDisposable {
  readonly #api: Api
  readonly #informers: Informers
  readonly #pods: Informer<Pod>
  readonly #unsubscribe: () => void
  #changes = 0

  constructor({ api, node, ...around }: NodePodsOptions) {
    this.#api = api
    this.#informers = new Informers(api, around)
    this.#pods = this.#informers.of<Pod>(builtIn.pods, { fieldSelector: `spec.nodeName=${node}`, fields })
    this.#unsubscribe = this.#pods.onChange(({ type, object, previous }) => {
      // A pod that begins or ends takes or gives back; what else happens to it changes nothing of that.
      if (type !== 'MODIFIED' || previous?.status?.phase !== object.status?.phase) this.#changes += 1
    })
  }

  /** Grows when a pod comes, begins, ends or goes. */
  get changes(): number {
    return this.#changes
  }

  /** When the pods are known. @throws `signal.reason` */
  async synced(signal: AbortSignal): Promise<void> {
    await this.#informers.allSynced(signal)
  }

  /**
   * Those of `held` that count, with what of theirs does; `namespace` is `*` for all.
   *
   * @throws StatusError, ConnectionError, OutsideError; `signal.reason`
   */
  async counted(held: readonly HeldByPod[], namespace: string, signal: AbortSignal): Promise<readonly CountedPod[]> {
    const counted: CountedPod[] = []
    let asked = 0
    for (const one of held) {
      if ((namespace !== '*' && one.namespace !== namespace) || !holdsAnything(one)) continue
      let pod = this.#pods.store.get(one.namespace, one.name)
      if (pod === undefined) {
        asked += 1
        if (asked > mostAskedPods) throw new OutsideError(`more than ${mostAskedPods} pods of the kubelet are not known yet`)
        pod = await this.#ask(one, signal)
      }
      const found = countedPod(one, pod)
      if (found !== undefined) counted.push(found)
    }
    return counted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#informers[Symbol.asyncDispose]()
  }

  async #ask({ namespace, name }: HeldByPod, signal: AbortSignal): Promise<Pod | undefined> {
    try {
      return await this.#api.resource<Pod>(builtIn.pods).get(name, { namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

function holdsAnything({ containers }: HeldByPod): boolean {
  return containers.some(({ cpuIds, devices, memory }) => cpuIds.length + devices.length + memory.length > 0)
}

/**
 * A pod with what of it counts; undefined: nothing does. A pod that the API server does not know any more holds until the kubelet lets it go: all of it counts, so
 * that nothing is said to be free that is not.
 */
export function countedPod(held: HeldByPod, pod: Pod | undefined): CountedPod | undefined {
  if (pod === undefined) return { held, hasOwnCpus: true }
  // The API server sets the class of every pod when it is made.
  const isGuaranteed = pod.status?.qosClass === 'Guaranteed'
  if (!isGuaranteed && !held.containers.some(({ devices }) => devices.length > 0)) return undefined
  return { held, hasOwnCpus: isGuaranteed && asksForWholeCpus(pod) }
}

function asksForWholeCpus({ spec }: Pod): boolean {
  return [...(spec.initContainers ?? []), ...spec.containers].some(({ resources }) => {
    const cpus = resources?.requests?.['cpu']
    const amount = cpus === undefined ? undefined : parseQuantity(cpus)
    return amount?.ok === true && milliValue(amount.value) % 1_000n === 0n
  })
}
