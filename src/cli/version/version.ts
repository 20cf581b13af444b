// `ballast version`: what this program is, and what of Ballast a cluster has.
import { stringify } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { exitCodes } from '#process/surroundings.ts'
import { about } from '../about.ts'
import { type DefineCommand, oneOf, type Surroundings, wholeNumber } from '../command-line.ts'
import { isInPod, kubeconfigOf } from '../source/live-source.ts'
import { type ClusterVersions, clusterVersions } from './cluster-versions.ts'
import { formWords, packing } from './packing.ts'

interface VersionOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly client?: boolean
  readonly timeout: number
  readonly output: 'table' | 'json' | 'yaml'
}

interface ClientVersion {
  readonly version: string
  /** The commit, or `unknown`. */
  readonly gitCommit: string
  readonly nodeVersion: string
  /** As Go and images call it: `linux/amd64`. */
  readonly platform: string
  readonly packedAs: keyof typeof formWords
}

/** Seconds. */
const standardTimeout = 3
const longestTimeoutSeconds = 60

export const defineVersion: DefineCommand = (program, surroundings) => {
  program
    .command('version')
    .description(about.version)
    .option('--kubeconfig <file>', 'the cluster that is asked; default: KUBECONFIG, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--client', 'ask no cluster')
    .option('--timeout <seconds>', 'how long a cluster is waited for', wholeNumber(1, longestTimeoutSeconds), standardTimeout)
    .option('-o, --output <format>', 'one of table, json, yaml', oneOf('table', 'json', 'yaml'), 'table')
    .addHelpText(
      'after',
      '\nA cluster that does not answer in time, or does not let itself be read, is told as unknown: the exit code stays 0.\nExample: ballast version --client -o json',
    )
    .action(async (options: VersionOptions) => {
      await printVersion(options, surroundings)
      surroundings.end(exitCodes.done)
    })
}

async function printVersion(options: VersionOptions, surroundings: Surroundings): Promise<void> {
  const { terminal } = surroundings
  const client = clientVersion()
  const server = options.client === true ? undefined : await serverVersion(options, surroundings)
  const document = {
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'Version',
    clientVersion: client,
    ...(server === undefined ? {} : { serverVersion: server }),
  }
  switch (options.output) {
    case 'json':
      terminal.write(JSON.stringify(document, undefined, 2))
      return
    case 'yaml':
      terminal.write(stringify(document, { lineWidth: 0 }).trimEnd())
      return
    case 'table':
      for (const line of [...clientLines(client), ...(server === undefined ? [] : serverLines(server))]) terminal.write(line)
  }
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
const systems: Readonly<Record<string, string>> = { win32: 'windows' }

function clientVersion(): ClientVersion {
  const { form, revision = 'unknown' } = packing()
  return {
    version: programVersion,
    gitCommit: revision,
    nodeVersion: process.version,
    platform: `${systems[process.platform] ?? process.platform}/${architectures[process.arch] ?? process.arch}`,
    packedAs: form,
  }
}

type ServerVersion = ClusterVersions | { readonly unknown: string }

/** `undefined`: no cluster is meant. */
async function serverVersion(
  { kubeconfig, context, timeout }: VersionOptions,
  { environment, signal }: Surroundings,
): Promise<ServerVersion | undefined> {
  const file = kubeconfigOf(kubeconfig, environment)
  if (file === undefined && !isInPod(environment)) return undefined
  const late = new AbortController()
  const cancel = systemClock.schedule(timeout * 1000, () => late.abort(new Error(`no answer in ${timeout} s`)))
  try {
    return await clusterVersions({ kubeconfig: file, context, environment, signal: AbortSignal.any([signal, late.signal]) })
  } catch (error) {
    signal.throwIfAborted()
    return { unknown: messageOf(late.signal.aborted ? late.signal.reason : error) }
  } finally {
    cancel()
  }
}

function clientLines({ version, gitCommit, nodeVersion, platform, packedAs }: ClientVersion): readonly string[] {
  return [
    `ballast ${version}`,
    `  commit  ${gitCommit}`,
    `  Node    ${nodeVersion}, ${platform}`,
    `  form    ${formWords[packedAs]}`,
  ]
}

function serverLines(server: ServerVersion): readonly string[] {
  if ('unknown' in server) return [`cluster   unknown: ${server.unknown}`]
  const first = `cluster   ${server.server}, Kubernetes ${server.kubernetes}`
  if (typeof server.ballast === 'string') return [first, `  Ballast there: unknown: ${server.ballast}`]
  if (server.ballast.length === 0) return [first, '  Ballast is not installed there']
  return [
    first,
    ...server.ballast.map(
      ({ kind, namespace, name, version, ready, wanted }) =>
        `  ${kind} ${namespace}/${name}  ${version}, ${ready} of ${wanted} ready`,
    ),
  ]
}
