// What somebody who means ill, or errs, may write wherever a driver is told a server, a path, an identifier or an option: each value at each place, and what must
// hold whatever comes of it.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import type { CsiAnswer, CsiCall, CsiMessage } from './csi-wire.ts'
import { hostileValues } from './nfs-adversary-values.ts'
import { treeLines } from './nfs-export-tree.ts'
import { InProcessSite } from './nfs-played-site.ts'
import { capability } from './nfs-requests.ts'

type Fields = Readonly<Record<string, unknown>>

export interface Place {
  readonly name: string
  readonly call: CsiCall
  readonly request: (value: string) => Fields
  /** What a refusal names. */
  readonly says: RegExp
  /** Folders of the share that a call may make or change, and lose; the one that is asked for is looked at by itself. */
  readonly own?: RegExp
}

const mounted = capability()
const withOption = (option: string) => capability('MULTI_NODE_MULTI_WRITER', [option])
const share = { server: 'nas', share: '/export' }
const names = {
  'csi.storage.k8s.io/pvc/name': 'claim',
  'csi.storage.k8s.io/pvc/namespace': 'media',
  'csi.storage.k8s.io/pv/name': 'pv-9',
}
const joined = (fields: readonly string[], at: number) => (value: string) =>
  fields.map((field, index) => (index === at ? value : field)).join('#')

/** Each field of an identifier in turn, and the identifier as a whole. */
const idsOf = (fields: Readonly<Record<string, string>>): readonly (readonly [string, (value: string) => string])[] => [
  ['identifier', value => value],
  ...Object.keys(fields).map((name, at) => [`${name} of the identifier`, joined(Object.values(fields), at)] as const),
]
const volumeId = 'nas#export#pvc-1##'
const volumes = idsOf({ server: 'nas', share: 'export', subDir: 'pvc-1', uuid: '', onDelete: '' })
const snapshots = idsOf({ server: 'nas', share: 'export', name: 'snap-1', again: 'snap-1', source: 'pvc-1' })
const groups = idsOf({ server: 'nas', share: 'export', name: 'g-1', kind: 'group' })

const make = (name: string, request: (value: string) => Fields, says: RegExp): Place => ({
  name: `CreateVolume, ${name}`,
  call: 'CreateVolume',
  request: value => ({ name: 'pvc-2', volumeCapabilities: [mounted], ...request(value) }),
  says,
})
const parameter = (key: string, says: RegExp, subDir?: string) =>
  make(key, value => ({ parameters: { ...share, ...names, ...(subDir === undefined ? {} : { subDir }), [key]: value } }), says)
const pattern = `\${pvc.metadata.namespace}/\${pvc.metadata.name}-\${pv.metadata.name}`
const ofVolumes = (call: CsiCall, says: RegExp, more: Fields = {}, own?: RegExp): readonly Place[] =>
  volumes.map(([name, id]) => ({
    ...{ name: `${call}, ${name}`, call, request: (value: string) => ({ ...more, volumeId: id(value) }), says },
    ...(own === undefined ? {} : { own }),
  }))
const snapshotPlace = (name: string, request: (value: string) => Fields, says: RegExp): Place => ({
  name: `CreateSnapshot, ${name}`,
  call: 'CreateSnapshot',
  request: value => ({ name: 'snap-1', sourceVolumeId: volumeId, ...request(value) }),
  says,
  own: /^snap-1\b/,
})
const groupPlace = (name: string, request: (value: string) => Fields, says: RegExp): Place => ({
  name: `CreateVolumeGroupSnapshot, ${name}`,
  call: 'CreateVolumeGroupSnapshot',
  request: value => ({ name: 'g-1', sourceVolumeIds: [volumeId], ...request(value) }),
  says,
  own: /^\.ballast-groups\b/,
})
const node = (
  call: 'NodePublishVolume' | 'NodeStageVolume',
  name: string,
  request: (value: string) => Fields,
  says: RegExp,
): Place => ({
  name: `${call}, ${name}`,
  call,
  request: value => ({
    ...{ volumeId, volumeCapability: mounted, [call === 'NodePublishVolume' ? 'targetPath' : 'stagingTargetPath']: '$targets/t' },
    ...request(value),
  }),
  says,
})
const attachContext = /neither its identifier nor its context|has no folder/
const anyOf = /volume|snapshot|group/i
const optionSaid = /mount option/

