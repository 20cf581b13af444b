// A scenario played on a cluster, step by step. Pure but for what `Outside` brings: equal input gives equal bytes.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Evaluation } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { latestTraceMs } from '#kube/time/time.ts'
import { workloadsNamed } from './controllers.ts'
import { deleteThings, drainNodes, evictPods } from './eviction-operations.ts'
import { type Judged, judge, judgeGoals } from './expectations.ts'
import {
  addNodes,
  cordonNodes,
  labelObjects,
  powerOffNodes,
  removeNodes,
  resizeNodes,
  taintNodes,
  untaintNodes,
} from './node-operations.ts'
import { nodePictures, type WattsByNode, wattsTogether } from './node-picture.ts'
import { applyPolicy, isolateNode } from './policy-operations.ts'
import type { SimulationReport, StepReport } from './report.ts'
import type { Operation, Scenario } from './scenario.ts'
import { type Outside, StepContext } from './step-context.ts'
import { applyObjects, scaleWorkload, setRequests } from './workload-operations.ts'
import { World } from './world.ts'

export interface SimulationInput {
  readonly objects: Iterable<KubeObject>
  readonly scenario: Scenario
  readonly settings: SchedulerSettings
  /** How the report calls the server: `1.34`. */
  readonly server: string
  readonly watts: WattsByNode
  readonly outside: Outside
  readonly explain?: (evaluation: Evaluation, node: string, settings: SchedulerSettings) => Readonly<Record<string, string>>
}

/** Plays every step. @throws InputError for a step whose target is not there; the signal's reason */
export async function simulate(input: SimulationInput, signal: AbortSignal): Promise<SimulationReport> {
  const { scenario } = input
  const world = new World(input.objects, {
    settings: input.settings,
    random: seededRandom(scenario.seed),
    kubelet: scenario.kubelet,
    ...(input.explain === undefined ? {} : { explain: input.explain }),
  })
  world.setTime(scenario.now === undefined ? newestTime(world.state) : Date.parse(scenario.now))
  const before = world.state
  const off = new Set<string>()
  const startNodes = nodePictures(before, input.watts, off)
  const startWatts = wattsTogether(startNodes)
  const start = { nodes: startNodes, pending: world.pending.length, ...(startWatts === undefined ? {} : { watts: startWatts }) }
  const steps: StepReport[] = []
  let judged: Judged | undefined
  for (const [at, step] of scenario.steps.entries()) {
    signal.throwIfAborted()
    const { operation } = step
    const where = (field: string) => scenario.where(['steps', at, operation.op, ...field.split('.')])
    const context = new StepContext({ world, outside: input.outside, off, where })
    const startMs = world.nowMs
    const what = await carryOut(context, operation)
    world.schedule()
    const nodes = nodePictures(world.state, input.watts, off)
    const watts = wattsTogether(nodes)
    const pending = world.pending
    judged = {
      state: world.state,
      pending: pending.length,
      refusals: context.refusals.length,
      lost: context.lost.length,
      plan: context.plan,
      descheduler: context.descheduler,
      watts,
      workloadUid: key => workloadsNamed(world, key)[0]?.metadata.uid,
    }
    const now = judged
    steps.push({
      step: at + 1,
      op: operation.op,
      what,
      ...(step.say === undefined ? {} : { say: step.say }),
      seconds: (world.nowMs - startMs) / 1000,
      landings: world.takeLandings(),
      pending,
      refusals: context.refusals,
      lost: context.lost,
      notes: context.notes,
      ...(context.plan === undefined ? {} : { plan: context.plan }),
      ...(context.descheduler === undefined ? {} : { descheduler: context.descheduler }),
      nodes,
      ...(watts === undefined ? {} : { watts }),
      expectations: step.expect.map((expected, index) => judge(expected, now, scenario.where(['steps', at, 'expect', index]))),
    })
  }
  const goals = judgeGoals(scenario.goals, before, world.state)
  const sum = (count: (step: StepReport) => number) => steps.reduce((total, step) => total + count(step), 0)
  const atEnd = judged && {
    ...judged,
    refusals: sum(step => step.refusals.length),
    lost: sum(step => step.lost.length),
    plan: steps.findLast(step => step.plan !== undefined)?.plan,
    descheduler: steps.findLast(step => step.descheduler !== undefined)?.descheduler,
  }
  const expectations =
    atEnd === undefined ? [] : scenario.expect.map((expected, at) => judge(expected, atEnd, scenario.where(['expect', at])))
  const all = [...goals, ...expectations, ...steps.flatMap(step => step.expectations)]
  return {
    scenario: scenario.name,
    server: input.server,
    seed: scenario.seed,
    start,
    steps,
    goals,
    expectations,
    holds: all.every(({ holds }) => holds),
  }
}

/** What was done, as a sentence. */
async function carryOut(context: StepContext, operation: Operation): Promise<string> {
  switch (operation.op) {
    case 'addNode':
      return addNodes(context, operation)
    case 'removeNode':
      return removeNodes(context, operation)
    case 'cordon':
    case 'uncordon':
      return cordonNodes(context, operation)
    case 'taint':
      return taintNodes(context, operation)
    case 'untaint':
      return untaintNodes(context, operation)
    case 'label':
      return labelObjects(context, operation)
    case 'setAllocatable':
      return resizeNodes(context, operation)
    case 'scale':
      return scaleWorkload(context, operation)
    case 'setRequests':
      return setRequests(context, operation)
    case 'apply':
      return applyObjects(context, operation)
    case 'evict':
      return evictPods(context, operation)
    case 'drain':
      return drainNodes(context, operation)
    case 'delete':
      return deleteThings(context, operation)
    case 'applyPolicy':
      return await applyPolicy(context, operation)
    case 'isolate':
      return await isolateNode(context, operation)
    case 'powerOff':
      return powerOffNodes(context, operation)
    case 'schedulerConfig': {
      const answer = context.outside.settings(operation, context.world.settings)
      if ('problem' in answer)
        context.refuse(
          operation.file === undefined ? 'configuration' : 'file',
          answer.problem.found,
          `${answer.problem.expected} (${answer.problem.where})`,
        )
      context.world.reschedule(answer.settings)
      return 'the scheduler is set up anew'
    }
  }
}

/** The newest time that the cluster names: when it was read, or soon before. */
function newestTime(state: ClusterState): number {
  let newest = 0
  const take = (text: unknown) => {
    const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN
    if (ms > newest && ms <= latestTraceMs) newest = ms
  }
  for (const { object } of state.pods.values()) {
    take(object.metadata.creationTimestamp)
    take(object.status?.startTime)
    for (const condition of object.status?.conditions ?? []) take(condition.lastTransitionTime)
  }
  for (const metrics of [...state.objects('NodeMetrics'), ...state.objects('PodMetrics')]) take(metrics['timestamp'])
  return newest
}
