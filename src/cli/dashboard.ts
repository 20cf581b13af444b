// `ballast dashboard`: the page of a live cluster, with the rights of whoever started it; or of a dump, as it was.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Actions, openActions } from '#dashboard/actions/actions.ts'
import type { DashboardConfiguration } from '#dashboard/configuration.ts'
import type { PictureSource } from '#dashboard/picture.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { readControllerConfiguration } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { processLog } from '#process/process-log.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type AccountOptions, loadAccounts, withAccounts } from './account/account-source.ts'
import { type DefineCommand, type Surroundings, wholeNumber } from './command-line.ts'
import { bundleWords, openPage, pageBundle } from './page/page.ts'
import { PageTransport } from './page/page-transport.ts'
import { viewerApis } from './page/viewer-apis.ts'
import { fixedPicture, fixedSource } from './source/fixed-picture.ts'
import { followCluster } from './source/followed-cluster.ts'

interface DashboardOptions extends AccountOptions {
  readonly port?: number
  readonly actions?: boolean
  readonly namespace?: readonly string[]
  readonly key?: boolean
  readonly verbose?: boolean
}

export const defineDashboard: DefineCommand = (program, surroundings) => {
  withAccounts(program.command('dashboard'))
    .description(about.dashboard)
    .option(
      '--port <number>',
      'port on 127.0.0.1; 0 takes any free one; a port in use gives way to the next free one of 10',
      wholeNumber(0, 65_535),
    )
    .option(
      '--actions',
      'allow approve, pause, step and freeze from the page, as far as your own rights go; without it the page only reads',
    )
    .option(
      '-n, --namespace <names...>',
      "show these namespaces only; default: all, or the context's and your own where you may not list pods in all",
    )
    .option('--key', 'demand a one-time key, which is printed with the address; for a machine that others use too')
    .option('--verbose', 'log lines on standard error')
    .addHelpText(
      'after',
      [
        '\nIt reads the section dashboard of the file that --config names. Ctrl-C ends it.',
        'Example: ballast dashboard --kubeconfig .ballast/kubeconfig --port 8090',
      ].join('\n'),
    )
    .action(async (options: DashboardOptions) => surroundings.end(await serve(options, surroundings)))
}

/** What a page is made from, whatever the cluster is. */
interface Shown {
  readonly source: PictureSource
  readonly api: Api
  readonly viewerApi: (token: string) => Api
  readonly actions: Actions | undefined
  /** What stands behind the address. */
  readonly words: string
}

async function serve(options: DashboardOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal, signal } = surroundings
  const configuration = configurationOf(options)
  if (options.cluster !== undefined && options.actions === true)
    throw new CommandRefused('--actions needs a live cluster: a dump does not change')
  if (options.cluster !== undefined && options.namespace !== undefined)
    throw new CommandRefused('--namespace needs a live cluster: a dump is shown whole')
  if (options.cluster !== undefined && configuration.auth.mode !== 'loopback')
    throw new CommandRefused(`a dump cannot tell who a viewer is: auth.mode ${configuration.auth.mode} needs a live cluster`)
  const log = processLog({ level: options.verbose === true ? 'debug' : 'error', clock: systemClock })
  await using opened = new AsyncDisposableStack()
  const bundle = opened.use(pageBundle(surroundings, log))
  const shown = await (options.cluster === undefined
    ? liveCluster(options, configuration, { surroundings, opened, log })
    : dump(options, surroundings))
  const { words, ...given } = shown
  const page = opened.use(
    await openPage(
      { ...given, configuration, port: options.port, hasKey: options.key === true, bundle, log, origins: originsOf(options) },
      surroundings,
    ),
  )
  terminal.write(`Ballast  ${page.url}  (${words})`)
  await bundle.ready
  if (bundle.problem !== undefined) terminal.say(bundleWords(bundle.problem))
  if (!signal.aborted) await once(signal, 'abort')
  return exitCodes.done
}

/** The section `dashboard` of the file that is named; reading only, unless somebody asks for more. */
function configurationOf(options: DashboardOptions): DashboardConfiguration {
  const read = readControllerConfiguration(
    { file: options.config ?? 'defaults', text: options.config === undefined ? '' : textOf(options.config), overrides: [] },
    enabledCapabilities,
  )
  if (!read.ok) throw new InputError(read.problems)
  const { dashboard } = read.configuration.sections
  return { ...dashboard, actions: options.actions ?? dashboard.actions ?? false }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CommandRefused(`--config: ${messageOf(error)}`)
  }
}

function originsOf({ config, port, actions }: DashboardOptions) {
  const flags: Record<string, string> = {}
  if (port !== undefined) flags['dashboard.listen'] = '--port'
  if (actions !== undefined) flags['dashboard.actions'] = '--actions'
  return { file: config, flags }
}

async function liveCluster(
  options: DashboardOptions,
  configuration: DashboardConfiguration,
  {
    surroundings,
    opened,
    log,
  }: { readonly surroundings: Surroundings; readonly opened: AsyncDisposableStack; readonly log: Log },
): Promise<Shown> {
  const cluster = opened.use(await followCluster(options, surroundings, log))
  const viewers = opened.use(await viewerApis(options, surroundings))
  const actions = configuration.actions === true ? opened.use(openActions({ random: systemRandom })) : undefined
  return {
    source: cluster.source,
    api: cluster.api,
    viewerApi: viewers.of,
    actions,
    words: `${cluster.server}, ${actions === undefined ? 'reading only' : 'with your own rights'}`,
  }
}

async function dump(options: DashboardOptions, surroundings: Surroundings): Promise<Shown> {
  const read = await loadAccounts(options, surroundings)
  const picture = fixedPicture(read)
  const { nodes, pods } = picture.state
  const api = openApi(new PageTransport('a dump has no API server'), {
    clock: systemClock,
    userAgent: `ballast/${programVersion} dashboard`,
  })
  return {
    source: fixedSource(picture),
    api,
    viewerApi: () => api,
    actions: undefined,
    words: `${read.cluster.shown} as it was, ${nodes.size} nodes, ${pods.size} pods, reading only`,
  }
}