export const places: readonly Place[] = [
  ...(['server', 'share', 'subDir', 'onDelete', 'mountPermissions'] as const).map(key => parameter(key, new RegExp(key, 'i'))),
  parameter('odd', /parameter "odd"/),
  ...Object.keys(names).map(key => parameter(key, /subDir/, pattern)),
  parameter('csi.storage.k8s.io/pvc/namespace', /subDir/, `\${pvc.metadata.namespace}`),
  make('key of a parameter', value => ({ parameters: { ...share, [value]: 'x' } }), /parameter/),
  make('name', value => ({ parameters: share, name: value }), /name/),
  make('option', value => ({ parameters: share, volumeCapabilities: [withOption(value)] }), optionSaid),
  make('changes', value => ({ parameters: share, mutableParameters: { mountPermissions: value } }), /mountPermissions/),
  make('key of changes', value => ({ parameters: share, mutableParameters: { [value]: '0770' } }), /mutable parameter/),
  ...volumes.map(([name, id]) =>
    make(
      `clone of ${name}`,
      value => ({ parameters: share, volumeContentSource: { volume: { volumeId: id(value) } } }),
      /split|invalid|not there/,
    ),
  ),
  ...snapshots.map(([name, id]) =>
    make(
      `snapshot by ${name}`,
      value => ({ parameters: share, volumeContentSource: { snapshot: { snapshotId: id(value) } } }),
      anyOf,
    ),
  ),
  ...ofVolumes('DeleteVolume', /volume|onDelete/, {}, /^pvc-1\b/),
  {
    name: 'DeleteVolume, option of a Secret',
    call: 'DeleteVolume',
    request: value => ({ volumeId, secrets: { mountOptions: value } }),
    says: optionSaid,
    own: /^pvc-1\b/,
  },
  ...ofVolumes('ValidateVolumeCapabilities', anyOf, { volumeCapabilities: [mounted] }),
  ...ofVolumes('ControllerModifyVolume', anyOf, { mutableParameters: { mountPermissions: '0770' } }, /^pvc-1\b/),
  {
    name: 'ControllerModifyVolume, changes',
    call: 'ControllerModifyVolume',
    request: value => ({ volumeId, mutableParameters: { mountPermissions: value } }),
    says: /mountPermissions/,
    own: /^pvc-1\b/,
  },
  ...(['server', 'share', 'mountOptions'] as const).map(key =>
    snapshotPlace(key, value => ({ parameters: { [key]: value } }), key === 'mountOptions' ? optionSaid : new RegExp(key)),
  ),
  snapshotPlace('odd', value => ({ parameters: { odd: value } }), /parameter "odd"/),
  snapshotPlace('name', value => ({ name: value }), /name/),
  ...volumes.map(([name, id]) =>
    snapshotPlace(`source by ${name}`, value => ({ sourceVolumeId: id(value) }), /source|invalid share/),
  ),
  ...snapshots.map(([name, id]): Place => {
    return {
      name: `DeleteSnapshot, ${name}`,
      call: 'DeleteSnapshot',
      request: value => ({ snapshotId: id(value) }),
      says: anyOf,
      own: /^snap-1\b/,
    }
  }),
  ...ofVolumes('ControllerPublishVolume', anyOf, { nodeId: 'n1', volumeCapability: mounted }, /^\.ballast-attached\b/),
  ...(['server', 'share', 'subDir'] as const).map(
    (key): Place => ({
      name: `ControllerPublishVolume, ${key} of the context`,
      call: 'ControllerPublishVolume',
      request: value => ({
        volumeId: 'any',
        nodeId: 'n1',
        volumeCapability: mounted,
        volumeContext: { ...share, subDir: 'pvc-1', [key]: value },
      }),
      says: attachContext,
      own: /^\.ballast-attached\b/,
    }),
  ),
  ...ofVolumes('ControllerUnpublishVolume', anyOf, { nodeId: 'n1' }, /^\.ballast-attached\b/),
  groupPlace('name', value => ({ name: value }), /name/),
  ...(['server', 'share', 'mountOptions'] as const).map(key =>
    groupPlace(key, value => ({ parameters: { [key]: value } }), key === 'mountOptions' ? optionSaid : new RegExp(key)),
  ),
  ...volumes.map(([name, id]) =>
    groupPlace(`source by ${name}`, value => ({ sourceVolumeIds: [id(value)] }), /source|volume|invalid share/),
  ),
  ...(['DeleteVolumeGroupSnapshot', 'GetVolumeGroupSnapshot'] as const).flatMap(call =>
    groups.map(([name, id]): Place => {
      return { name: `${call}, ${name}`, call, request: value => ({ groupSnapshotId: id(value) }), says: /group/i }
    }),
  ),
  ...(['NodePublishVolume', 'NodeStageVolume'] as const).flatMap(call => [
    ...(['server', 'share', 'subDir', 'mountOptions', 'mountPermissions'] as const).map(key =>
      node(
        call,
        key,
        value => ({ volumeContext: { ...share, ...names, subDir: 'pvc-1', [key]: value } }),
        key === 'mountOptions' ? optionSaid : new RegExp(key),
      ),
    ),
    node(
      call,
      'option',
      value => ({ volumeCapability: withOption(value), volumeContext: { ...share, subDir: 'pvc-1' } }),
      optionSaid,
    ),
    node(call, 'identifier', value => ({ volumeId: value, volumeContext: { ...share, subDir: 'pvc-1' } }), /Volume ID/),
    node(
      call,
      'placeholder',
      value => ({
        volumeContext: { ...share, ...names, subDir: `a-\${pvc.metadata.name}`, 'csi.storage.k8s.io/pvc/name': value },
      }),
      /subDir/,
    ),
  ]),
  ...(['server', 'share'] as const).map((key): Place => {
    return {
      name: `GetCapacity, ${key}`,
      call: 'GetCapacity',
      request: value => ({ parameters: { ...share, [key]: value } }),
      says: new RegExp(key),
    }
  }),
  { name: 'GetSnapshot', call: 'GetSnapshot', request: snapshotId => ({ snapshotId }), says: /snapshot/i },
  { name: 'ListVolumes, token', call: 'ListVolumes', request: startingToken => ({ startingToken }), says: /token/ },
  { name: 'ListSnapshots, snapshot', call: 'ListSnapshots', request: snapshotId => ({ snapshotId }), says: /snapshot/i },
]

