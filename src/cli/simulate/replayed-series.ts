// `ballast simulate --scaledobject`: what replicas a recorded series would have led to. The capability that scales plays it.
import { readFileSync, statSync } from 'node:fs'
import { text as textOf } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { readDocuments } from '#cluster/documents.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** What `ballast simulate --scaledobject` plays: a kind of object that scales by numbers of its sources. */
    readonly replays?: { readonly kind: string; readonly load: () => Promise<ReplaysSeries> }
  }
}

export interface SeriesOptions {
  readonly scaledobject?: string
  readonly series?: string
  readonly replicas?: number
}

export interface AskedReplay {
  readonly object: KubeObject
  readonly objectFile: string
  readonly series: string
  readonly seriesFile: string
  readonly replicas: number | undefined
  readonly signal: AbortSignal
}

/** Plays it. @throws InputError with all that is wrong in either file */
type ReplaysSeries = (asked: AskedReplay) => Promise<SeriesReplay>

export interface SeriesReplay {
  /** Lines of at most `columns`. */
  readonly lines: (columns: number) => readonly string[]
  readonly document: Readonly<Record<string, unknown>>
}

/** A year of lines of 15 s with a few columns. */
const largestSeriesBytes = 256 * 1024 * 1024
const plainColumns = 80
const widestColumns = 200

export async function replaySeries(
  { scaledobject: file = '', series: seriesFile, replicas }: SeriesOptions,
  output: 'table' | 'json' | 'yaml',
  { terminal, signal, environment }: Surroundings,
): Promise<ExitCode> {
  if (seriesFile === undefined) throw new CommandRefused('--scaledobject needs --series FILE: a CSV with the time and the values')
  const replays = enabledCapabilities.find(one => one.replays !== undefined)?.replays
  if (replays === undefined) throw new CommandRefused('this build has no capability that scales')
  const series = seriesFile === '-' ? await textOf(process.stdin) : fileText('--series', seriesFile)
  const { objects, problems } = readDocuments(file, fileText('--scaledobject', file))
  if (problems.length > 0) throw new InputError(problems)
  const ofKind = objects.map(({ object }) => object).filter(({ kind }) => kind === replays.kind)
  const [object] = ofKind
  if (object === undefined || ofKind.length > 1) {
    const names = ofKind.map(({ metadata }) => metadata.name).join(', ')
    const found = object === undefined ? `no ${replays.kind}` : `${ofKind.length} of them: ${names}`
    throw new InputError([{ code: 'replayed-object', where: file, found, expected: `one ${replays.kind}` }])
  }
  const load = await replays.load()
  const replay = await load({
    ...{ object, objectFile: file, series, signal, replicas },
    seriesFile: seriesFile === '-' ? 'standard input' : seriesFile,
  })
  if (output === 'json') terminal.write(JSON.stringify(replay.document))
  else if (output === 'yaml') terminal.write(stringify(replay.document, { lineWidth: 0 }).trimEnd())
  else for (const line of replay.lines(columnsOf(environment))) terminal.write(line)
  return exitCodes.done
}

function columnsOf(environment: Surroundings['environment']): number {
  const said = process.stdout.columns ?? Number(environment['COLUMNS'])
  return Number.isInteger(said) && said >= 40 ? Math.min(said, widestColumns) : plainColumns
}

/** @throws InputError for one that cannot be read, or is too long */
function fileText(option: string, file: string): string {
  const expected = 'a file that can be read'
  try {
    const { size } = statSync(file)
    if (size <= largestSeriesBytes) return readFileSync(file, 'utf8')
    throw new Error(`it has ${size} bytes, of at most ${largestSeriesBytes}`)
  } catch (error) {
    throw new InputError([{ code: 'file-unreadable', where: `${option} ${file}`, found: messageOf(error), expected }])
  }
}
