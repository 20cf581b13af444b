// The command line of nfd-worker as values: Go's own flags, which take one dash or two, over its configuration file.

import { InputError, type Problem } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { owners, readWorkerConfig, type WorkerConfig, workerConfigPath } from '../discovery/worker-config.ts'
import { listed, oldPortForms, standardPort } from './go-words.ts'

interface WorkerSettings {
  readonly config: WorkerConfig
  readonly kubeconfig: string
  readonly oneshot: boolean
  readonly version: boolean
  readonly port: number
  readonly verbosity: number
  /** Empty: as the place has it, see `hostPlaces`. */
  readonly hostRootPrefix: string
  readonly warnings: readonly string[]
}

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  config: 'text', options: 'text', oneshot: 'bool', 'no-publish': 'bool', 'owner-refs': 'text', 'no-owner-refs': 'bool', kubeconfig: 'text', port: 'whole',
  'feature-sources': 'text', 'label-sources': 'text', 'no-publish-features': 'text', version: 'bool', v: 'level', 'host-root-prefix': 'text',
}

const unused: Readonly<Record<string, FlagForm>> = { 'feature-gates': 'text', ...oldPortForms, ...logForms }

/**
 * What `words`, which follow the program's name, say over the configuration; `read` yields the text of a file, `undefined` where it is not there.
 *
 * @throws InputError with everything that is wrong
 */
export function workerSettings(words: readonly string[], read: (path: string) => string | undefined): WorkerSettings {
  const table = { program: 'nfd-worker', forms, unused, letters: {}, words: 'refused' } as const
  const { values, unused: without, problems } = readFlags(withTwoDashes(words, { ...forms, ...unused }), table)
  const { text, flag } = new GivenFlags(values)
  const ownerRefs = values.has('owner-refs') ? listed(text('owner-refs')) : undefined
  const all = [...problems, ...ownerProblems(ownerRefs ?? [])]
  if (all.length > 0) throw new InputError(all)
  const path = text('config', `/${workerConfigPath}`)
  const given = read(path)
  const unknown: string[] = []
  const overlay = { text: text('options'), path: '--options' }
  const config = readWorkerConfig(given ?? '', path, {
    overlay: overlay.text === '' ? undefined : overlay,
    tell: warning => void unknown.push(warning),
  })
  const over = <Key extends keyof WorkerConfig['core']>(key: Key, name: string, value: WorkerConfig['core'][Key] | undefined) =>
    values.has(name) && value !== undefined ? { [key]: value } : {}
  const core = {
    ...config.core,
    ...over('noPublish', 'no-publish', flag('no-publish')),
    ...over('noOwnerRefs', 'no-owner-refs', flag('no-owner-refs')),
    // The cast: each was found among the owners.
    ...over('ownerRefs', 'owner-refs', ownerRefs as WorkerConfig['core']['ownerRefs'] | undefined),
    ...over('featureSources', 'feature-sources', listed(text('feature-sources'))),
    ...over('labelSources', 'label-sources', listed(text('label-sources'))),
    ...over('noPublishFeatures', 'no-publish-features', listed(text('no-publish-features'))),
  }
  const port = values.get('port')
  const verbosity = values.get('v')
  return {
    config: { ...config, core },
    kubeconfig: text('kubeconfig'),
    oneshot: flag('oneshot'),
    version: flag('version'),
    port: typeof port === 'number' ? port : standardPort,
    verbosity: typeof verbosity === 'number' ? verbosity : 0,
    hostRootPrefix: text('host-root-prefix'),
    warnings: [...without, ...unknown, ...(given === undefined ? [`there is no configuration ${path}: the standards hold`] : [])],
  }
}

function ownerProblems(given: readonly string[]): readonly Problem[] {
  const expected = `some of ${owners.join(', ')}, each once`
  const known: readonly string[] = owners
  return given.flatMap((name, at) => {
    if (!known.includes(name)) return [{ code: 'flag-value', where: '--owner-refs', found: JSON.stringify(name), expected }]
    return given.indexOf(name) < at ? [{ code: 'flag-value', where: '--owner-refs', found: `${name} twice`, expected }] : []
  })
}
