// Steering by `prefer`: while a wave runs, nodes outside its acceptable set say "rather not". What is left of it after a crash is
// removed before the first decision.
import type { NodeState } from '#cluster/cluster-state.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { acceptance } from '#planning/sequence/acceptance.ts'
import type { PlanMove, RebalancePlan } from '../../api.ts'
import type { Arbiter } from '../../arbiter/arbiter.ts'
import type { EffectContext } from '../../effects/effect-context.ts'
import { removeTaint, setTaint } from '../../effects/taint.ts'
import type { ClusterView } from '../../facts/cluster-view.ts'
import type { Permit } from '../../permits/permit.ts'
import { askingOf, rebalanceTaint } from '../names.ts'

interface SteeringContext {
  readonly arbiter: Arbiter
  readonly effects: EffectContext
  readonly view: ClusterView
  readonly nodes: Informer<Node>
}

/** Nodes that one permit names. */
const mostTargets = 500

/** How long a scheduler may take to see a taint that was written, in milliseconds. */
const settleMs = 1_000

/** The taint of a plan. Its value is a label value: names of plans are short enough to fit. */
function steeringTaint(plan: string): Taint {
  return { key: rebalanceTaint, value: plan.slice(0, 63), effect: 'PreferNoSchedule' }
}

/** Nodes that are tainted while a wave runs: all but those where some move of it may land. */
export function nodesToTaint(
  nodes: Iterable<string>,
  wave: readonly Pick<PlanMove, 'from' | 'acceptable' | 'closed'>[],
  closing: Pick<RebalancePlan['spec'], 'closedNodes'>,
): readonly string[] {
  const open = wave.map(move => acceptance(closing, move))
  return Array.from(nodes).filter(node => !open.some(accepts => accepts(node)))
}

/**
 * Taints the nodes outside of the wave's acceptable set, and takes the taint off those inside. Under one permit for the wave, or for each 500.
 * @returns why it could not be, or `undefined`
 */
export async function steerWave(
  context: SteeringContext,
  wave: { readonly plan: RebalancePlan; readonly number: number; readonly nodes: readonly string[]; readonly deadlineMs: number },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { effects, view } = context
  const wanted = new Set(wave.nodes)
  const others = taintedNodes(view).filter(node => !wanted.has(node))
  for (const node of others) await clearNode(context, { node, requester: askingOf(wave.plan).requester }, signal)
  const all = Array.from(wanted).flatMap(name => view.state().nodes.get(name) ?? [])
  if (all.length === 0) return undefined
  for (let begun = 0; begun < all.length; begun += mostTargets) {
    const refused = await steerSome(
      context,
      { ...wave, part: begun / mostTargets, targets: all.slice(begun, begun + mostTargets) },
      signal,
    )
    if (refused !== undefined) return refused
  }
  await effects.clock.after(settleMs, signal)
  return undefined
}

/** Under one permit. @returns why it is not given */
async function steerSome(
  context: SteeringContext,
  wave: {
    readonly plan: RebalancePlan
    readonly number: number
    readonly part: number
    readonly targets: readonly NodeState[]
    readonly deadlineMs: number
  },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { arbiter, effects } = context
  const { part, targets } = wave
  const plan = wave.plan.metadata.name
  const reply = await arbiter.request(
    {
      requester: askingOf(wave.plan).requester,
      verb: 'taint',
      purpose: 'steer',
      class: askingOf(wave.plan).class,
      targets: targets.map(nodeTarget),
      workload: undefined,
      disrupts: [],
      reasons: [{ code: 'steer', message: `wave ${wave.number} of ${plan} is to land elsewhere` }],
      idempotencyKey: `${wave.plan.metadata.uid ?? plan}/wave-${wave.number}/steer${part === 0 ? '' : `-${part + 1}`}`,
      batch: wave.plan.spec.batch ?? plan,
      deadlineMs: wave.deadlineMs,
      timeToLiveMs: Math.max(0, wave.deadlineMs - effects.clock.now()),
    },
    signal,
  )
  if (reply.kind === 'not-granted') return reply.sentence
  await taintAll(context, reply.permit, { names: targets.map(({ name }) => name), taint: steeringTaint(plan) }, signal)
  return undefined
}

/**
 * Takes our taint off every node where it does not name a plan that `isOthers` says is somebody else's, then ends the permits it was set
 * under. Safe to call at any time.
 */
export async function endSteering(
  context: SteeringContext,
  end: { readonly requester: string; readonly reason: string; readonly isOthers: (plan: string) => boolean },
  signal: AbortSignal,
): Promise<void> {
  for (const node of taintedNodes(context.view, end.isOthers))
    await clearNode(context, { node, requester: end.requester }, signal)
  for (const record of context.arbiter.unfinished(end.requester)) {
    if (record.purpose === 'steer') await context.arbiter.release(record, { ending: 'done', reason: end.reason }, signal)
  }
}

/** Nodes that carry our taint now, in order of name; those left out that it names a plan of which `isOthers` holds. */
function taintedNodes(view: ClusterView, isOthers: (plan: string) => boolean = () => false): readonly string[] {
  return Array.from(view.state().nodes.values())
    .filter(
      ({ object }) => object.spec?.taints?.some(taint => taint.key === rebalanceTaint && !isOthers(taint.value ?? '')) === true,
    )
    .map(({ name }) => name)
}

async function taintAll(
  context: SteeringContext,
  permit: Permit,
  change: { readonly names: readonly string[]; readonly taint: Taint },
  signal: AbortSignal,
): Promise<void> {
  for (const node of change.names) {
    const outcome = await setTaint(context.effects, permit, { node, taint: change.taint }, signal)
    if (outcome.kind !== 'gone') context.nodes.observe(outcome.node)
  }
}

async function clearNode(
  context: SteeringContext,
  { node, requester }: { readonly node: string; readonly requester: string },
  signal: AbortSignal,
): Promise<void> {
  const outcome = await removeTaint(context.effects, { node, key: rebalanceTaint, requester }, signal)
  if (outcome.kind !== 'gone') context.nodes.observe(outcome.node)
}

function nodeTarget(node: NodeState) {
  const { uid } = node.object.metadata
  return { apiVersion: 'v1', kind: 'Node', name: node.name, ...(uid === undefined ? {} : { uid }) }
}
