// The command line of csi-driver-nfs as values.

import { InputError, type Problem } from '#kube/problem.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { readEndpoint } from '../driver/csi-server.ts'
import type { NamedShare } from '../driver/on-share.ts'
import { cleanPath, newPathProblem, serverProblem } from '../driver/share-path.ts'
import { isPolicy } from '../driver/volume-id.ts'
import { driverName, mostVolumesPerNode } from '../names.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  endpoint: 'text', nodeid: 'text', 'mount-permissions': 'whole', drivername: 'text', 'working-mount-dir': 'text', 'default-ondelete-policy': 'text',
  'vol-stats-cache-expire-in-minutes': 'whole', 'remove-archived-volume-path': 'bool', 'use-tar-command-in-snapshot': 'bool', 'enable-snapshot-compression': 'bool', v: 'level',
  'list-shares': 'text', 'stage-volumes': 'bool', 'modify-volumes': 'bool', 'attach-volumes': 'text', 'max-volumes-per-node': 'whole', 'group-snapshots': 'bool', 'node-expansion': 'bool',
}

export interface DriverFlags {
  readonly endpoint: string
  readonly nodeId: string
  readonly driverName: string
  readonly mountPermissions: number
  readonly workingMountDir: string
  readonly defaultOnDelete: string
  readonly statsMinutes: number
  readonly removeArchived: boolean
  readonly useTarProgram: boolean
  readonly compresses: boolean
  /** Ours: a volume is mounted once for all pods of the node. */
  readonly stages: boolean
  /** Ours: ControllerModifyVolume is served. */
  readonly modifies: boolean
  /** Ours: nodes to which ControllerPublishVolume publishes. Undefined: it is not served, as by upstream's. */
  readonly attachedNodes: readonly string[] | undefined
  /** Ours: volumes that a node may have at once; 0: any number. */
  readonly mostVolumes: number
  /** Ours: the GroupController service. */
  readonly groups: boolean
  /** Ours: NodeExpandVolume is served, and asked for when a volume grows. */
  readonly nodeExpands: boolean
  /** Ours: shares that are listed, and only then ListVolumes and its like are served. Undefined: as upstream's. */
  readonly listedShares: readonly NamedShare[] | undefined
  readonly verbosity: number
  readonly warnings: readonly string[]
}

const standardStatsMinutes = 10

/** What `words`, which follow the program's name, say. @throws InputError with everything that is wrong */
export function driverFlags(words: readonly string[]): DriverFlags {
  const all = { ...forms, ...logForms }
  const table = { program: 'nfsplugin', forms, unused: logForms, letters: {}, words: 'refused' } as const
  const { values, unused, problems } = readFlags(withTwoDashes(words, all), table)
  const text = (name: string, standard: string) => {
    const found = values.get(name)
    return typeof found === 'string' ? found : standard
  }
  const whole = (name: string, standard: number) => {
    const found = values.get(name)
    return typeof found === 'number' ? found : standard
  }
  const flag = (name: string, standard: boolean) => values.get(name) ?? standard
  const endpoint = text('endpoint', 'unix://tmp/csi.sock')
  const defaultOnDelete = text('default-ondelete-policy', '')
  const mountPermissions = whole('mount-permissions', 0)
  const minutes = whole('vol-stats-cache-expire-in-minutes', standardStatsMinutes)
  const mostVolumes = whole('max-volumes-per-node', 0)
  const attached = text('attach-volumes', '')
  const nodes = attached === '' ? undefined : attached.split(',')
  const listed = text('list-shares', '')
  const shares = listed === '' ? undefined : listed.split(',').map(readShare)
  const wrong = [
    ...problems,
    ...(shares?.includes(undefined) === true ? [problem('list-shares', listed, 'SERVER:/SHARE, and more after commas')] : []),
    ...(nodes?.includes('') === true ? [problem('attach-volumes', attached, 'NODE, and more after commas')] : []),
    ...(mostVolumes >= 0 && mostVolumes <= mostVolumesPerNode
      ? []
      : [problem('max-volumes-per-node', String(mostVolumes), `a number from 0 to ${mostVolumesPerNode}`)]),
    ...endpointProblems(endpoint),
    ...(isPolicy(defaultOnDelete)
      ? []
      : [problem('default-ondelete-policy', defaultOnDelete, 'delete, retain, archive or nothing')]),
    ...(mountPermissions >= 0 && mountPermissions <= 0o7777
      ? []
      : [problem('mount-permissions', String(mountPermissions), 'a decimal number from 0 to 4095')]),
  ]
  if (wrong.length > 0) throw new InputError(wrong)
  return {
    endpoint,
    nodeId: text('nodeid', ''),
    driverName: text('drivername', driverName),
    mountPermissions,
    workingMountDir: text('working-mount-dir', '/tmp'),
    defaultOnDelete,
    statsMinutes: minutes > 0 ? minutes : standardStatsMinutes,
    removeArchived: flag('remove-archived-volume-path', false) === true,
    useTarProgram: flag('use-tar-command-in-snapshot', false) === true,
    listedShares: shares?.filter(share => share !== undefined),
    modifies: flag('modify-volumes', false) === true,
    stages: flag('stage-volumes', false) === true,
    attachedNodes: nodes,
    mostVolumes,
    groups: flag('group-snapshots', false) === true,
    nodeExpands: flag('node-expansion', false) === true,
    compresses: flag('enable-snapshot-compression', true) === true,
    verbosity: whole('v', 0),
    warnings: unused,
  }
}

function readShare(text: string): NamedShare | undefined {
  const [, bracketed, bare, path = ''] = /^(?:\[(.+)\]|([^[:]+)):(\/.*)$/.exec(text) ?? []
  const server = bare ?? bracketed
  if (server === undefined || (serverProblem(server) ?? newPathProblem(path)) !== undefined) return undefined
  return { server, share: cleanPath(path) }
}

function endpointProblems(endpoint: string): readonly Problem[] {
  try {
    readEndpoint(endpoint)
    return []
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [problem('endpoint', endpoint, 'unix:///PATH or tcp://HOST:PORT')]
  }
}

const problem = (name: string, found: string, expected: string): Problem => ({
  code: 'flag-value',
  where: `--${name}`,
  found,
  expected,
})
