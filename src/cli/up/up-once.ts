// `ballast up --once`: the run on a virtual clock, to its end, as a story or as one document.
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { latestTraceMs } from '#kube/time/time.ts'
import type { ExitCode } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { type NodeFigures, nodeTable } from '../terminal/node-table.ts'
import { exitCodeOf, type RunEnd, type RunWatch } from './rebalance-run.ts'
import { load, logFor, seedOf, type UpOptions } from './up-options.ts'
import { figuresOf, withRun } from './up-run.ts'
import { tell, tellEnd } from './up-story.ts'

/** Time of the cluster after which a run will never be over. */
const longestRunMs = 24 * 3_600_000

/** A plan that does not go on so long after its foretold end waits for somebody, and here is nobody. */
const patienceMs = 3_600_000

/** @returns 0 goals met, 3 not met, 4 cannot be met */
export async function runOnce(options: UpOptions, surroundings: Surroundings): Promise<ExitCode> {
  const loaded = await load(options, surroundings)
  const { terminal, signal } = surroundings
  const clock = new VirtualClock(startOf(loaded.objects))
  const seed = seedOf(options, surroundings)
  const story = options.output === 'table' ? tell(terminal, clock, { goals: loaded.goals }) : silentWatch
  const setting = {
    clock,
    seed,
    hold: options.hold === true,
    log: logFor(options, clock),
    watch: story,
    signal,
    ending: surroundings.ending,
    patienceMs,
  }
  return await withRun(loaded, setting, async (cluster, run) => {
    const before = await figuresOf(cluster.admin, loaded.policy, signal)
    if (options.output === 'table') terminal.write(`${nodeTable(before, terminal.colour)}\n`)
    let isDone = false
    const running = run().finally(() => {
      isDone = true
    })
    const driving = clock.runUntil(() => isDone, { limitMs: longestRunMs, signal })
    const [end] = await Promise.all([running, driving])
    const after = await figuresOf(cluster.admin, loaded.policy, signal)
    const code = exitCodeOf(end)
    if (options.output === 'json') terminal.write(JSON.stringify(runDocument({ seed, before, after, end, code }), undefined, 2))
    else tellEnd({ terminal, after, end, code })
    return code
  })
}

const hourMs = 3_600_000
const startWithoutAges = Date.UTC(2026, 0, 1)

/** When a virtual clock starts: an hour after the newest object was made. Of the host's time nothing is in a run, so that it can be had again. */
function startOf(objects: readonly KubeObject[]): number {
  const made = objects.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')).filter(ms => ms <= latestTraceMs)
  return made.length === 0 ? startWithoutAges : made.reduce((a, b) => Math.max(a, b)) + hourMs
}

const silentWatch: RunWatch = { proposed: () => Promise.resolve(), step: () => undefined, replaced: () => undefined }

function runDocument(run: {
  readonly seed: number
  readonly before: readonly NodeFigures[]
  readonly after: readonly NodeFigures[]
  readonly end: RunEnd
  readonly code: ExitCode
}) {
  const { plans, permits } = run.end
  return {
    seed: run.seed,
    exitCode: run.code,
    before: run.before,
    after: run.after,
    plans: plans.map(plan => ({
      name: plan.metadata.name,
      phase: plan.status?.phase,
      message: plan.status?.message,
      objective: plan.status?.objective,
      goals: plan.status?.goals,
      snapshotHash: plan.spec.snapshotHash,
      unmovable: plan.status?.unmovable,
    })),
    moves: plans.flatMap(plan =>
      plan.spec.moves.map(({ certificate: _proof, ...move }) => ({
        plan: plan.metadata.name,
        ...move,
        step: plan.status?.steps?.find(step => step.id === move.id),
      })),
    ),
    permits: permits.map(permit => ({
      namespace: permit.metadata.namespace,
      name: permit.metadata.name,
      ...permit.spec,
      status: permit.status,
    })),
  }
}
