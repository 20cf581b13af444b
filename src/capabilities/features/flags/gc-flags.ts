// The command line of nfd-gc as values.

import { InputError } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { oldPortForms, standardPort } from './go-words.ts'

interface GcSettings {
  readonly intervalMs: number
  /** So many objects are in a page of a list; 0: all. */
  readonly pageSize: number
  readonly kubeconfig: string
  readonly version: boolean
  readonly port: number
  readonly verbosity: number
  readonly warnings: readonly string[]
}

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  'gc-interval': 'duration', 'list-size': 'whole', kubeconfig: 'text', port: 'whole', version: 'bool', v: 'level',
}

const standardIntervalMs = 3_600_000
const standardPageSize = 200

const unused: Readonly<Record<string, FlagForm>> = { ...oldPortForms, ...logForms }

/** What `words`, which follow the program's name, say. @throws InputError with everything that is wrong */
export function gcSettings(words: readonly string[]): GcSettings {
  const table = {
    program: 'nfd-gc',
    forms,
    unused,
    letters: {},
    words: 'refused',
  } as const
  const { values, unused: without, problems } = readFlags(withTwoDashes(words, { ...forms, ...unused }), table)
  const given = new GivenFlags(values)
  const intervalMs = given.number('gc-interval', standardIntervalMs)
  const pageSize = given.number('list-size', standardPageSize)
  if (intervalMs <= 0) given.refuse('--gc-interval', `${intervalMs}ms`, 'more than 0')
  if (pageSize < 0) given.refuse('--list-size', pageSize, '0 or more')
  const all = [...problems, ...given.problems]
  if (all.length > 0) throw new InputError(all)
  return {
    intervalMs,
    pageSize,
    kubeconfig: given.text('kubeconfig'),
    version: given.flag('version'),
    port: given.number('port', standardPort),
    verbosity: given.number('v', 0),
    warnings: without,
  }
}
