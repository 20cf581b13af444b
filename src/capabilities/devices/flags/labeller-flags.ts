// The command line of AMD's node labeller as values: each kind of label is a flag.

import { InputError } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { type LabelKind, labelKinds } from '../labelling/gpu-labels.ts'
import { loggingFlags } from './plugin-flags.ts'

interface LabellerSettings {
  readonly kinds: readonly LabelKind[]
  readonly kubeconfig: string
  /** In front of `/sys` and `/dev`. */
  readonly prefix: string
  readonly verbosity: number
  readonly warnings: readonly string[]
}

const forms: Readonly<Record<string, FlagForm>> = {
  ...Object.fromEntries(labelKinds.map(kind => [kind, 'bool'] as const)),
  kubeconfig: 'text',
  prefix: 'text',
  v: 'level',
}

/** What `words`, which follow the program's name, say. @throws InputError with everything that is wrong */
export function labellerSettings(words: readonly string[]): LabellerSettings {
  const dashed = words.map(word => (/^-[A-Za-z]/.test(word) ? `-${word}` : word))
  const table = { program: 'amd-node-labeller', forms, unused: loggingFlags, letters: {}, words: 'refused' } as const
  const { values, unused, problems } = readFlags(dashed, table)
  if (problems.length > 0) throw new InputError(problems)
  const given = new GivenFlags(values)
  const verbosity = values.get('v')
  return {
    kinds: labelKinds.filter(kind => given.flag(kind)),
    kubeconfig: given.text('kubeconfig'),
    prefix: given.text('prefix'),
    verbosity: typeof verbosity === 'number' ? verbosity : 0,
    warnings: unused,
  }
}
