// The mirror of a node as flags, environment and configuration want it: for `ballast agent --role=mirror` and `ballast spegel registry`.

import type { Command } from 'commander'
import { Gauge, Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import type { Api } from '#kube/client/api.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { AgentPart } from '#process/agent/agent-host.ts'
import { trimAtRest } from '#process/agent/trimming.ts'
import { mirrorConfiguration } from '../config.ts'
import { startMirror } from '../node-part.ts'
import { upstreamDefaults, withFlags } from '../registry-flags.ts'
import type { MirrorSettings } from '../settings.ts'
import { settingsOf, slowPatterns } from '../settings-of.ts'
import { basicAuthDirectory, readBasicAuth } from './basic-auth-files.ts'
import { givenRegistryFlags } from './flag-table.ts'
import { countHostsWrites, readHostsRecord } from './hosts-record.ts'

interface MirrorWish {
  /** With the flags of the registry. */
  readonly command: Command
  /** The section of the configuration; `undefined`: none was given, and upstream's defaults hold. */
  readonly section: unknown
  readonly environment: Surroundings['environment']
}

/** @throws InputError naming every flag and key that is wrong, before anything is started */
export function mirrorSettings({ command, section, environment }: MirrorWish, log: Log): MirrorSettings {
  const { flags, warnings } = givenRegistryFlags(command, environment)
  for (const warning of warnings) log.warn({}, warning)
  const basicAuth = readBasicAuth(environment['BALLAST_BASIC_AUTH_DIR'] ?? basicAuthDirectory)
  const place = {
    nodeAddress: environment['NODE_IP'] || undefined,
    zone: environment['BALLAST_ZONE'] || undefined,
    peerCertificateDirectory: flags.peerCertDir,
    peersFile: flags.bootstrapFile,
    peersDomain: flags.dnsBootstrapDomain,
    basicAuth,
  }
  const configured = settingsOf(mirrorConfiguration.parse(section ?? {}), place)
  if (section === undefined && flags.bootstrapKind === undefined)
    throw new InputError([
      {
        code: 'flag-missing',
        where: '--bootstrap-kind',
        found: '',
        expected: 'one of dns, http, static, file, kubernetes; or --config',
      },
    ])
  const base = section === undefined ? { ...configured, ...upstreamDefaults } : configured
  const settings = withFlags(base, flags)
  const slow = slowPatterns(settings.filters, () => systemClock.elapsed(), 'registryFilters')
  if (slow.length > 0) throw new InputError(slow)
  return settings
}

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
      const trimming = trimAtRest({ clock }, end.signal)
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
