// `ballast snapshot`: a live cluster as one file that `--cluster` reads, without Secrets' values. Nothing is written to the cluster.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { InvalidArgumentError } from 'commander'
import { SecretRedaction } from '#cluster/snapshot-redaction.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import type { DefineCommand, Surroundings } from './command-line.ts'
import { writeSnapshotFile } from './snapshot/snapshot-file.ts'
import { passingKinds, readCluster } from './snapshot/snapshot-read.ts'
import { snapshotText } from './snapshot/snapshot-text.ts'
import { openLiveApi } from './source/live-source.ts'

interface SnapshotOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly output: string
  readonly include: readonly string[]
  readonly usage: boolean
  readonly managedFields?: boolean
  readonly look?: boolean
}

export const defineSnapshot: DefineCommand = (program, surroundings) => {
  program
    .command('snapshot')
    .description(about.snapshot)
    .option('--kubeconfig <file>', 'the cluster; without it KUBECONFIG, the service account of a pod, ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '-o, --output <file>',
      'where to: YAML, or a JSON List (many times faster to load) for .json, packed for .gz; - for standard output',
      '-',
    )
    .option('--include <kinds>', `${passingKinds.join(', ')}: write these too; separated by commas`, included, [])
    .option('--no-usage', 'leave out what nodes and pods use, which changes all the time')
    .option('--managed-fields', 'keep metadata.managedFields')
    .option('--look', 'keep Events and metadata.managedFields: the evidence that ballast look goes by')
    .addHelpText(
      'after',
      '\nExit codes: 0 written (standard error names what could not be read), 3 written without nodes or pods.\nExample: ballast snapshot --kubeconfig ~/.kube/config -o cluster.yaml\n         ballast plan --cluster cluster.yaml',
    )
    .action(async (options: SnapshotOptions) => surroundings.end(await takeSnapshot(options, surroundings)))
}

function included(text: string): readonly string[] {
  const names = text.split(',').map(name => name.trim())
  const unknown = names.find(name => !passingKinds.some(kind => kind === name))
  if (unknown !== undefined)
    throw new InvalidArgumentError(`It must be of ${passingKinds.join(', ')}; all other kinds are in it anyway.`)
  return names
}

async function takeSnapshot(options: SnapshotOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal, environment, signal } = surroundings
  const { api, server } = await openLiveApi({
    kubeconfig: options.kubeconfig,
    context: options.context,
    environment,
    signal,
  })
  const progress = progressLine(process.stderr)
  const counts = new Map<string, number>()
  const also = options.look === true ? [...options.include, 'events'] : options.include
  try {
    const read = readCluster({
      api,
      wants: kind =>
        (options.usage || kind.group !== 'metrics.k8s.io') &&
        (also.includes(kind.resource) || !passingKinds.some(name => name === kind.resource)),
      signal,
      onLeftOut: sentence => {
        progress.clear()
        terminal.say(`left out: ${sentence}`)
      },
      onProgress: (kind, objects) => progress.show(`${kind} ${objects}`),
    })
    const pieces = snapshotText(forFile(read, options, counts), /\.json(\.gz)?$/.test(options.output) ? 'json' : 'yaml')
    if (options.output === '-') await pipeline(Readable.from(pieces), process.stdout, { end: false })
    else await writeSnapshotFile(options.output, pieces)
  } catch (error) {
    if (signal.aborted || error instanceof CommandRefused || !(error instanceof Error)) throw error
    const hint = error instanceof StatusError ? ` (${error.code})` : ''
    throw new CommandRefused(`read cluster ${server}: ${error.message}${hint}`, exitCodes.failed)
  } finally {
    progress.clear()
    await api.close()
  }
  const missing = ['Node', 'Pod'].filter(kind => !counts.has(kind))
  const objects = counts.values().reduce((sum, count) => sum + count, 0)
  if (options.output !== '-' || missing.length > 0)
    terminal.say(
      `${objects} objects of ${counts.size} kinds${options.output === '-' ? '' : ` in ${options.output}`}${missing.length === 0 ? '' : `, none of kind ${missing.join(' or ')}`}`,
    )
  return missing.length === 0 ? exitCodes.done : exitCodes.notSo
}

/** The objects as they go into the file, counted by kind. */
async function* forFile(
  objects: AsyncIterable<KubeObject>,
  options: SnapshotOptions,
  counts: Map<string, number>,
): AsyncGenerator<KubeObject> {
  const secrets = new SecretRedaction()
  for await (const object of objects) {
    counts.set(object.kind, (counts.get(object.kind) ?? 0) + 1)
    const redacted = secrets.redacted(object)
    const { managedFields: _managers, ...metadata } = redacted.metadata
    yield options.managedFields === true || options.look === true ? redacted : { ...redacted, metadata }
  }
}

/** One line that is written over again and again where a person looks, nothing elsewhere. */
function progressLine(stream: NodeJS.WriteStream): { show(text: string): void; clear(): void } {
  const beginning = '\r\u001b[K'
  return {
    show: text => {
      if (stream.isTTY) stream.write(`${beginning}${text}`)
    },
    clear: () => {
      if (stream.isTTY) stream.write(beginning)
    },
  }
}
