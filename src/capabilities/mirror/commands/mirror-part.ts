// The mirror as a part of a process on a node.
import { Gauge, Registry } from 'prom-client'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { AgentPart } from '#process/agent/agent-host.ts'
import { trimAtRest } from '#process/agent/trimming.ts'
import { startMirror } from '../node-part.ts'
import type { MirrorSettings } from '../settings.ts'
import { countHostsWrites, readHostsRecord } from './hosts-record.ts'
import { afterStart, mirrorAlone } from './mirror-alone.ts'

interface MirrorPartOptions {
  readonly clock: Clock
  readonly log: Log
  /** What the container before it left of how hosts files were written. */
  readonly hostsRecord?: string | undefined
  /** For bootstrap `kubernetes`: whose EndpointSlices name the others. */
  readonly openService?: () => Promise<{ readonly api: Api; readonly namespace: string; readonly name: string }>
}

/** The mirror as a part of a process. */
export function mirrorPart(settings: MirrorSettings, { clock, log, openService, hostsRecord }: MirrorPartOptions): AgentPart {
  return {
    capability: 'mirror',
    role: 'mirror',
    // Who finds the others by the API server carries what speaks to it.
    alone: settings.bootstrap.kind === 'kubernetes' ? undefined : mirrorAlone(settings, hostsRecord),
    // What is counted begins anew with each life: the names are taken once for each registry.
    start: async ({ signal }) => {
      signal.throwIfAborted()
      const metrics = new Registry()
      collectProcessMetrics(metrics)
      const help = '1 for the version that runs'
      new Gauge({ name: 'ballast_build_info', help, labelNames: ['version'], registers: [metrics] }).set(
        { version: programVersion },
        1,
      )
      if (hostsRecord !== undefined) countHostsWrites(metrics, readHostsRecord(hostsRecord))
      await using opening = new AsyncDisposableStack()
      const service = settings.bootstrap.kind === 'kubernetes' ? await openService?.() : undefined
      if (service !== undefined) opening.defer(() => service.api.close())
      const running = await startMirror({ settings, version: programVersion, clock, random: systemRandom, log, metrics, service })
      const end = new AbortController()
      const trimming = trimAtRest({ clock, afterStart }, end.signal)
      opening.defer(async () => {
        end.abort()
        await trimming
      })
      const whole = opening.move()
      return {
        health: () => running.health(),
        reconfigure: async () => 'restart-part',
        async [Symbol.asyncDispose]() {
          await running[Symbol.asyncDispose]()
          await whole.disposeAsync()
        },
      }
    },
  }
}
