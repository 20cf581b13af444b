// One run of `ballast up`: a cluster in the twin with Ballast in it, and the policy carried out through its API.

import { buildClusterState } from '#cluster/cluster-state.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import type { Api } from '#kube/client/api.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import type { ServableGoal } from '#planning/goals/served-goals.ts'
import type { SettingsFeed } from '#process/configuration/controller-settings.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused, type Ending } from '#process/surroundings.ts'
import type { TwinState } from '#twin/state/twin-state.ts'
import { exitAtOnce } from '../command-line.ts'
import { type NodeFigures, nodeFigures } from '../terminal/node-table.ts'
import { type EmbeddedCluster, startEmbeddedCluster } from './embedded-cluster.ts'
import { type RunEnd, type RunWatch, runRebalance } from './rebalance-run.ts'
import type { UpConfiguration } from './up-configuration.ts'

/** What the cluster is made from. */
export interface Loaded {
  readonly objects: readonly KubeObject[]
  /** `undefined`: nothing says what to plan for; the cluster runs and can be looked at. */
  readonly policy: RebalancePolicy | undefined
  /** Its goals, with their nodes. */
  readonly goals: readonly ServableGoal[]
  /** How the controller is configured. */
  readonly configuration: UpConfiguration
}

interface RunSetting {
  readonly clock: Clock
  readonly seed: number
  readonly log: Log
  readonly listen?: { readonly port: number; readonly bind: string }
  readonly hold: boolean
  /** Provisioners that are there beside the twin. */
  readonly provisioners?: ReadonlySet<string>
  /** Where the cluster is kept. */
  readonly kept?: TwinState
  readonly watch: RunWatch
  /** Settings that may change meanwhile; default: those that were read. */
  readonly feed?: SettingsFeed
  readonly signal: AbortSignal
  readonly ending: Ending
  /** So long after its foretold end a plan that does not go on is left; without it, it is waited for. */
  readonly patienceMs?: number
}

/** The nodes as they are now, read through the API. */
export async function figuresOf(admin: Api, policy: RebalancePolicy | undefined, signal: AbortSignal): Promise<NodeFigures[]> {
  const metrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'nodes' }
  const lists = await Promise.all(
    [builtIn.nodes, builtIn.pods, metrics].map(resource => admin.resource(resource).list({ signal })),
  )
  const objects = lists.flatMap(list =>
    list.items.map(item => ({ ...item, apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, '') })),
  )
  const { state } = buildClusterState(objects)
  return nodeFigures(state, shownGoals(policy, state).goals)
}

/** Starts the cluster and hands it to `use`, with what runs the policy once; all of it is over when this resolves. */
export async function withRun<T>(
  loaded: Loaded,
  setting: RunSetting,
  use: (cluster: EmbeddedCluster, run: () => Promise<RunEnd>, informers: Informers) => Promise<T>,
): Promise<T> {
  const { clock, seed, log } = setting
  const stop = new AbortController()
  const signal = AbortSignal.any([setting.signal, stop.signal])
  using faults = processFaults(exitAtOnce, setting.ending)
  await using cluster = await startEmbeddedCluster({
    objects: loaded.objects,
    clock,
    seed,
    log,
    signal,
    ...(setting.listen === undefined ? {} : { listen: setting.listen, leaseClock: systemClock }),
    hold: setting.hold,
    ...(setting.provisioners === undefined ? {} : { provisioners: setting.provisioners }),
    ...(setting.kept === undefined ? {} : { kept: setting.kept }),
    ...(loaded.configuration.from === undefined ? {} : { settings: loaded.configuration.settings }),
    ...(setting.feed === undefined ? {} : { feed: setting.feed }),
    faults,
  })
  await using informers = new Informers(cluster.admin, { clock, random: seededRandom(seed + 2), log, signal })
  const run = () => {
    const { policy } = loaded
    if (policy === undefined) throw new CommandRefused('there is no RebalancePolicy to run')
    const { watch, patienceMs } = setting
    const patience = patienceMs === undefined ? {} : { patienceMs }
    return runRebalance({ admin: cluster.admin, informers, clock, policy: policy.metadata.name, watch, signal, ...patience })
  }
  const faulted = cluster.controller.then(() => new Promise<never>(() => undefined))
  try {
    return await Promise.race([use(cluster, run, informers), faulted])
  } finally {
    setting.ending.begin()
    stop.abort(new DOMException('the run is over', 'AbortError'))
  }
}
