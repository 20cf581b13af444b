// Any scenario with its controller killed once, before or after one of its writes. A scenario says what there is, how it is driven and
// what must hold at its end; the harness counts the writes of a run that nobody kills, then kills at each and judges how the next
// controller ends it. At the transport and on a virtual clock: what is killed sends and hears nothing more.
import { describe, expect, test } from 'vitest'
import type { DisruptionPermit } from '#coordination/api.ts'
import { wishKey } from '#coordination/intent.ts'
import { singlesOf } from '#coordination/permits/shared-permit.ts'
import type { Node, Pod } from '#kube/objects/objects.ts'
import {
  type ControlledCluster,
  type ControlledOptions,
  controlledCluster,
  type Kill,
  type Outage,
} from './controlled-cluster.ts'

export interface Scenario {
  readonly name: string
  readonly cluster: Omit<ControlledOptions, 'kill'>
  /** Does what people and other programs do, and resolves when the scenario is over, whichever controller ended it. */
  drive(cluster: ControlledCluster): Promise<void>
  /** What the scenario itself asks for beyond the harness's own checks: a line for each thing that is wrong. */
  faults?(cluster: ControlledCluster): readonly string[]
}

/** What the harness reads of a run; a run over HTTPS and in real time has it too. */
export type Judged = Pick<ControlledCluster, 'twin' | 'list' | 'forbidden'>

export interface Outcome {
  readonly faults: readonly string[]
  readonly writes: number
  /** How many controllers were started. */
  readonly started: number
}

const isManaged = (labels: Readonly<Record<string, string>> | undefined) => labels?.['ballast.dev/managed'] === 'true'

/** What a run must never leave behind, whoever ran: permits that are out, marks of ours, refused requests. */
export function leftBehind(cluster: Judged): readonly string[] {
  const webhooks = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].flatMap(plural =>
    cluster.list(`${plural}.admissionregistration.k8s.io`),
  )
  return [
    ...cluster
      .list<DisruptionPermit>('disruptionpermits.ballast.dev')
      .filter(permit => permit.spec.grant !== undefined && permit.status?.releasedAt === undefined)
      .map(permit => `permit ${permit.metadata.namespace}/${permit.metadata.name} is out`),
    ...cluster
      .list<Node>('nodes')
      .flatMap(node => (node.spec?.taints ?? []).map(taint => ({ node, taint })))
      .filter(({ taint }) => taint.key.startsWith('ballast.dev/'))
      .map(({ node, taint }) => `taint ${taint.key} on ${node.metadata.name}`),
    ...cluster
      .list<Pod>('pods')
      .flatMap(pod => (pod.spec.schedulingGates ?? []).map(gate => `gate ${gate.name} on ${pod.metadata.name}`)),
    ...webhooks
      .filter(({ metadata }) => metadata.name.startsWith('ballast-') || isManaged(metadata.labels))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ...cluster.forbidden.map(request => `403: ${request}`),
  ]
}

/**
 * What was done more than once: one wish under two finished permits; a pod that came in the place of another and was taken away too,
 * though no second wish was granted for its workload.
 */
export function repeated(cluster: Judged & Pick<ControlledCluster, 'witness'>): readonly string[] {
  const done = cluster
    .list<DisruptionPermit>('disruptionpermits.ballast.dev')
    .flatMap(singlesOf)
    .filter(permit => permit.status?.ending === 'done' && permit.spec.purpose !== 'steer')
  const byWish = Map.groupBy(
    done.flatMap(permit => [permit.spec, ...goneAlong(permit)].map(wish => ({ permit, wish }))),
    ({ wish }) => `${wish.requester} ${wish.idempotencyKey}`,
  )
  const grants = Map.groupBy(done, ({ spec }) => spec.workload)
  return [
    ...[...byWish]
      .filter(([, permits]) => permits.length > 1)
      .map(([wish, permits]) => `${wish} was done by ${permits.map(({ permit }) => permit.metadata.name).join(' and ')}`),
    ...cluster.witness.disruptions
      .filter(one => one.isReplacement && (grants.get(one.workload)?.length ?? 0) < 2)
      .map(one => `${one.pod} of ${one.workload} came in the run and was taken away again (${one.cause})`),
  ]
}

