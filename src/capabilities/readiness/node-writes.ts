// Carries out what was decided of nodes: one permit for all that get a taint, one patch a node, decided once more on the node as the server has
// it. A node that cannot be written holds up no other.
import { createHash } from 'node:crypto'
import type { Leading } from '#coordination/capability.ts'
import { markNode, unmarkNode } from '#coordination/effects/taint.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import { capabilityName } from './names.ts'
import { decideNode, isNothing, type NodeDecision, takesRoom, type World, withoutTaking } from './node-decision.ts'
import { nodeFacts } from './node-facts.ts'
import type { NodeReadinessRule } from './rules/node-readiness-rule.ts'
import type { ReadinessTelling } from './telling.ts'

/** Nodes of one permit. */
const mostTogether = 500
/** Nodes that are written at a time. */
const atOnce = 8
const permitMs = 60_000

interface NodeWritesOptions {
  readonly leading: Leading
  readonly nodes: Informer<Node>
  readonly telling: ReadinessTelling
  readonly log: Log
}

interface Around {
  readonly world: World
  readonly rules: readonly NodeReadinessRule[]
}

export class NodeWrites {
  readonly #options: NodeWritesOptions
  #isClean = false

  constructor(options: NodeWritesOptions) {
    this.#options = options
  }

  /** Gives back what an earlier leader was granted: whatever of it was done shows on the nodes, and the rest is asked for anew. */
  async finish(signal: AbortSignal): Promise<void> {
    if (this.#isClean) return
    const { arbiter } = this.#options.leading
    for (const record of arbiter.unfinished(capabilityName))
      await arbiter.release(record, { ending: 'withdrawn', reason: 'a later leader looks at the nodes anew' }, signal)
    this.#isClean = true
  }

  /** Writes all of `decisions`. @returns why not, by the node's name @throws what stops us as a whole */
  async write(decisions: readonly NodeDecision[], around: Around, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const failures = new Map<string, string>()
    const taking = decisions.filter(({ node, marks }) => takesRoom(node, marks))
    const others = decisions.filter(({ node, marks }) => !takesRoom(node, marks))
    await this.#each(others, decision => this.#unmark(decision, around, signal), failures)
    for (let at = 0; at < taking.length; at += mostTogether)
      await this.#take(taking.slice(at, at + mostTogether), { around, failures }, signal)
    return failures
  }

  async #take(
    decisions: readonly NodeDecision[],
    { around, failures }: { readonly around: Around; readonly failures: Map<string, string> },
    signal: AbortSignal,
  ): Promise<void> {
    const { leading, log } = this.#options
    const { arbiter, effects } = leading
    const reply = await arbiter.request(intentOf(decisions, effects.clock.now()), signal)
    if (reply.kind !== 'granted') {
      log.warn({ nodes: decisions.length, why: reply.sentence }, 'taints are not granted')
      for (const { node } of decisions) failures.set(node.name, reply.sentence)
      await this.#each(decisions, decision => this.#unmark(decision, around, signal), failures)
      return
    }
    const before = failures.size
    await this.#each(decisions, decision => this.#mark(decision, { around, permit: reply.permit }, signal), failures)
    const failed = failures.size - before
    const end =
      failed === 0
        ? ({ ending: 'done', reason: `${decisions.length} nodes are tainted` } as const)
        : ({ ending: 'failed', reason: `${failed} of ${decisions.length} nodes could not be written` } as const)
    await arbiter.release(reply.permit.record, end, signal)
  }

  async #each(
    decisions: readonly NodeDecision[],
    act: (decision: NodeDecision) => Promise<void>,
    failures: Map<string, string>,
  ): Promise<void> {
    const left = [...decisions]
    const work = async () => {
      for (let decision = left.shift(); decision !== undefined; decision = left.shift()) {
        try {
          await act(decision)
        } catch (error) {
          if (!(error instanceof StatusError)) throw error
          failures.set(decision.node.name, messageOf(error))
          this.#options.telling.failed(decision)
          this.#options.log.warn({ node: decision.node.name, why: messageOf(error) }, 'a node is not written, tried again')
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  }

  async #mark(
    decision: NodeDecision,
    { around, permit }: { readonly around: Around; readonly permit: Permit },
    signal: AbortSignal,
  ): Promise<void> {
    const { leading, nodes, telling } = this.#options
    let last = decision
    const marks = (node: Node) => {
      last = decideNode(nodeFacts(node), around.world, leading.effects.clock.now())
      return isNothing(last.marks) ? undefined : last.marks
    }
    const { name, uid } = decision.node
    const outcome = await markNode(leading.effects, permit, { node: name, uid, marks }, signal)
    if (outcome.kind === 'gone') return
    nodes.observe(outcome.node)
    if (outcome.kind === 'written') telling.written(last, outcome.node, around.rules, leading.effects.clock.now())
  }

  async #unmark(decision: NodeDecision, around: Around, signal: AbortSignal): Promise<void> {
    const { leading, nodes, telling } = this.#options
    let last = decision
    const marks = (node: Node) => {
      const facts = nodeFacts(node)
      last = decideNode(facts, around.world, leading.effects.clock.now())
      const free = withoutTaking(facts, last.marks)
      return isNothing(free) ? undefined : free
    }
    const { name, uid } = decision.node
    const outcome = await unmarkNode(leading.effects, { node: name, uid, requester: capabilityName, marks }, signal)
    if (outcome.kind === 'gone') return
    nodes.observe(outcome.node)
    if (outcome.kind === 'written') telling.written(last, outcome.node, around.rules, leading.effects.clock.now())
  }
}

/** A wish to taint nodes: nothing that runs is taken from anybody. The same nodes and taints have the same key. */
function intentOf(decisions: readonly NodeDecision[], nowMs: number): Intent {
  const wished = decisions.map(
    ({ node, marks }) => `${node.uid} ${marks.add.map(({ key, effect }) => `${key}:${effect}`).join(' ')}`,
  )
  const keys = [...new Set(decisions.flatMap(({ marks }) => marks.add.map(({ key }) => key)))].sort()
  return {
    requester: capabilityName,
    verb: 'taint',
    purpose: 'steer',
    class: 'correctness',
    targets: decisions.map(({ node }) => ({ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid })),
    workload: undefined,
    disrupts: [],
    reasons: [{ code: 'not-ready', message: `not ready yet: ${keys.slice(0, 8).join(', ')}` }],
    idempotencyKey: createHash('sha256').update(wished.toSorted().join('\n')).digest('hex'),
    deadlineMs: nowMs + permitMs,
    timeToLiveMs: permitMs,
  }
}
