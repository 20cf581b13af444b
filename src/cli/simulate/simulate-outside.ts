// What lies outside of a simulation's model: policies of the cluster, files beside the scenario, the solver.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import type { ClusterState } from '#cluster/cluster-state.ts'
import { readDocuments } from '#cluster/documents.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { settingsFromConfiguration } from '#cluster/scheduler-settings.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import type { PlanPurpose } from '#coordination/intent.ts'
import { planPolicyOf } from '#coordination/plans/plan-policy.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { withTaint } from '#planning/isolation/rules.ts'
import { makePlan } from '#planning/plan.ts'
import type { OperationOf, PlannedOperation, Scenario } from '#planning/simulation/scenario.ts'
import type { Outside, PlanAnswer, PolicyAnswer, Rehearse } from '#planning/simulation/step-context.ts'
import type { World } from '#planning/simulation/world.ts'
import { childSolver } from '#planning/solving/solve.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { policyOf } from '../plan.ts'
import type { LoadedCluster } from '../source/cluster-source.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** Steps of scenarios that it answers by a plan. */
    readonly scenarioSteps?: () => Promise<ScenarioSteps>
    /** Policies of an upstream in a simulation: what they would do to the copy. */
    readonly rehearses?: () => Promise<Rehearse>
  }
}

/** The policy that a step is planned for, in a cluster as it is at that step, and for what. */
export type ScenarioSteps = {
  readonly [Step in PlannedOperation as Step['op']]?: (
    wish: Step,
    cluster: { readonly objects: readonly KubeObject[]; readonly state: ClusterState; readonly shown: string },
  ) => { readonly policy: RebalancePolicy; readonly purpose: PlanPurpose }
}

interface OutsideOptions {
  readonly cluster: LoadedCluster
  readonly ownerLabel: OwnerLabel
  /** Path of the scenario: files that it names lie beside it. */
  readonly scenarioFile: string
  readonly signal: AbortSignal
}

/** Files that a scenario names, read once. @throws InputError for one that cannot be read */
export function outsideOf(scenario: Scenario, options: OutsideOptions): Outside {
  const texts = new Map<string, string>()
  for (const [at, { operation }] of scenario.steps.entries()) {
    if (!('file' in operation) || operation.file === undefined) continue
    const where = scenario.where(['steps', at, operation.op, 'file'])
    texts.set(operation.file, textBeside(operation.file, where, options.scenarioFile))
  }
  const { cluster } = options
  return {
    plan: async (wish, world) => await answered(async () => await policyFor(wish, world)),
    isolation: async (wish, world) => await isolationOf(wish, world, options),
    objectsOf: file => {
      const { objects, problems } = readDocuments(file, texts.get(file) ?? '')
      if (problems.length > 0) throw new InputError(problems)
      return objects.map(({ object }) => object)
    },
    settings: (wish, before) => {
      const where = wish.file ?? 'configuration'
      let document: unknown = wish.configuration
      if (wish.file !== undefined) {
        const read = yamlOf(where, texts.get(wish.file) ?? '')
        if ('problem' in read) return read
        document = read.value
      }
      const named = wish.profile === undefined ? {} : { schedulerName: wish.profile }
      const read = settingsFromConfiguration(document, { version: before.version, where, ...named })
      return read.ok ? { settings: read.value } : { problem: read.problem }
    },
  }

  async function policyFor(wish: OperationOf<'applyPolicy'>, world: World): Promise<PolicyAnswer> {
    const textOf = (file: string) => texts.get(file) ?? ''
    const around = { state: world.state, textOf, clock: systemClock, signal: options.signal }
    for (const { rehearses } of enabledCapabilities) {
      const answer = (await rehearses?.())?.(wish, around)
      if (answer !== undefined) return answer
    }
    return await planOf(wish, world, options)
  }

  async function planOf(
    wish: OperationOf<'applyPolicy'>,
    world: World,
    { ownerLabel, signal }: OutsideOptions,
  ): Promise<PlanAnswer> {
    const policy = policyOf(
      { objects: rebalancePolicies(wish, world), shown: wish.file ?? cluster.shown },
      wish.policy === undefined ? {} : { policy: wish.policy },
    )
    return await made(policy, world, { ownerLabel, signal, landing: wish.landing, purpose: undefined })
  }

  function rebalancePolicies(wish: OperationOf<'applyPolicy'>, world: World): readonly KubeObject[] {
    if (wish.file === undefined) return world.state.objects('RebalancePolicy')
    const { objects, problems } = readDocuments(wish.file, texts.get(wish.file) ?? '')
    if (problems.length > 0) throw new InputError(problems)
    return objects.map(({ object }) => object)
  }
}

