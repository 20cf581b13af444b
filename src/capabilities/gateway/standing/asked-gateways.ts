// The gateways of a cluster, each asked how its routes stand when somebody wants to see it: nothing is watched or asked before.
import type { Gateways, GatewaysStanding } from '#coordination/ports/gateway-door.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { servingPods } from '../counts/peers.ts'
import { gatewayService } from '../names.ts'
import { type HeardGateway, mergedStanding } from './merged-standing.ts'
import { readStanding } from './standing-report.ts'

/** Gateways that are asked: as many as tell each other their counts. */
const mostGateways = 64
const atOnce = 16
/** Characters of why one did not answer. */
const longestWhy = 200

interface AskedOptions {
  readonly clock: Clock
  /** EndpointSlices of the gateway's Service. @throws Error where they cannot be listed */
  readonly slices: (signal: AbortSignal) => Promise<readonly KubeObject[]>
  /** A report. @throws Error where none came whole and in time */
  readonly ask: (address: string, signal: AbortSignal) => Promise<{ readonly status: number; readonly body: string }>
}

export class AskedGateways implements Gateways {
  readonly #options: AskedOptions
  #gateways: readonly HeardGateway[] = []
  #state: 'never' | 'listed' | { readonly unlisted: string } = 'never'

  constructor(options: AskedOptions) {
    this.#options = options
  }

  standing(): GatewaysStanding | undefined {
    if (this.#state === 'never') return undefined
    const standing = mergedStanding(this.#gateways, this.#options.clock.elapsed())
    return this.#state === 'listed' ? standing : { ...standing, unlisted: this.#state.unlisted }
  }

  async ask(signal: AbortSignal): Promise<void> {
    let pods: readonly (readonly [string, string])[]
    try {
      const slices = await this.#options.slices(signal)
      pods = [...(servingPods(slices).get(gatewayService.name) ?? [])].toSorted().slice(0, mostGateways)
    } catch (error) {
      if (signal.aborted) return
      // Those that were there are told as of then, and are silent after a while.
      this.#state = { unlisted: shortened(messageOf(error)) }
      return
    }
    const before = new Map(this.#gateways.map(one => [one.name, one]))
    const found: HeardGateway[] = pods.map(([name]) => before.get(name) ?? { name })
    const waiting = [...pods.entries()]
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
        const [at, [name, address]] = next
        found[at] = await this.#heard({ name, address, before: before.get(name) }, signal)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, worker))
    if (signal.aborted) return
    this.#gateways = found
    this.#state = 'listed'
  }

  async #heard(
    { name, address, before }: { readonly name: string; readonly address: string; readonly before: HeardGateway | undefined },
    signal: AbortSignal,
  ): Promise<HeardGateway> {
    const { clock, ask } = this.#options
    const stays = (why: string): HeardGateway => ({ name, heard: before?.heard, why: shortened(why) })
    try {
      const { status, body } = await ask(address, signal)
      if (status !== 200) return stays(`it answers ${status}`)
      const read = readStanding(body)
      return 'problem' in read ? stays(read.problem) : { name, heard: { atMs: clock.elapsed(), routes: read.routes } }
    } catch (error) {
      return stays(messageOf(error))
    }
  }
}

function shortened(text: string): string {
  return text.length > longestWhy ? `${text.slice(0, longestWhy - 1)}…` : text
}