const flags = [
  ...['--attach-volumes=n1', '--list-shares=nas:/export', '--stage-volumes', '--modify-volumes', '--group-snapshots'],
  '--node-expansion',
]
const others = ['neighbour/inner', 'media/other', 'archived-pvc-9', '.ballast-attached', '.ballast-groups', 'snap-9', '../other']

/** What is wrong when these values are written at a place, a line each. */
export async function faultsAt(
  place: Place,
  workers: FileWorkers,
  values: readonly string[] = hostileValues,
): Promise<readonly string[]> {
  using site = new InProcessSite()
  const root = site.addShare('nas', 'export')
  const fill = (folders: readonly string[]) => {
    for (const folder of folders) {
      mkdirSync(join(root, folder), { recursive: true })
      writeFileSync(join(root, folder, 'kept'), 'kept')
    }
  }
  fill(others)
  const kept = linesOf(site)
  const faults: string[] = []
  await using driver = await site.start(flags, workers)
  for (const value of values) {
    fill(['pvc-1'])
    const before = linesOf(site)
    const startedBefore = site.started().length
    const request: CsiMessage = JSON.parse(
      JSON.stringify(place.request(value)).replaceAll('$targets', join(site.root, 'targets')),
    )
    const answer = await driver.client.ask(place.call, request)
    const commands = site.started().slice(startedBefore)
    const after = linesOf(site)
    const wrong = [
      ...answerFaults(answer, place),
      ...commands.flatMap(command => commandFaults(command, site.root, value)),
      ...kept.filter(line => !after.includes(line)).map(line => `it is gone: ${line}`),
      ...changedIn(before, after)
        .filter(path => !mayChange(path, place, answer, request))
        .map(path => `it changed ${path}`),
      ...readdirSync(site.root).filter(name => !/^(exports|targets|work|below|\d+\.sock)$/.test(name)),
    ]
    faults.push(...wrong.map(fault => `${shortened(value)} ${answer.code}: ${shortened(fault)}`))
    await undone(driver.client, place, request, answer)
    for (const name of readdirSync(root))
      if (!others.some(other => other.split('/')[0] === name)) rmSync(join(root, name), { recursive: true })
  }
  return faults
}

type Client = Awaited<ReturnType<InProcessSite['start']>>['client']

