// What an operation gets: the world, a place for what it has to say, and the way to refuse a name that is not there.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import type { Plan } from '../plan-record.ts'
import { workloadsNamed } from './controllers.ts'
import type { DeschedulerRun } from './descheduler-run.ts'
import type { DeschedulerSummary, PlanSummary, Refused } from './report.ts'
import type { OperationOf, PlannedOperation } from './scenario.ts'
import type { World } from './world.ts'

/** A plan that a step asks for, made by whoever knows policies; problems are said with the place of the step's field. */
export type PlanAnswer =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** What an `applyPolicy` is about: a plan, or a descheduler to run. */
export type PolicyAnswer = PlanAnswer | { readonly ok: true; readonly descheduler: DeschedulerRun }

/** Answers a step with what a capability knows of policies; `undefined`: the step names none of that kind. @throws InputError for one that is not there */
export type Rehearse = (
  wish: OperationOf<'applyPolicy'>,
  around: {
    readonly state: ClusterState
    /** Texts of files that the scenario names. */
    readonly textOf: (file: string) => string
    readonly clock: Clock
    readonly signal: AbortSignal
  },
) => PolicyAnswer | undefined

/** What lies outside of the model: policies, files, the scheduler's configuration. */
export interface Outside {
  plan(wish: OperationOf<'applyPolicy'>, world: World): Promise<PolicyAnswer>
  isolation(wish: PlannedOperation, world: World): Promise<PlanAnswer & { readonly taint?: string }>
  objectsOf(file: string): readonly KubeObject[]
  settings(
    wish: OperationOf<'schedulerConfig'>,
    before: SchedulerSettings,
  ): { readonly settings: SchedulerSettings } | { readonly problem: Problem }
}

export class StepContext {
  readonly world: World
  readonly outside: Outside
  readonly notes: string[] = []
  readonly refusals: Refused[] = []
  readonly lost: string[] = []
  plan: PlanSummary | undefined
  descheduler: DeschedulerSummary | undefined
  /** Nodes that are switched off, by this step or one before. */
  readonly off: Set<string>
  readonly #where: (field: string) => string

  constructor(given: {
    readonly world: World
    readonly outside: Outside
    readonly off: Set<string>
    readonly where: (field: string) => string
  }) {
    this.world = given.world
    this.outside = given.outside
    this.off = given.off
    this.#where = given.where
  }

  where(field: string): string {
    return this.#where(field)
  }

  /** @throws InputError always: what the scenario asks for cannot be */
  refuse(field: string, found: string, expected: string): never {
    throw new InputError([{ code: 'scenario-target', where: this.#where(field), found, expected }])
  }

  /** The names of nodes that are there. @throws InputError naming the first that is not */
  nodes(given: string | readonly string[]): readonly string[] {
    const names = typeof given === 'string' ? [given] : given
    const { nodes } = this.world.state
    const missing = names.find(name => !nodes.has(name))
    if (missing !== undefined) this.refuse('node', missing, `a node that is there (${shortList([...nodes.keys()])})`)
    return names
  }

  /** The one workload of that name. @throws InputError where there is none, or several */
  workload(key: string): KubeObject {
    const found = workloadsNamed(this.world, key)
    const [only, second] = found
    if (only === undefined) this.refuse('workload', key, `a workload that is there${this.#near(key)}`)
    if (second !== undefined) {
      const [namespace = ''] = key.split('/')
      const names = found.map(({ kind, metadata }) => `${namespace}/${kind}/${metadata.name}`)
      this.refuse('workload', key, `one workload: ${names.join(' or ')}`)
    }
    return only
  }

  #near(key: string): string {
    const [namespace = ''] = key.split('/')
    const { state } = this.world
    const names = ['Deployment', 'StatefulSet', 'DaemonSet'].flatMap(kind =>
      state.objectsIn(kind, namespace).map(({ metadata }) => `${namespace}/${metadata.name}`),
    )
    return names.length === 0 ? '' : ` (${shortList(names)})`
  }

  tellLost(pod: Pick<PodState, 'key'>): void {
    this.lost.push(pod.key)
  }
}

/** At most eight names, and how many more there are. */
function shortList(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ')
}
