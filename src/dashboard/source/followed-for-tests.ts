// A twin on a virtual clock and the picture of it, for tests of source and stream.
import { ballastKinds } from '#coordination/kinds.ts'
import type { UsageSource } from '#coordination/ports/usage.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { type Clock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { referenceCluster } from '#planning/testdata/reference-cluster.ts'
import { withClock } from '#twin/own-kinds/clock-spec.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { testSettings } from '../stream/streams-for-tests.ts'
import { type LiveSource, openLiveSource } from './live-source.ts'

/** Case D of the spec: 14:00 in Berlin. */
const followedStartMs = Date.parse('2025-12-19T14:00:00+01:00')

interface FollowedOptions {
  /** Beside the reference cluster and Ballast's kinds. */
  readonly objects?: readonly KubeObject[]
  readonly withoutBallast?: boolean
  /** Who reads; the administrator. */
  readonly user?: { readonly user: string; readonly groups: readonly string[] }
  readonly mode?: 'twin' | 'cluster'
  /** What the process measures by itself. */
  readonly measured?: () => UsageSource | undefined
  /** The cluster's time, where it is not that of `wall`. */
  readonly clockOn?: (wall: VirtualClock) => Clock
}

export interface Followed extends AsyncDisposable {
  /** Real time, which in these tests is virtual as well. */
  readonly wall: VirtualClock
  readonly clock: Clock
  readonly twin: Twin
  readonly admin: Api
  readonly source: LiveSource
}

/** Resolves when the source is ready. */
export async function followedTwin(options: FollowedOptions = {}): Promise<Followed> {
  await using started = new AsyncDisposableStack()
  const wall = new VirtualClock(followedStartMs)
  const clock = options.clockOn?.(wall) ?? wall
  const kinds = options.withoutBallast === true ? [] : ballastKinds.flatMap(({ definition }) => definition ?? [])
  const given = [...kinds, ...referenceCluster(), ...(options.objects ?? [])]
  const objects = options.clockOn === undefined ? given : withClock(given)
  // What is there stays as it is: nobody schedules or makes pods.
  const twin = await startTwin({ clock, wire: wall, objects, ownKinds: true, scheduler: false, controllers: [] })
  started.defer(() => twin.stop())
  const admin = openApi(twin.transport({ admin: true }), { clock: wall, userAgent: 'test' })
  started.defer(() => admin.close())
  const api = openApi(twin.transport(options.user ?? { admin: true }), { clock: wall, userAgent: 'page' })
  started.defer(() => api.close())
  const stop = new AbortController()
  const { signal } = stop
  const informers = started.use(new Informers(api, { clock, random: seededRandom(1), signal }))
  const source = started.use(
    openLiveSource({
      informers,
      api,
      clock,
      wallClock: wall,
      random: seededRandom(7),
      mode: options.mode ?? 'twin',
      cluster: 'talos-homelab',
      settings: () => testSettings,
      twin: { source: 'examples/talos-homelab', seed: 1 },
      ...(options.measured === undefined ? {} : { measured: options.measured }),
      signal,
    }),
  )
  let isReady = false
  void source.ready.then(() => {
    isReady = true
  })
  await wall.runUntil(() => isReady, { limitMs: 120_000 })
  started.defer(() => stop.abort())
  const whole = started.move()
  return { wall, clock, twin, admin, source, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}
