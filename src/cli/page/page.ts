// The page of this process: what `ballast up` and `ballast dashboard` share of opening it.

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Registry } from 'prom-client'
import { newSecret } from '#dashboard/access/cookies.ts'
import type { Actions } from '#dashboard/actions/actions.ts'
import { type Bundle, type BundleProblem, openBundle } from '#dashboard/build/bundle.ts'
import { pagesOf } from '#dashboard/capability-page.ts'
import { type DashboardConfiguration, parseListen } from '#dashboard/configuration.ts'
import { type Dashboard, openDashboard } from '#dashboard/dashboard.ts'
import type { Picture, PictureSource } from '#dashboard/picture.ts'
import { plainWidth, terminalText } from '#dashboard/terminal/terminal-view.ts'
import { overviewOf } from '#dashboard/views/overview.ts'
import { readingOnly, type Viewing } from '#dashboard/views/viewing.ts'
import type { Api } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { Surroundings } from '../command-line.ts'
import { harmless } from '../terminal/paragraph.ts'
import { labelsOf, ownZone } from '../terminal/view-options.ts'
import { pageSettings } from './page-settings.ts'

/** In an image all chunks of the program lie in one folder, and the page beside them; else this is a clone or a package. */
function installation(): string {
  const here = import.meta.dirname
  return existsSync(join(here, 'dist', 'web')) ? here : join(here, '..', '..', '..')
}

/** The page's scripts, built beside the caller where they are not there yet. Dispose of it after the page. */
export function pageBundle({ environment }: Pick<Surroundings, 'environment'>, log: Log): Bundle {
  const given = environment['XDG_CACHE_HOME']
  const cache = given === undefined || given === '' ? join(environment['HOME'] ?? homedir(), '.cache') : given
  return openBundle({ root: installation(), cacheDirectory: join(cache, 'ballast'), log })
}

/** That the page has no script, and what to do about it: a line without what a compiler paints with. */
export function bundleWords({ message, remedy }: BundleProblem): string {
  return `the page reads but does not move: ${harmless(stripVTControlCharacters(message))} Remedy: ${remedy}`
}

interface PageOptions {
  readonly configuration: DashboardConfiguration
  /** Port instead of the configuration's. */
  readonly port: number | undefined
  /** Whether a one-time key is demanded. */
  readonly hasKey: boolean
  readonly source: PictureSource
  readonly api: Api
  readonly viewerApi: (token: string) => Api
  readonly actions: Actions | undefined
  readonly bundle: Bundle
  readonly log: Log
  readonly metrics?: Registry
  /** Who said what the configuration says. */
  readonly origins: Parameters<typeof pageSettings>[1]
}

/** Listens. A port that is taken is told on standard error with the one that was taken instead. @throws InputError as `openDashboard` */
export async function openPage(options: PageOptions, { terminal }: Surroundings): Promise<Dashboard> {
  const { port, hasKey, origins, configuration: given, ...rest } = options
  const configuration = port === undefined ? given : { ...given, listen: listenOn(given, port) }
  const timeZone = configuration.timeZone ?? ownZone()
  return await openDashboard({
    ...rest,
    configuration,
    pages: await pagesOf(enabledCapabilities),
    clock: systemClock,
    random: systemRandom,
    terminalView: (picture: Picture, viewing: Viewing = readingOnly) =>
      terminalText(overviewOf(picture, viewing), { width: plainWidth, zone: timeZone, labelsOf: labelsOf(() => picture) }),
    key: hasKey ? newSecret() : undefined,
    version: programVersion,
    settings: pageSettings(configuration, origins),
    onOtherPort: ({ wanted, used }) => terminal.say(`port ${wanted} is taken: the page is on ${used}`),
  })
}

function listenOn({ listen }: DashboardConfiguration, port: number): string {
  const host = parseListen(listen)?.host ?? ''
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
