// The simulated cluster behind the twin's API server: scheduler, kubelets and the controllers of kube-controller-manager, all on one
// deterministic loop. They act on the store through ClusterAccess and on nothing else.
import { defaultSettings, type SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import type { ClusterAccess, ResourceKey } from './access.ts'
import { startHorizontalPodAutoscalers } from './components/autoscaling/horizontal-pod-autoscaler.ts'
import { type ComponentContext, controllerWriter } from './components/component.ts'
import { startResourceClaims } from './components/devices/resource-claims.ts'
import { type EventMode, EventRecorder } from './components/event-recorder.ts'
import type { KnownResource } from './components/kinds.ts'
import { startEphemeralContainers } from './components/kubelets/ephemeral-containers.ts'
import type { PullRecord } from './components/kubelets/image-pulls.ts'
import { Kubelets, type NodePower } from './components/kubelets/kubelet.ts'
import { startMemoryWatch } from './components/kubelets/memory-watch.ts'
import { startNodeAgents } from './components/kubelets/node-agents.ts'
import { NodeFaults } from './components/kubelets/node-faults.ts'
import { type HeartbeatMode, reportNow, startHeartbeats } from './components/kubelets/node-heartbeat.ts'
import { startResizes } from './components/kubelets/resize.ts'
import { UsageModel } from './components/kubelets/usage-model.ts'
import { ComponentLoop, type LoopFailure } from './components/loop.ts'
import { startNodeLifecycle } from './components/nodes/node-lifecycle.ts'
import { startPodGc } from './components/nodes/pod-gc.ts'
import { startTaintEviction } from './components/nodes/taint-eviction.ts'
import { startScheduler } from './components/scheduling/scheduler.ts'
import { Stages } from './components/stages.ts'
import { startDisruption } from './components/upkeep/disruption.ts'
import { startEndpointSlices, startEndpoints } from './components/upkeep/endpoints.ts'
import { startEventExpiry } from './components/upkeep/event-expiry.ts'
import { startGarbageCollector } from './components/upkeep/garbage-collector.ts'
import { startNamespaces } from './components/upkeep/namespace.ts'
import { startPolicyStatus } from './components/upkeep/policy-status.ts'
import { startResourceQuotas } from './components/upkeep/resource-quota.ts'
import { startRoleAggregation } from './components/upkeep/role-aggregation.ts'
import { startRootCertificates, startServiceAccounts } from './components/upkeep/service-accounts.ts'
import { ClusterView } from './components/view.ts'
import { startVolumeBinder } from './components/volumes/volume-binder.ts'
import { startEphemeralVolumes, startVolumeProtection } from './components/volumes/volume-upkeep.ts'
import { startCronJobs } from './components/workloads/cronjob.ts'
import { startDaemonSets } from './components/workloads/daemonset.ts'
import { startDeployments } from './components/workloads/deployment.ts'
import { startJobs, startTtlAfterFinished } from './components/workloads/job.ts'
import { splitKey } from './components/workloads/pod-state.ts'
import { startReplicaSets, startReplicationControllers } from './components/workloads/replicaset.ts'
import { startStatefulSets } from './components/workloads/statefulset.ts'

import type { Faults } from './faults/faults.ts'
import { type TellTrouble, throwTrouble } from './trouble.ts'

export type { LoopFailure } from './components/loop.ts'

export interface ComponentOptions {
  readonly clock: Clock
  /** Every random choice of the components: the same sequence gives the same run. */
  readonly random: Random
  /** Seed of what is drawn by time and name instead of in turn: the noise of usage. */
  readonly seed?: number
  /** Minor of the Kubernetes version that is played: 36 for 1.36. */
  readonly minorVersion: number
  /** UIDs that objects name as owners and that are not there: the garbage collector leaves their dependents alone. */
  readonly absentOwners?: ReadonlySet<string>
  /** `*` and `-name` as kube-controller-manager takes them; absent: all. */
  readonly controllers?: readonly string[]
  /** False leaves the part to a real one, or to a test. */
  readonly scheduler?: boolean
  readonly kubelet?: boolean
  /** Real provisioners that make volumes for claims and delete them, by their names; false: all are real. There the binder only binds and releases. */
  readonly provisioner?: boolean | { readonly leaves: ReadonlySet<string> }
  readonly heartbeat?: HeartbeatMode
  /** Which components write Events: `full` (all), `scheduling` (the scheduler), `off`. */
  readonly events?: EventMode
  /** Where autoscalers read metrics and write scales; without it they do nothing. */
  readonly api?: Transport
  /** The API server's certificate authority as PEM, published in every namespace; absent: it is not. */
  readonly rootCertificate?: string
  /** How the scheduler scores; by default as kube-scheduler of the version does. */
  readonly schedulerSettings?: SchedulerSettings
  /** The resource of a kind that is served; stages need it. */
  readonly resourceOf?: (group: string, kind: string) => ResourceKey | undefined
  /** What types say of the expressions of an admission policy; without it nobody says so. */
  readonly policyWarnings?: ComponentContext['policyWarnings']
  /** Faults of nodes and images that the kubelets are to suffer. */
  readonly faults?: Faults
  /** Told of each failed run of an item, those that the API server refused too; the loop tries it again by itself. */
  readonly onFailure?: (failure: LoopFailure) => void
  /** Told of faults of the components themselves. Without a listener they are thrown outside. */
  readonly onTrouble?: TellTrouble
}

export interface Components extends Disposable {
  /** Nothing is due, under way or going to happen by itself; periodic work (heartbeats, cron, retries of what cannot succeed) does not count. */
  readonly isSettled: boolean
  /** Milliseconds of the clock until the next thing that happens by itself; `undefined` where nothing does. */
  readonly nextTransientMs: number | undefined
  /** What still moves, a line each. */
  moving(): readonly string[]
  /** Whether all is done that was due by `elapsedMs` of the clock. */
  isDoneUntil(elapsedMs: number): boolean
  /** Calls `listener` whenever some work was done. @returns what ends that */
  afterTurn(listener: () => void): () => void
  readonly nodes: NodePower
  readonly usage: UsageModel
  /** The program of a container has ended by itself: whoever was in its shell left it. */
  endContainer(pod: KubeObject, name: string, exitCode: number): void
  /** The latest image pulls of all nodes, in the order they were begun. */
  readonly imagePulls: readonly PullRecord[]
  /** Controllers that are not there, played. */
  readonly stages: Stages
  /** To be called in the same turn after objects were put into the store as a snapshot has them: owners that are not there, metrics that now are. */
  snapshotLoaded(absentOwners: ReadonlySet<string>): void
}

/** Starts the components on what the store holds. Disposing stops them: their timers are cancelled and they hear of no commit any more. */
export function startComponents(access: ClusterAccess, options: ComponentOptions): Components {
  const { clock, random, minorVersion } = options
  const stack = new DisposableStack()
  const { onTrouble = throwTrouble } = options
  const loop = stack.use(
    new ComponentLoop(clock, failure => {
      if (options.onFailure !== undefined) options.onFailure(failure)
      else if (!isRefusal(failure.error)) tellFailure(context, onTrouble, failure)
    }),
  )
  const view = stack.use(new ClusterView(access, onTrouble))
  const context: ComponentContext = {
    access,
    view,
    loop,
    clock,
    random,
    minorVersion,
    playsProvisioner: name => playsProvisioner(options.provisioner, name),
    onTrouble,
    events: new EventRecorder(access, { clock, random, mode: options.events ?? 'full' }),
    ...(options.api === undefined ? {} : { api: options.api }),
    ...(options.resourceOf === undefined ? {} : { resourceOf: options.resourceOf }),
    ...(options.policyWarnings === undefined ? {} : { policyWarnings: options.policyWarnings }),
  }
  const usage = new UsageModel(access, view, { clock, seed: options.seed ?? 1 })
  const absentOwners = new Set(options.absentOwners)
  if (options.scheduler !== false)
    startScheduler(context, options.schedulerSettings ?? defaultSettings(minorVersion < 36 ? '1.34' : '1.36'))
  const kubelets = options.kubelet === false ? undefined : new Kubelets(context)
  for (const [name, start] of controllers) if (isEnabled(options.controllers, name)) start(context)
  if (isEnabled(options.controllers, 'nodelifecycle'))
    startNodeLifecycle(context, kubelets === undefined ? undefined : node => kubelets.isAlive(node))
  if (options.rootCertificate !== undefined && isEnabled(options.controllers, 'root-ca-cert-publisher'))
    startRootCertificates(context, options.rootCertificate)
  if (isEnabled(options.controllers, 'garbage-collector')) startGarbageCollector(context, absentOwners)
  if (kubelets !== undefined) startHeartbeats(context, kubelets, options.heartbeat ?? 'auto')
  if (kubelets !== undefined) {
    options.faults?.listen(new NodeFaults(context, kubelets))
    startMemoryWatch(context, kubelets, usage)
    startResizes(context, kubelets)
    startNodeAgents(context)
  }
  const ephemeral = kubelets === undefined ? undefined : startEphemeralContainers(context, kubelets)
  return {
    get isSettled() {
      return loop.isSettled
    },
    get nextTransientMs() {
      return loop.nextTransientMs
    },
    moving: () => loop.moving(),
    isDoneUntil: elapsedMs => loop.isDoneUntil(elapsedMs),
    afterTurn: listener => loop.afterTurn(listener),
    nodes: nodePower(context, kubelets),
    usage,
    endContainer: ({ metadata: { namespace, name: podName, uid } }, name, exitCode) => {
      const pod = view.get('pods', namespace, podName)
      if (pod === undefined || pod.metadata.uid !== uid) return
      kubelets?.end(pod, name, exitCode)
      ephemeral?.end(pod, name, exitCode)
    },
    get imagePulls() {
      return kubelets?.pulls.records ?? []
    },
    stages: new Stages(context, options.resourceOf ?? (() => undefined)),
    snapshotLoaded: owners => {
      for (const uid of owners) absentOwners.add(uid)
      usage.readMetrics()
    },
    [Symbol.dispose]: () => stack.dispose(),
  }
}

/** In the order in which they act when several are due at once. */
const controllers: readonly (readonly [string, (context: ComponentContext) => void])[] = [
  ['deployment', startDeployments],
  ['replicaset', startReplicaSets],
  ['replicationcontroller', startReplicationControllers],
  ['statefulset', startStatefulSets],
  ['daemonset', startDaemonSets],
  ['job', startJobs],
  ['cronjob', startCronJobs],
  ['ttl-after-finished', startTtlAfterFinished],
  ['disruption', startDisruption],
  ['horizontalpodautoscaling', startHorizontalPodAutoscalers],
  ['endpoint', startEndpoints],
  ['endpointslice', startEndpointSlices],
  ['namespace', startNamespaces],
  ['taint-eviction', startTaintEviction],
  ['podgc', startPodGc],
  ['persistentvolume-binder', startVolumeBinder],
  ['pvc-protection', startVolumeProtection],
  ['ephemeral-volume', startEphemeralVolumes],
  ['resourceclaim-controller', startResourceClaims],
  ['resourcequota', startResourceQuotas],
  ['serviceaccount', startServiceAccounts],
  ['clusterrole-aggregation', startRoleAggregation],
  ['validatingadmissionpolicy-status', startPolicyStatus],
  ['event-expiry', startEventExpiry],
]

function isEnabled(wanted: readonly string[] | undefined, name: string): boolean {
  if (wanted === undefined) return true
  return !wanted.includes(`-${name}`) && (wanted.includes('*') || wanted.includes(name))
}

function nodePower(context: ComponentContext, kubelets: Kubelets | undefined): NodePower {
  return {
    kill: node => kubelets?.kill(node),
    revive: node => {
      kubelets?.revive(node)
      if (kubelets !== undefined) reportNow(context, kubelets, node)
    },
    isAlive: node => kubelets?.isAlive(node) ?? false,
  }
}

/** What the API server refuses is tried again in silence: others may have been quicker. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'StatusError'
}

/** What upstream's component says of an object that it cannot work with, where it says so by an Event; others have a log alone. */
const told: Readonly<Record<string, { readonly resource: KnownResource; readonly component: string; readonly reason: string }>> =
  {
    kubelet: { resource: 'pods', component: 'kubelet', reason: 'FailedSync' },
    'daemonsets.apps': { resource: 'daemonsets.apps', component: 'daemonset-controller', reason: 'FailedCreate' },
    'statefulsets.apps': { resource: 'statefulsets.apps', component: 'statefulset-controller', reason: 'FailedCreate' },
    'jobs.batch': { resource: 'jobs.batch', component: 'job-controller', reason: 'FailedCreate' },
    'replicasets.apps': { resource: 'replicasets.apps', component: 'replicaset-controller', reason: 'FailedCreate' },
  }

function tellFailure(context: ComponentContext, onTrouble: TellTrouble, { queue, key, error, count }: LoopFailure): void {
  onTrouble({ kind: 'component', where: `${queue} ${key}`, error, count })
  const telling = told[queue]
  if (telling === undefined || count > 1) return
  const { namespace, name } = splitKey(key)
  const object = context.view.get(telling.resource, namespace, name)
  if (object === undefined) return
  const { component, reason } = telling
  const message = `error syncing ${object.kind.toLowerCase()}: ${messageOf(error)}`
  context.events.record(object, { component, writer: controllerWriter(component) }, { type: 'Warning', reason, message })
}

function playsProvisioner(said: ComponentOptions['provisioner'], name: string): boolean {
  return typeof said === 'object' ? !said.leaves.has(name) : said !== false
}
