// A DeschedulerPolicy tried on the copy, cycle by cycle: who goes by which strategy and why, where what replaces it lands, how full the
// nodes are then, and whether it ever comes to rest.
import type { PodState } from '#cluster/cluster-state.ts'
import { arrangementOf } from './arrangement.ts'
import { takeAway } from './controllers.ts'
import type { DeschedulerRun, EvictionWished } from './descheduler-run.ts'
import { nodePictures } from './node-picture.ts'
import { PretendedEvictions } from './pretended-evictions.ts'
import type { DeschedulerCycle, DeschedulerEviction, DeschedulerLoop, DeschedulerSummary, Refused } from './report.ts'
import type { StepContext } from './step-context.ts'

interface CyclesWished {
  readonly cycles: number
  /** From one cycle to the next. */
  readonly intervalMs: number
}

/** Runs the cycles on the context's world; what they come to as a sentence. */
export async function runDescheduler(context: StepContext, run: DeschedulerRun, wished: CyclesWished): Promise<string> {
  const { world } = context
  context.notes.push(...run.notes)
  /** Pods that stand there because another one was evicted in this step. */
  const newcomers = new Set<string>()
  const cycles: DeschedulerCycle[] = []
  const arrangements = [arrangementOf(world.state)]
  for (let number = 1; number <= wished.cycles; number++) {
    if (number > 1) world.setTime(world.nowMs + wished.intervalMs)
    cycles.push(await oneCycle(context, { run, number, newcomers }))
    arrangements.push(arrangementOf(world.state))
  }
  const all = cycles.flatMap(({ evicted }) => evicted)
  const loop = loopIn(arrangements, cycles)
  const summary: DeschedulerSummary = {
    policy: run.policy,
    cycles,
    evicted: all.length,
    evictedAgain: all.filter(({ again }) => again === true).length,
    settled: cycles.at(-1)?.evicted.length === 0,
    ...(loop === undefined ? {} : { loop }),
  }
  context.descheduler = summary
  return sentenceOf(summary)
}

/** The first arrangement that comes back after evictions and is not the end of them: what only landed where it stood is no loop. */
function loopIn(arrangements: readonly string[], cycles: readonly DeschedulerCycle[]): DeschedulerLoop | undefined {
  const first = new Map<string, number>()
  for (const [after, arrangement] of arrangements.entries()) {
    const since = first.get(arrangement)
    if (since === undefined) {
      first.set(arrangement, after)
      continue
    }
    const evicted = cycles.slice(since, after).reduce((sum, cycle) => sum + cycle.evicted.length, 0)
    const goesOn = cycles.slice(after).some(cycle => cycle.evicted.length > 0)
    if (evicted > 0 && goesOn) return { since, after, evicted }
  }
  return undefined
}

function sentenceOf({ cycles, evicted, evictedAgain, settled, loop }: DeschedulerSummary): string {
  const count = `${cycles.length} ${cycles.length === 1 ? 'cycle' : 'cycles'}`
  const again = evictedAgain === 0 ? '' : `, ${evictedAgain} of them in the place of one that was evicted before`
  const end =
    loop !== undefined
      ? `it loops: after cycle ${loop.after} the pods stand as ${loop.since === 0 ? 'at the start' : `after cycle ${loop.since}`}`
      : settled
        ? 'the last cycle evicts none'
        : 'the last cycle still evicts'
  return `${count} of the descheduler: ${evicted} pods are evicted${again}; ${end}`
}

async function oneCycle(
  context: StepContext,
  given: { readonly run: DeschedulerRun; readonly number: number; readonly newcomers: Set<string> },
): Promise<DeschedulerCycle> {
  const { world } = context
  const { state, nowMs } = world
  const pretended = new PretendedEvictions(state, nowMs)
  const evicted: DeschedulerEviction[] = []
  const refused: Refused[] = []
  const said = await given.run.cycle({
    state,
    nowMs,
    evict: wish => {
      const answer = pretended.evict(wish.pod, pod => goneFor(context, pod, given))
      if (answer.kind === 'evicted') {
        evicted.push(told(wish, answer.went, given.newcomers))
        return undefined
      }
      const { code, message, cause, budget } = answer.refusal
      refused.push({
        pod: wish.pod.key,
        code,
        message,
        ...(cause === undefined ? {} : { cause }),
        ...(budget === undefined ? {} : { budget }),
      })
      return answer.refusal
    },
  })
  context.refusals.push(...refused)
  world.stage()
  // Daemons, and what found no place while others stood there.
  world.schedule()
  world.stage()
  const nodes = nodePictures(world.state, new Map(), context.off).map(({ node, pods, cpu, memory }) => ({
    node,
    cpu: cpu.percent,
    memory: memory.percent,
    pods,
  }))
  return { cycle: given.number, ...said, evicted, refused: refused.length, nodes }
}

interface Went {
  readonly next?: string
  readonly node?: string
}

/** The pod goes, and what its controller makes in its place has its turn at once. */
function goneFor(
  context: StepContext,
  pod: PodState,
  { run, newcomers }: { readonly run: DeschedulerRun; readonly newcomers: Set<string> },
): Went {
  const { world } = context
  const after = takeAway(world, pod)
  if (after.kind === 'lost') context.tellLost(pod)
  if (after.kind !== 'replaced') return {}
  const { namespace = 'default', name, uid } = after.pod.metadata
  const next = `${namespace}/${name}`
  if (uid !== undefined) newcomers.add(uid)
  run.replaced(pod.key, next)
  const node = world.placeFirst(after.pod, {})
  return { next, ...(node === undefined ? {} : { node }) }
}

function told(
  { pod, profile, strategy, reason }: EvictionWished,
  { next, node }: Went,
  newcomers: ReadonlySet<string>,
): DeschedulerEviction {
  return {
    pod: pod.key,
    workload: pod.workload === undefined ? '' : `${pod.workload.kind}/${pod.workload.name}`,
    from: pod.nodeName ?? '',
    profile,
    strategy,
    reason,
    ...(next === undefined ? {} : { replacedBy: next }),
    ...(node === undefined ? {} : { to: node }),
    ...(newcomers.has(pod.uid) ? { again: true } : {}),
  }
}
