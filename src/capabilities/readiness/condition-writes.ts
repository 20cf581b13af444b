// What the leader writes into conditions of nodes: that an agent is silent, and which rules are over their time. Each write rests on the node
// as it was read: an agent that speaks again meanwhile wins.

import type { Leading } from '#coordination/capability.ts'
import { effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import { capabilityName } from './names.ts'
import { decideNode, type NodeDecision, type World } from './node-decision.ts'
import { nodeFacts } from './node-facts.ts'
import type { ReadinessTelling } from './telling.ts'

/** Conditions of one look; the rest follow with the next. */
const mostTogether = 500

/** Nodes that are written at a time. */
const atOnce = 8

interface ConditionWritesOptions {
  readonly leading: Leading
  readonly nodes: Informer<Node>
  readonly telling: ReadinessTelling
  readonly log: Log
}

export class ConditionWrites {
  readonly #options: ConditionWritesOptions

  constructor(options: ConditionWritesOptions) {
    this.#options = options
  }

  /** Writes what `decisions` tell, decided once more on the nodes as they are now. @returns whether all is written @throws what stops us as a whole */
  async write(decisions: readonly NodeDecision[], world: World, signal: AbortSignal): Promise<boolean> {
    const telling = decisions.filter(({ conditions, own }) => conditions.length > 0 || own.gaveUp.length > 0)
    const left = telling.slice(0, mostTogether)
    let isDone = left.length === telling.length
    const work = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift())
        if (!(await this.#one(next.node, world, signal))) isDone = false
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    return isDone
  }

  async #one(
    { name, uid }: { readonly name: string; readonly uid: string },
    world: World,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { leading, nodes, telling, log } = this.#options
    const { effects } = leading
    const known = nodes.store.get(undefined, name)
    if (known?.metadata.uid !== uid) return true
    const decision = decideNode(nodeFacts(known), world, effects.clock.now())
    if (decision.conditions.length === 0) return true
    const body = { metadata: { resourceVersion: known.metadata.resourceVersion }, status: { conditions: decision.conditions } }
    const options = {
      ...effectOptions(capabilityName, undefined, { guard: leadingGuard(effects), signal }),
      subresource: 'status',
    }
    try {
      nodes.observe(await effects.api.resource<Node>(builtIn.nodes).patch(name, { type: 'strategic', body }, options))
      telling.conditionsWritten(decision)
      return true
    } catch (error) {
      if (isNotFound(error)) return true
      if (!(error instanceof StatusError)) throw error
      if (!isConflict(error)) log.warn({ node: name, why: messageOf(error) }, 'conditions of a node are not written, tried again')
      return false
    }
  }
}
