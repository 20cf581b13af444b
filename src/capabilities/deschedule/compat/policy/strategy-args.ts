// Arguments of the strategies, read and checked plugin by plugin.
import type {
  FailedPodsArgs,
  NodeAffinityArgs,
  NodeTaintsArgs,
  PodConditionFilter,
  PodLifeTimeArgs,
  StrategyArgs,
  StrategyName,
  TooManyRestartsArgs,
  TopologySpreadArgs,
} from './args.ts'
import { eitherList, namespaceChoice, podChoice } from './common-args.ts'
import type { FieldReader } from './fields.ts'
import { highNodeUtilizationArgs, lowNodeUtilizationArgs } from './utilization-args.ts'

/** Reads the arguments of each strategy. */
export const strategyReaders: { readonly [Name in StrategyName]: (args: FieldReader) => StrategyArgs & { plugin: Name } } = {
  LowNodeUtilization: lowNodeUtilizationArgs,
  HighNodeUtilization: highNodeUtilizationArgs,
  RemoveDuplicates: args => ({
    plugin: 'RemoveDuplicates',
    excludeOwnerKinds: args.texts('excludeOwnerKinds') ?? [],
    namespaces: namespaceChoice(args),
  }),
  RemovePodsViolatingTopologySpreadConstraint: topologySpreadArgs,
  RemovePodsViolatingInterPodAntiAffinity: args => ({ plugin: 'RemovePodsViolatingInterPodAntiAffinity', ...podChoice(args) }),
  RemovePodsViolatingNodeAffinity: nodeAffinityArgs,
  RemovePodsViolatingNodeTaints: nodeTaintsArgs,
  RemovePodsHavingTooManyRestarts: tooManyRestartsArgs,
  PodLifeTime: podLifeTimeArgs,
  RemoveFailedPods: failedPodsArgs,
}

function topologySpreadArgs(args: FieldReader): TopologySpreadArgs {
  const constraints = (args.texts('constraints') ?? []).flatMap((constraint): TopologySpreadArgs['constraints'] => {
    if (constraint === 'DoNotSchedule' || constraint === 'ScheduleAnyway') return [constraint]
    const message = `constraint ${constraint} is not one of map[DoNotSchedule:{} ScheduleAnyway:{}]`
    args.refuse({ field: 'constraints', found: constraint, expected: 'DoNotSchedule or ScheduleAnyway', message })
    return []
  })
  return {
    plugin: 'RemovePodsViolatingTopologySpreadConstraint',
    ...podChoice(args),
    constraints: constraints.length === 0 ? ['DoNotSchedule'] : constraints,
    topologyBalanceNodeFit: args.flag('topologyBalanceNodeFit') ?? true,
  }
}

function nodeAffinityArgs(args: FieldReader): NodeAffinityArgs {
  const nodeAffinityType = args.texts('nodeAffinityType') ?? []
  if (nodeAffinityType.length === 0) {
    args.refuse({
      field: 'nodeAffinityType',
      found: nodeAffinityType,
      expected: 'requiredDuringSchedulingIgnoredDuringExecution, preferredDuringSchedulingIgnoredDuringExecution, or both',
      message: 'nodeAffinityType needs to be set',
    })
  }
  return { plugin: 'RemovePodsViolatingNodeAffinity', ...podChoice(args), nodeAffinityType }
}

function nodeTaintsArgs(args: FieldReader): NodeTaintsArgs {
  const excludedTaints = args.texts('excludedTaints') ?? []
  const includedTaints = args.texts('includedTaints')
  if (excludedTaints.length > 0 && includedTaints !== undefined && includedTaints.length > 0) {
    args.refuse({
      field: 'includedTaints',
      found: includedTaints,
      expected: '`includedTaints` or `excludedTaints`, not both',
      message: 'either includedTaints or excludedTaints can be set, but not both',
    })
  }
  return {
    plugin: 'RemovePodsViolatingNodeTaints',
    ...podChoice(args),
    includePreferNoSchedule: args.flag('includePreferNoSchedule') ?? false,
    excludedTaints,
    ...(includedTaints && { includedTaints }),
  }
}

const restartStates: readonly string[] = ['CrashLoopBackOff', 'Running']