/** What went along with a permit and was not left behind. */
function goneAlong({ spec, status }: DisruptionPermit): DisruptionPermit['spec']['joined'] {
  const left = new Set((status?.dropped ?? []).map(wishKey))
  return spec.joined.filter(one => !left.has(wishKey(one)))
}

/** What goes wrong in one run. */
export interface Trouble {
  readonly kill?: Kill
  readonly outage?: Outage
}

/** One run to its end and half a minute beyond, with what `trouble` says. */
export async function runScenario(scenario: Scenario, trouble: Trouble = {}): Promise<Outcome> {
  await using cluster = await controlledCluster({ ...scenario.cluster, ...trouble })
  cluster.startController()
  await scenario.drive(cluster)
  // What comes after is the Lease being renewed.
  const writes = cluster.writes.length
  // Killed at its last write, it has a successor all the same, and what was left to do is done now.
  await cluster.until(() => cluster.isAlive)
  await cluster.clock.advance(30_000)
  return {
    faults: [
      ...leftBehind(cluster),
      ...repeated(cluster),
      ...cluster.errors.map(({ facts, message }) => `error: ${message} ${JSON.stringify(facts)}`),
      ...(scenario.faults?.(cluster) ?? []),
    ],
    writes,
    started: cluster.started,
  }
}

/** The writes of a run that nobody kills. @throws Error when that run is not right itself. */
export async function countWrites(scenario: Scenario): Promise<number> {
  const { faults, writes } = await runScenario(scenario)
  if (faults.length > 0) throw new Error(`${scenario.name}, not killed: ${faults.join('; ')}`)
  return writes
}

/** Kills at every write. */
export function killsAt(writes: number, moments: readonly Kill['when'][]): readonly Kill[] {
  return Array.from({ length: writes }, (_, at) => at + 1).flatMap(write => moments.map((when): Kill => ({ write, when })))
}

/** Kills at every write of this run's share in turn. @returns how many writes and runs there were and what went wrong, a line a run */
export async function killAtEach(
  scenario: Scenario,
  when: Kill['when'],
): Promise<{ readonly writes: number; readonly runs: number; readonly wrong: readonly string[] }> {
  const writes = await countWrites(scenario)
  const kills = shareOf(killsAt(writes, [when]))
  console.log(`${scenario.name}: ${writes} writes; ${kills.length} runs killed ${when} one`)
  const wrong: string[] = []
  for (const kill of kills) {
    const at = `${when} write ${kill.write}`
    try {
      const { started, faults } = await runScenario(scenario, { kill })
      if (started !== 2) wrong.push(`${at}: ${started} controllers were started`)
      if (faults.length > 0) wrong.push(`${at}: ${faults.join('; ')}`)
    } catch (error) {
      wrong.push(`${at}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { writes, runs: kills.length, wrong }
}

/**
 * What this run has of many runs under trouble: all of them with `BALLAST_KILLS=each`, else every n-th from the k-th by
 * `BALLAST_KILLS=k/n`. One in sixteen where nothing is said; `npm run test:deep` has each, CI another
 * sixteenth with each commit.
 * @throws Error where BALLAST_KILLS is neither
 */
export function shareOf<Run>(runs: readonly Run[]): readonly Run[] {
  const share = process.env['BALLAST_KILLS'] ?? '1/16'
  if (share === 'each') return runs
  const [, first, every] = (/^([1-9]\d?)\/([1-9]\d?)$/.exec(share) ?? []).map(Number)
  if (first === undefined || every === undefined || first > every)
    throw new Error(`BALLAST_KILLS: found ${share}, expected each or a share such as 1/4`)
  return runs.filter((_, at) => at % every === first - 1)
}

/** A test for each kill of this run's share, told with how many there are. */
export function describeKills(scenario: Scenario, moments: readonly Kill['when'][] = ['before', 'after']): void {
  describe(`${scenario.name}, killed ${moments.join(' or ')} each of its writes, is ended by the next controller`, async () => {
    const writes = await countWrites(scenario)
    const kills = shareOf(killsAt(writes, moments))
    process.stdout.write(`${scenario.name}: ${writes} writes, ${kills.length} of ${moments.length * writes} kills\n`)

    test.each(kills)('$when write $write', async kill => {
      const { faults, started } = await runScenario(scenario, { kill })
      expect(faults).toEqual([])
      expect(started).toBe(2)
    })
  })
}
