// The command line of nfd-topology-updater as values: Go's own flags over its configuration file.

import { InputError, type Problem } from '#kube/problem.ts'
import { formatDurationMs } from '#kube/time/duration.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { configzOf } from '../topology/kubelet-configuration.ts'
import { readExcludeList, type TopologySettings, topologySchema } from '../topology/topology-settings.ts'
import { oldPortForms, standardPort } from './go-words.ts'

interface UpdaterSettings {
  readonly topology: TopologySettings
  readonly kubeconfig: string
  readonly oneshot: boolean
  readonly version: boolean
  readonly port: number
  readonly verbosity: number
  /** Empty: as the place has it. */
  readonly hostRootPrefix: string
  readonly warnings: readonly string[]
}

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  config: 'text', oneshot: 'bool', 'no-publish': 'bool', kubeconfig: 'text', port: 'whole', 'sleep-interval': 'duration', 'watch-namespace': 'text', 'kubelet-config-uri': 'text',
  'api-auth-token-file': 'text', 'podresources-socket': 'text', 'pods-fingerprint': 'bool', 'kubelet-state-dir': 'text', version: 'bool', v: 'level', 'host-root-prefix': 'text',
}

const withoutEffect: Readonly<Record<string, FlagForm>> = { 'feature-gates': 'text', ...oldPortForms, ...logForms }

const configPath = '/etc/kubernetes/node-feature-discovery/nfd-topology-updater.conf'

interface Around {
  /** The text of a file, `undefined` where it is not there. */
  readonly read: (path: string) => string | undefined
  /** `NODE_ADDRESS`. */
  readonly nodeAddress: string
  /** Where the host's directory for variable data is, for a prefix that may be empty. */
  readonly stateDirectory: (prefix: string) => string
}

/**
 * What `words`, which follow the program's name, say over the configuration.
 *
 * @throws InputError with everything that is wrong
 */
export function updaterSettings(words: readonly string[], { read, nodeAddress, stateDirectory }: Around): UpdaterSettings {
  const table = { program: 'nfd-topology-updater', forms, unused: withoutEffect, letters: {}, words: 'refused' } as const
  const { values, unused, problems } = readFlags(withTwoDashes(words, { ...forms, ...withoutEffect }), table)
  const given = new GivenFlags(values)
  const uri = given.text('kubelet-config-uri')
  const asksKubelet = uri === '' && !given.flag('version')
  const all = [...problems, ...(asksKubelet && nodeAddress === '' ? [addressMissing] : [])]
  if (all.length > 0) throw new InputError(all)
  const warnings = [...unused]
  const path = given.text('config', configPath)
  const text = path === '' ? '' : read(path)
  if (text === undefined) warnings.push(`there is no configuration ${path}: nothing is left out`)
  const hostRootPrefix = given.text('host-root-prefix')
  const interval = values.get('sleep-interval')
  const standard = topologySchema.parse({})
  const topology = topologySchema.safeParse({
    enabled: true,
    noPublish: given.flag('no-publish'),
    // A negative interval never ends, as upstream has it.
    sleepInterval: typeof interval === 'number' ? formatDurationMs(Math.max(0, interval)) : standard.sleepInterval,
    watchNamespace: given.text('watch-namespace', standard.watchNamespace),
    podsFingerprint: given.flag('pods-fingerprint', standard.podsFingerprint),
    apiAuthTokenFile: given.text('api-auth-token-file', standard.apiAuthTokenFile),
    podResourcesSocket: given.text('podresources-socket'),
    kubeletConfigUri: asksKubelet ? configzOf(nodeAddress) : uri,
    kubeletStateDir: given.text('kubelet-state-dir', stateDirectory(hostRootPrefix)),
    excludeList: readExcludeList(text ?? '', path, warning => void warnings.push(warning)),
  })
  if (!topology.success) throw new InputError([uriProblem(uri)])
  const port = values.get('port')
  const verbosity = values.get('v')
  return {
    topology: topology.data,
    kubeconfig: given.text('kubeconfig'),
    oneshot: given.flag('oneshot'),
    version: given.flag('version'),
    port: typeof port === 'number' ? port : standardPort,
    verbosity: typeof verbosity === 'number' ? verbosity : 0,
    hostRootPrefix,
    warnings,
  }
}

const addressMissing: Problem = {
  code: 'flag-value',
  where: '--kubelet-config-uri',
  found: 'nothing, and no NODE_ADDRESS in the environment',
  expected: 'one of both: where the configuration of the kubelet is',
}

/** All else was read by its form already. */
const uriProblem = (uri: string): Problem => ({
  code: 'flag-value',
  where: '--kubelet-config-uri',
  found: JSON.stringify(uri),
  expected: 'an address such as "https://10.0.0.1:10250/configz" or "file:///etc/kubelet.yaml"',
})