function tooManyRestartsArgs(args: FieldReader): TooManyRestartsArgs {
  const podRestartThreshold = args.whole('podRestartThreshold', 'int32') ?? 0
  if (podRestartThreshold < 1) {
    const message = 'invalid PodsHavingTooManyRestarts threshold'
    args.refuse({ field: 'podRestartThreshold', found: podRestartThreshold, expected: 'at least 1', message })
  }
  return {
    plugin: 'RemovePodsHavingTooManyRestarts',
    ...podChoice(args),
    podRestartThreshold,
    includingInitContainers: args.flag('includingInitContainers') ?? false,
    states: states(args, restartStates),
  }
}

/** Phases, reasons of pods, reasons of waiting and of terminated containers: in order of the alphabet, as the message lists them. */
const lifeTimeStates: readonly string[] = [
  ...['Running', 'Pending', 'Succeeded', 'Failed', 'Unknown'],
  ...['NodeAffinity', 'NodeLost', 'Shutdown', 'UnexpectedAdmissionError'],
  ...['PodInitializing', 'ContainerCreating', 'ImagePullBackOff', 'CrashLoopBackOff', 'CreateContainerConfigError'],
  ...['ErrImagePull', 'CreateContainerError', 'InvalidImageName'],
  ...['OOMKilled', 'Error', 'Completed', 'DeadlineExceeded', 'Evicted', 'ContainerCannotRun', 'StartError'],
].toSorted()

function states(args: FieldReader, allowed: readonly string[]): readonly string[] {
  const given = args.texts('states') ?? []
  const unknown = given.filter(state => !allowed.includes(state))
  if (unknown.length > 0) {
    const message = `states must be one of [${allowed.join(' ')}]`
    args.refuse({ field: 'states', found: unknown.join(', '), expected: `any of ${allowed.join(', ')}`, message })
  }
  return given
}

function podLifeTimeArgs(args: FieldReader): PodLifeTimeArgs {
  const maxPodLifeTimeSeconds = args.whole('maxPodLifeTimeSeconds', 'uint')
  const read: PodLifeTimeArgs = {
    plugin: 'PodLifeTime',
    ...podChoice(args),
    ...(maxPodLifeTimeSeconds !== undefined && { maxPodLifeTimeSeconds }),
    states: states(args, lifeTimeStates),
    conditions: args.maps('conditions', 'podlifetime.PodConditionFilter').map(conditionFilter),
    exitCodes: args.wholes('exitCodes', 'int32') ?? [],
    ownerKinds: eitherList(args, 'ownerKinds', 'podlifetime.OwnerKinds'),
    includingInitContainers: args.flag('includingInitContainers') ?? false,
    includingEphemeralContainers: args.flag('includingEphemeralContainers') ?? false,
  }
  const lists = [read.states, read.conditions, read.exitCodes]
  if (maxPodLifeTimeSeconds === undefined && lists.every(list => list.length === 0)) {
    args.refuse({
      found: undefined,
      expected: 'maxPodLifeTimeSeconds, states, conditions or exitCodes',
      message: 'at least one filtering criterion must be specified (maxPodLifeTimeSeconds, states, conditions, or exitCodes)',
    })
  }
  return read
}

function conditionFilter(filter: FieldReader, index: number): PodConditionFilter {
  const [type = '', status = '', reason = ''] = ['type', 'status', 'reason'].map(field => filter.text(field))
  const least = filter.whole('minTimeSinceLastTransitionSeconds', 'uint')
  if (type === '' && status === '' && reason === '' && least === undefined) {
    filter.refuse({
      found: {},
      expected: 'type, status, reason or minTimeSinceLastTransitionSeconds',
      message: `conditions[${index}]: at least one of type, status, reason, or minTimeSinceLastTransitionSeconds must be set`,
    })
  }
  return {
    ...(type !== '' && { type }),
    ...(status !== '' && { status }),
    ...(reason !== '' && { reason }),
    ...(least !== undefined && { minTimeSinceLastTransitionSeconds: least }),
  }
}

function failedPodsArgs(args: FieldReader): FailedPodsArgs {
  return {
    plugin: 'RemoveFailedPods',
    ...podChoice(args),
    minPodLifetimeSeconds: args.whole('minPodLifetimeSeconds', 'uint') ?? 3_600,
    excludeOwnerKinds: args.texts('excludeOwnerKinds') ?? [],
    reasons: args.texts('reasons') ?? [],
    exitCodes: args.wholes('exitCodes', 'int32') ?? [],
    includingInitContainers: args.flag('includingInitContainers') ?? false,
  }
}