interface Making {
  readonly ownerLabel: OwnerLabel
  readonly signal: AbortSignal
  readonly landing: 'observe' | 'prefer' | 'hold' | undefined
  readonly purpose: PlanPurpose | undefined
}

async function made(
  policy: RebalancePolicy,
  world: World,
  { ownerLabel, signal, landing, purpose }: Making,
): Promise<PlanAnswer & { readonly taint?: string }> {
  const resolved = planPolicyOf(policy, world.state, {
    ownerLabel,
    landing: 'prefer',
    ...(purpose === undefined ? {} : { purpose }),
  })
  if (!resolved.ok) return { ok: false, problems: [resolved.problem] }
  const wished = landing === undefined ? resolved.value : { ...resolved.value, landing }
  const { isolation } = wished
  const state = isolation === undefined ? world.state : withTaint(world.state, isolation)
  const input = { state, policy: wished, settings: world.settings, nowMs: world.nowMs }
  const plan = await makePlan(input, childSolver({ clock: systemClock, safetySeconds: policy.spec.solveSeconds }), signal)
  if (plan.problems.length > 0) return { ok: false, problems: plan.problems }
  return { ok: true, plan, ...(isolation === undefined ? {} : { taint: isolation.taint }) }
}

async function isolationOf(
  wish: PlannedOperation,
  world: World,
  { cluster, ownerLabel, signal }: OutsideOptions,
): Promise<PlanAnswer & { readonly taint?: string }> {
  return await answered(async () => {
    const around = { objects: world.state.objects('RebalancePolicy'), state: world.state, shown: cluster.shown }
    const steps = await Promise.all(enabledCapabilities.flatMap(one => one.scenarioSteps?.() ?? []))
    const [planned] = steps.flatMap(one => one[wish.op]?.(wish, around) ?? [])
    if (planned === undefined) throw new CommandRefused(`this program was built without ${wish.op}`)
    return await made(planned.policy, world, { ownerLabel, signal, landing: wish.landing, purpose: planned.purpose })
  })
}

/** A policy that is not there, or wrong, is the scenario's mistake: its step says so. */
async function answered<Answer extends PolicyAnswer>(
  ask: () => Promise<Answer>,
): Promise<Answer | { readonly ok: false; readonly problems: readonly Problem[] }> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof InputError) return { ok: false, problems: error.problems }
    if (error instanceof CommandRefused)
      return {
        ok: false,
        problems: [
          { code: 'scenario-policy', where: 'policy', found: error.message, expected: 'a policy that can be planned for' },
        ],
      }
    throw error
  }
}

function textBeside(file: string, where: string, scenarioFile: string): string {
  try {
    return readFileSync(scenarioFile === '-' ? resolve(file) : resolve(dirname(scenarioFile), file), 'utf8')
  } catch (error) {
    throw new InputError([
      {
        code: 'file-unreadable',
        where,
        found: messageOf(error),
        expected: 'a file that can be read, named from the folder of the scenario',
      },
    ])
  }
}

function yamlOf(where: string, text: string): { readonly value: unknown } | { readonly problem: Problem } {
  try {
    const value: unknown = parse(text)
    return { value }
  } catch (error) {
    return { problem: { code: 'yaml-syntax', where, found: messageOf(error), expected: 'YAML' } }
  }
}