async function undone(client: Client, { call }: Place, request: CsiMessage, { code }: CsiAnswer): Promise<void> {
  if (code !== 'OK') return
  if (call === 'NodePublishVolume')
    await client.ask('NodeUnpublishVolume', { volumeId: request['volumeId'], targetPath: request['targetPath'] })
  if (call === 'NodeStageVolume') {
    const { volumeId, stagingTargetPath } = request
    await client.ask('NodeUnstageVolume', { volumeId, stagingTargetPath })
  }
  if (call === 'ControllerPublishVolume') {
    const { volumeId, nodeId, volumeContext } = request
    await client.ask('ControllerUnpublishVolume', { volumeId, nodeId, volumeContext })
  }
}

/** All that lies on the servers, hidden folders too. */
const linesOf = (site: InProcessSite): readonly string[] => [
  ...treeLines(site.exports),
  ...['attached', 'groups'].flatMap(name =>
    treeLines(join(site.exports, 'nas', 'export', `.ballast-${name}`)).map(line => `.ballast-${name}: ${line}`),
  ),
]

/** Paths below the share whose lines are others; what is not below it as it is. */
function changedIn(before: readonly string[], after: readonly string[]): readonly string[] {
  const changed = [...before.filter(line => !after.includes(line)), ...after.filter(line => !before.includes(line))]
  // A share may be the whole server, too.
  return changed.map(
    line =>
      /^(\.ballast-\w+): /.exec(line)?.[1] ?? / nas\/(?:export\/)?(.*?)(?: @.*| \S+ \d+\/\d+ \d+ .*)?$/.exec(line)?.[1] ?? line,
  )
}

function mayChange(path: string, { call, own }: Place, { response }: CsiAnswer, request: CsiMessage): boolean {
  if (own?.test(path)) return true
  const volume: unknown = response?.['volume']
  const made =
    call === 'CreateVolume' && typeof volume === 'object' && volume !== null ? Reflect.get(volume, 'volumeId') : undefined
  const folder = typeof made === 'string' ? made.split('#')[2] : call === 'CreateSnapshot' ? request['name'] : undefined
  if (typeof folder !== 'string') return false
  const asked = `${folder
    .split('/')
    .filter(part => !['', '.'].includes(part))
    .join('/')}/`
  const shown = `${path.replaceAll('\\\\', '\\')}/`
  return shown.startsWith(asked) || asked.startsWith(shown)
}

/** How a call may end, and what is said then. */
function answerFaults({ code, message }: CsiAnswer, { says }: Place): readonly string[] {
  switch (code) {
    case 'OK':
    case 'ABORTED':
    case 'ALREADY_EXISTS':
    case 'FAILED_PRECONDITION':
      return []
    case 'INVALID_ARGUMENT':
    case 'NOT_FOUND':
      return says.test(message) ? [] : [`it does not say what is wrong: ${message}`]
    default:
      return honest.test(message) ? [] : [message]
  }
}

/** What only the server, or what lies on it, can say. */
const honest =
  /mount failed|is the whole share|longer than 255 bytes|more than 64 parts|name too long|would lie within|the one lies within|no such file/

/** What is wrong with how a program was started. */
function commandFaults(
  { program, args }: { readonly program: string; readonly args: readonly string[] },
  root: string,
  value: string,
): readonly string[] {
  if (program === 'umount') return []
  const [source = '', target = '', options] =
    program === 'mount.nfs' ? [args[0], args[1], args[3]] : [args.at(-2), args.at(-1), args.length > 4 ? args[3] : '']
  const shape = (
    program === 'mount.nfs'
      ? [source, target, '-o', options]
      : ['-t', 'nfs', ...(args.length > 4 ? ['-o', options] : []), source, target]
  ).join('\n')
  const [, path] = /^(?:\w[\w.-]*|\[[\da-f:.]+(?:%\w+)?\]):(.*)$/i.exec(source) ?? []
  const asked = new Set([...value.split(','), 'rw', 'ro', 'actimeo=0', ''])
  const more = (options ?? '').split(',').filter(option => !asked.has(option))
  return [
    ...(shape === args.join('\n') ? [] : [`odd words: ${args.join(' ')}`]),
    ...(path === undefined || path.startsWith('//') || path.split(/[/\\]/).includes('..') ? [`odd source: ${source}`] : []),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters are looked for
    ...(/[\u0000-\u001f]/.test(args.join('')) ? ['a control character'] : []),
    ...(target.startsWith(join(root, 'work/')) || target === join(root, 'targets/t') ? [] : [`odd target: ${target}`]),
    ...more.map(option => `nobody asked for option ${option}`),
  ]
}

const shortened = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 150)}… (${text.length})` : text)
