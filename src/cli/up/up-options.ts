// What `ballast up` was asked for, and the cluster that it was given.
import { relative } from 'node:path'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { servableGoals } from '#planning/goals/served-goals.ts'
import { processLog } from '#process/process-log.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { TwinState } from '#twin/state/twin-state.ts'
import { type Surroundings, seedOfEnvironment } from '../command-line.ts'
import { policyOf } from '../plan.ts'
import { type ClusterSource, readSourceOrInput } from '../source/source.ts'
import { withoutUnansweredWebhooks } from '../source/unanswered-webhooks.ts'
import { upConfiguration } from './up-configuration.ts'
import type { Loaded } from './up-run.ts'

export interface UpOptions {
  readonly cluster: string
  readonly config?: string
  readonly policy?: string
  readonly apiPort: number
  readonly bind: string
  /** Folder in which the cluster is kept. */
  readonly state?: string
  readonly kubeconfigOut: string
  readonly speed: number
  readonly seed?: number
  readonly ask?: boolean
  readonly hold?: boolean
  readonly once?: boolean
  readonly output: 'table' | 'json'
  readonly verbose?: boolean
  readonly port: number
  /** False: no page. */
  readonly dashboard: boolean
  readonly key?: boolean
}

/** What a state holds, as a source that is read. */
function keptSource(state: TwinState): ClusterSource {
  return {
    objects: [...state.objects()].map(({ resource, object }) => ({ object, where: `--state: ${resource}` })),
    problems: [],
  }
}

/** Reads the cluster, or goes on with the one that is `kept`. What is left out of it is said. @throws InputError with every fatal problem; CommandRefused without a policy, where one is needed: `--once` has an end only with goals */
export async function load(options: UpOptions, { terminal, signal }: Surroundings, kept?: TwinState): Promise<Loaded> {
  if (options.cluster === '-' && options.ask === true)
    throw new CommandRefused(
      '--ask and --cluster - exclude each other: standard input cannot carry both the cluster and your key',
    )
  const source = kept?.isFilled === true ? keptSource(kept) : await readSourceOrInput(options.cluster, process.stdin, signal)
  const where = new Map(source.objects.map(entry => [entry.object, entry.where]))
  const given = source.objects.map(({ object }) => object)
  const { objects, problems, state } = buildClusterState(given, { where: object => where.get(object) })
  const fatal = problems.filter(problem => problem.isFatal)
  if (fatal.length > 0) throw new InputError(fatal)
  for (const problem of [...source.problems, ...problems]) terminal.say(`set aside: ${problemSentence(problem)}`)
  const playable = withoutUnansweredWebhooks(objects)
  for (const sentence of playable.leftOut) terminal.say(sentence)
  if (source.configuration !== undefined)
    terminal.say(`${source.configuration.where} is not used here: controller and twin both have the scheduler's defaults`)
  const configuration = upConfiguration(options.config, objects)
  if (configuration.from !== undefined) terminal.say(`configured by ${configuration.from}`)
  const configured = { configuration }
  const isNeeded = options.once === true || options.policy !== undefined || objects.some(({ kind }) => kind === 'RebalancePolicy')
  if (!isNeeded) return { objects: playable.objects, policy: undefined, goals: [], ...configured }
  const policy = policyOf({ objects, shown: options.cluster }, options.policy === undefined ? {} : { policy: options.policy })
  return { objects: playable.objects, ...configured, policy, goals: servableGoals(shownGoals(policy, state)) }
}

export const seedOf = (options: UpOptions, { environment }: Surroundings): number => {
  return options.seed ?? seedOfEnvironment(environment)
}

export const logFor = (options: UpOptions, clock: Clock): Log =>
  options.verbose === true ? processLog({ level: 'debug', clock }) : silentLog

/** Short where it lies below the working directory, else whole. */
export function shownPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}
