// What a mirror works by, as flags, environment and configuration want it: for `ballast agent --role=mirror` and `ballast spegel registry`.

import type { Command } from 'commander'
import type { Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { mirrorConfiguration } from '../config.ts'
import { upstreamDefaults, withFlags } from '../registry-flags.ts'
import type { MirrorSettings } from '../settings.ts'
import { settingsOf, slowPatterns } from '../settings-of.ts'
import { basicAuthDirectory, readBasicAuth } from './basic-auth-files.ts'
import { givenRegistryFlags } from './flag-table.ts'

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
