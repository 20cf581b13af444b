// Lets the agent's own node go when no controller does: one write without a leader, under a right that the server narrows to this node and
// to taking our taint away.
import type { NodeContext } from '#coordination/capability.ts'
import { unmarkOwnNode } from '#coordination/effects/taint.ts'
import type { Api } from '#kube/client/api.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ReadinessConfig } from '../config.ts'
import { timeoutsCounter } from '../metrics.ts'
import { capabilityName, isOwnTaint, timedOutCondition } from '../names.ts'
import { type NodeFacts, nodeFacts } from '../node-facts.ts'
import { nodeReference } from '../telling.ts'
import { decideOwnRelease, nowOnServer, type OwnRelease } from './own-release.ts'
import type { NodeCondition } from './reporter-decision.ts'

/** How long an agent has to have seen the taint itself: the clock of a node that just started may be wrong. */
const seenMs = 60_000
/** After a refusal it is tried again: rights may come. */
const refusedMs = 5 * 60_000

interface Around {
  readonly api: Api
  readonly events: EventRecorder
  readonly config: ReadinessConfig
}

export class OwnNodeRelease {
  readonly #context: Pick<NodeContext, 'clock' | 'log' | 'metrics'>
  /** Since when the taint is seen, and when it may be tried again, in milliseconds of the clock that nobody sets. */
  #seenSinceMs: number | undefined
  #againMs = 0
  #heldWhy: string | undefined

  constructor(context: Pick<NodeContext, 'clock' | 'log' | 'metrics'>) {
    this.#context = context
  }

  /** One look at the node as it was just read. What the server refuses is logged, and tried again after five minutes. @throws what is no answer of the server */
  async look(read: Node, around: Around, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const node = nodeFacts(read)
    if (!node.taints.some(isOwnTaint)) {
      this.#seenSinceMs = undefined
      return
    }
    const elapsedMs = clock.elapsed()
    this.#seenSinceMs ??= elapsedMs
    if (elapsedMs - this.#seenSinceMs < seenMs || elapsedMs < this.#againMs) return
    const decision = decideOwnRelease(node, around.config, nowOnServer(read, around.config, clock.now()))
    if (decision.kind === 'held' && decision.why !== this.#heldWhy)
      log.warn({ node: node.name, why: decision.why }, 'no controller looks at the node, and it is held as its rule says')
    this.#heldWhy = decision.kind === 'held' ? decision.why : undefined
    if (decision.kind !== 'released') return
    try {
      await this.#write(node, around, signal)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      this.#againMs = elapsedMs + refusedMs
      log.warn({ node: node.name, why: messageOf(error) }, 'no controller lets the node go, and its agent may not')
    }
  }

  async #write(node: NodeFacts, { api, events, config }: Around, signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#context
    let done: OwnRelease | undefined
    const { name, uid } = node
    const outcome = await unmarkOwnNode(
      { api },
      {
        node: name,
        uid,
        requester: capabilityName,
        // Decided on the node as the server has it: a controller may have come.
        marks: now => {
          done = decideOwnRelease(nodeFacts(now), config, nowOnServer(now, config, clock.now()))
          return done.kind === 'released' ? done.marks : undefined
        },
      },
      signal,
    )
    if (outcome.kind !== 'written' || done?.kind !== 'released') return
    const { unmet } = done
    const what = unmet.map(({ rule, why }) => `rule '${rule}': ${why}`).join('; ')
    const note = `the agent lets the node go, no controller did in time${what === '' ? '' : `: ${what}`}`
    log.warn({ node: name, unmet: what }, 'no controller lets the node go, its agent did')
    events.emit({
      type: 'Warning',
      reason: 'ReadinessTimeout',
      action: 'RemoveTaint',
      regarding: nodeReference(node),
      note: note.slice(0, longestNote),
      distinction: 'released by the agent',
    })
    await this.#tell(name, { api, what }, signal)
    if (metrics !== undefined) for (const { rule } of unmet) timeoutsCounter(metrics).inc({ rule, outcome: 'released-by-agent' })
  }

  /** The condition that a controller would have written: it puts its own words there when it is back. */
  async #tell(node: string, { api, what }: { readonly api: Api; readonly what: string }, signal: AbortSignal): Promise<void> {
    if (what === '') return
    const now = formatTime(this.#context.clock.now())
    const condition: NodeCondition = {
      type: timedOutCondition,
      status: 'True',
      reason: 'ReleasedByAgent',
      message: what.slice(0, longestNote),
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    }
    const body = { status: { conditions: [condition] } }
    const options = { signal, subresource: 'status', fieldManager: `ballast-${capabilityName}` }
    await api.resource<Node>(builtIn.nodes).patch(node, { type: 'strategic', body }, options)
  }
}

/** Characters; the API server takes no longer note of an event. */
const longestNote = 1_024
