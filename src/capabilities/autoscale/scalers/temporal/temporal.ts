// How many tasks wait in a queue of Temporal.
import { OutsideError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  here,
  hereOrEnv,
  integer,
  listOf,
  optional,
  readParameters,
  required,
  secret,
  secretOrEnv,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { type GrpcSource, grpcAddress, grpcPoolOf, grpcTls } from '../external/grpc-source.ts'
import type { SourceTls } from '../outgoing.ts'
import { oneMetric, type ScalerKind, targetType } from '../scaler.ts'
import { normalQueue, queueTypes, temporalApi, versionStatus } from './temporal-api.ts'

const gone = (name: string) =>
  `the setting '${name}' is gone since KEDA 2.21: use 'workerDeploymentName' and 'workerDeploymentBuildId' where workers have versions`

const parameters = {
  endpoint: required(text, hereOrEnv('host:port of its frontend')),
  namespace: defaulted(text, 'default', hereOrEnv("Temporal's own")),
  taskQueue: required(text, hereOrEnv('the queue')),
  targetQueueSize: defaulted(integer, '5', here('tasks aimed at')),
  activationTargetQueueSize: defaulted(integer, '0', here('active above it')),
  queueTypes: optional(listOf(text), here('workflow, activity, nexus; all of them where nothing is said')),
  workerDeploymentName: optional(text, hereOrEnv('with workerDeploymentBuildId: tasks of that version alone')),
  workerDeploymentBuildId: optional(text, hereOrEnv('the version')),
  includeRunningWorkflowCount: defaulted(boolean, 'false', here('active as long as a workflow runs, too')),
  workflowTaskQueueForCount: optional(text, hereOrEnv('whose workflows these are, where it is another queue')),
  minConnectTimeout: defaulted(integer, '5', here('seconds; checked, but a connection has the time of a request here')),
  apiKey: optional(text, secretOrEnv('who we are')),
  enableTLS: defaulted(boolean, 'true', here('false: an apiKey is sent without TLS')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  tlsServerName: optional(text, here("whose certificate is expected, where it is not the endpoint's")),
  cert: optional(text, secret('PEM')),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
  ca: optional(text, secret('whom we trust, PEM; read with cert and key')),
  buildId: optional(text, { ...hereOrEnv('is gone'), deprecated: gone('buildId') }),
  selectAllActive: optional(text, { ...here('is gone'), deprecated: gone('selectAllActive') }),
  selectUnversioned: optional(text, { ...here('is gone'), deprecated: gone('selectUnversioned') }),
}

type Given = ReturnType<typeof readParameters<typeof parameters>>
type QueueType = keyof typeof queueTypes

/** What may stand in a query about workflows, which has no place for parameters. */
const plainName = /^[A-Za-z0-9\-_./:]+$/

export const temporal: ScalerKind = {
  types: ['temporal'],
  about: 'how many tasks wait in a queue of Temporal',
  parameters,
  async open(trigger, world) {
    const given = checked(readParameters(parameters, trigger.given, 'temporal'))
    // Before anything is taken that would have to be given back.
    targetType(trigger)
    const { namespace, taskQueue, workerDeploymentName, workerDeploymentBuildId, endpoint, tlsServerName } = given
    const named = tlsServerName === undefined ? {} : { authority: tlsServerName }
    const address = { ...grpcAddress(endpoint, tlsOf(given), 'endpoint'), ...named, who: 'Temporal' }
    const lease = grpcPoolOf(world).take(address)
    const queue = new TaskQueue(lease.source, given)
    const version = workerDeploymentName === undefined ? '' : `-${workerDeploymentName}-${workerDeploymentBuildId}`
    return oneMetric(trigger, {
      ...{ tail: `temporal-${namespace}-${taskQueue}${version}` },
      ...{ target: given.targetQueueSize, activation: given.activationTargetQueueSize },
      read: signal => queue.waiting(signal),
      close: async () => lease[Symbol.dispose](),
    })
  },
}

function checked(given: Given): Given {
  const { workerDeploymentName, workerDeploymentBuildId, includeRunningWorkflowCount, workflowTaskQueueForCount } = given
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  for (const name of ['targetQueueSize', 'activationTargetQueueSize', 'minConnectTimeout'] as const)
    if (given[name] < 0) refuse(`${name} must be a positive number`)
  if ((given.cert === undefined) !== (given.key === undefined)) refuse('both cert and key must be provided when using TLS')
  if ((workerDeploymentName === undefined) !== (workerDeploymentBuildId === undefined))
    refuse('workerDeploymentName and workerDeploymentBuildId must both be set')
  const unknown = given.queueTypes?.find(type => !isQueueType(type))
  if (unknown !== undefined)
    refuse(`queueTypes: ${JSON.stringify(unknown)} must be one of [${Object.keys(queueTypes).join(' ')}]`)
  if (workflowTaskQueueForCount !== undefined && !includeRunningWorkflowCount)
    refuse('workflowTaskQueueForCount has no effect unless includeRunningWorkflowCount is true')
  const names = [given.taskQueue, workflowTaskQueueForCount, workerDeploymentName, workerDeploymentBuildId]
  for (const name of names)
    if (includeRunningWorkflowCount && name !== undefined && !plainName.test(name))
      refuse(`value ${JSON.stringify(name)} contains characters not allowed in Temporal visibility queries`)
  return given
}

const isQueueType = (type: string): type is QueueType => Object.hasOwn(queueTypes, type)

/** Upstream's rule: a certificate of ours means TLS, and so does an apiKey unless it says otherwise; without both there is none. */
function tlsOf(given: Given): SourceTls | undefined {
  const { apiKey, enableTLS, unsafeSsl, cert } = given
  if (cert !== undefined) return grpcTls(given)
  return apiKey !== undefined && enableTLS ? { isInsecure: unsafeSsl } : undefined
}

class TaskQueue {
  readonly #source: GrpcSource
  readonly #given: Given
  readonly #headers: Readonly<Record<string, string>>

  constructor(source: GrpcSource, given: Given) {
    this.#source = source
    this.#given = given
    const { namespace, apiKey } = given
    const proof: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
    this.#headers = { 'temporal-namespace': namespace, ...proof }
  }

  /** @throws OutsideError; `signal.reason` */
  async waiting(signal: AbortSignal): Promise<{ readonly value: number; readonly isActive: boolean }> {
    const { workerDeploymentName, activationTargetQueueSize, includeRunningWorkflowCount } = this.#given
    const { backlog, status } = workerDeploymentName === undefined ? await this.#ofQueue(signal) : await this.#ofVersion(signal)
    const isActive = backlog > activationTargetQueueSize || (includeRunningWorkflowCount && (await this.#isBusy(status, signal)))
    return { value: backlog, isActive }
  }

  async #ofQueue(signal: AbortSignal): Promise<{ readonly backlog: number; readonly status?: number }> {
    const { namespace, taskQueue } = this.#given
    let backlog = 0
    for (const type of this.#types) {
      const { stats } = await this.#source.call(
        temporalApi.describeTaskQueue,
        { namespace, taskQueue: { name: taskQueue, kind: normalQueue }, taskQueueType: queueTypes[type], reportStats: true },
        signal,
        this.#headers,
      )
      backlog += stats?.backlog ?? 0
    }
    return { backlog }
  }

  async #ofVersion(signal: AbortSignal): Promise<{ readonly backlog: number; readonly status: number }> {
    const { namespace, taskQueue, workerDeploymentName: deploymentName = '', workerDeploymentBuildId: buildId = '' } = this.#given
    const { info, taskQueues } = await this.#source.call(
      temporalApi.describeVersion,
      { namespace, deploymentVersion: { deploymentName, buildId }, reportTaskQueueStats: true },
      signal,
      this.#headers,
    )
    const types = new Set<number>(this.#types.map(type => queueTypes[type]))
    const ours = taskQueues.filter(({ name, type }) => name === taskQueue && types.has(type))
    return { backlog: ours.reduce((sum, { stats }) => sum + (stats?.backlog ?? 0), 0), status: info?.status ?? 0 }
  }

  /** `status` of the version; undefined where workers have none. Temporal itself looks whether one that drains is done. */
  async #isBusy(status: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (status === versionStatus.draining) return true
    if (status !== undefined && status !== versionStatus.current && status !== versionStatus.ramping) return false
    const { namespace, taskQueue, workflowTaskQueueForCount: queue = taskQueue } = this.#given
    const { workerDeploymentName, workerDeploymentBuildId } = this.#given
    const version = workerDeploymentName === undefined ? 'is null' : `= '${workerDeploymentName}:${workerDeploymentBuildId}'`
    const query = `ExecutionStatus = 'Running' AND TaskQueue = '${queue}' AND TemporalWorkerDeploymentVersion ${version}`
    try {
      const { count } = await this.#source.call(temporalApi.countWorkflows, { namespace, query }, signal, this.#headers)
      return count > 0
    } catch (error) {
      signal.throwIfAborted()
      // It was asked whether the target may rest: who does not know says that it may not.
      throw new OutsideError(`whether workflows run is not known: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  get #types(): readonly QueueType[] {
    const wanted = this.#given.queueTypes?.filter(isQueueType) ?? []
    return wanted.length > 0 ? wanted : ['workflow', 'activity', 'nexus']
  }
}
