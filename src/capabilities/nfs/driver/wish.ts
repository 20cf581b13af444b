// What CreateVolume and CreateSnapshot are asked for, read from their parameters.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import type { ContentSource, VolumeCapability } from '../csi/messages.ts'
import { archivedPrefix, longestPart } from '../files/relative-path.ts'
import { type Changes, leftAlone } from './changes.ts'
import { cleanPath, folderProblem, newPathProblem, permissionBits, serverProblem } from './share-path.ts'
import { readSnapshotId, type SnapshotId, sourceOf } from './snapshot-id.ts'
import { asksForClaim, type ClaimFacts, expandAsked, expandGiven, metadataKeys } from './sub-dir.ts'
import { isPolicy, policyOf, readVolumeId, type VolumeId } from './volume-id.ts'

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)
const notFound = (message: string) => new CallRefused(status.NOT_FOUND, message)

/** Keys of a class, in lower case. */
const volumeKeys = new Set(['server', 'share', 'subdir', 'ondelete', 'mountpermissions', ...Object.values(metadataKeys)])

export interface VolumeWish {
  readonly id: VolumeId
  /** Bits of the new folder; 0: those that it has. */
  readonly permissions: number
  /** What the volume is to be told when it is mounted: the parameters, with the folder's name as it came to be. */
  readonly context: ReadonlyMap<string, string>
}

interface WishOptions {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
  readonly defaultPermissions: number
  /** What the claim's class of attributes asks for. */
  readonly changes: Changes
  readonly defaultOnDelete: string
  /** Asked where `subDir` names what only the claim says. */
  readonly claim: (namespace: string, name: string) => Promise<ClaimFacts | undefined>
}

/** @throws CallRefused */
export async function volumeWish(options: WishOptions): Promise<VolumeWish> {
  const { name, parameters, defaultPermissions, defaultOnDelete, changes } = options
  const values = new Map<string, string>()
  let permissions = defaultPermissions
  for (const [key, value] of parameters) {
    const lower = key.toLowerCase()
    if (!volumeKeys.has(lower)) throw invalid(`invalid parameter ${JSON.stringify(key)} in storage class`)
    if (lower === 'mountpermissions' && value !== '')
      permissions = permissionBits(value, text => invalid(`invalid mountPermissions ${text} in storage class`))
    values.set(lower, value)
  }
  const server = values.get('server') ?? ''
  if (server === '') throw invalid('server is a required parameter')
  mustBe(serverProblem(server), 'server', server)
  const share = values.get('share') ?? ''
  mustBe(newPathProblem(share), 'share', share)
  const pattern = values.get('subdir') ?? ''
  mustBe(newPathProblem(withoutPlaceholders(pattern)), 'subDir', pattern)
  mustBe(newFolderProblem(name) ?? (cleanPath(name) === '' ? 'expected the name of a folder' : undefined), 'name', name)
  const onDelete = values.get('ondelete') ?? ''
  if (!isPolicy(onDelete)) throw invalid(`invalid value ${onDelete} for OnDelete, supported values are [ delete retain archive]`)
  const subDir = pattern === '' ? name : await expanded(pattern, values, options)
  // What placeholders brought is looked at, too.
  const what = pattern === '' ? 'name' : 'subDir'
  mustBe(newFolderProblem(subDir) ?? lastPartProblem(pattern, subDir), what, subDir)
  // Nodes fill in the given ones again.
  mustBe(expandGiven(subDir, values) === subDir ? undefined : 'a placeholder stands for another one', what, subDir)
  const id = { server, share, subDir, uuid: pattern === '' ? '' : name, onDelete: onDelete || defaultOnDelete }
  mustBe(archiveProblem(subDir, id.onDelete), what, subDir)
  const context = withSubDir(parameters, subDir)
  if (changes.permissions === undefined) return { id, permissions, context }
  return { id, permissions: changes.permissions, context: leftAlone(context) }
}

const newFolderProblem = (path: string): string | undefined => newPathProblem(path) ?? folderProblem(path)

/** Where placeholders come to nothing the folder above would be the volume: that of others, or the whole share. */
function lastPartProblem(pattern: string, subDir: string): string | undefined {
  // Who says the share itself in so many words has it.
  if (cleanPath(pattern) === '') return undefined
  const said = /(?:\/\.?)*$/.exec(pattern)?.[0] ?? ''
  const last =
    subDir
      .slice(0, subDir.length - said.length)
      .split('/')
      .at(-1) ?? ''
  return ['', '.'].includes(last) ? `what stands for ${JSON.stringify(pattern)} gives its last folder no name` : undefined
}

/** A folder that is archived gets a longer name. */
function archiveProblem(subDir: string, onDelete: string): string | undefined {
  const [first = ''] = cleanPath(subDir).split('/')
  const most = longestPart - archivedPrefix.length
  const isLonger = policyOf(onDelete, 'delete') === 'archive' && Buffer.byteLength(first) > most
  return isLonger ? `its first folder has more than ${most} bytes, so that it cannot be archived` : undefined
}

/** Names of labels may have any character that a path may not. */
const withoutPlaceholders = (subDir: string): string => subDir.replaceAll(/\$\{[^}]*\}/g, '')

function mustBe(problem: string | undefined, what: string, found: string): void {
  if (problem !== undefined) throw invalid(`invalid ${what} ${JSON.stringify(found)}: ${problem}`)
}

async function expanded(pattern: string, values: ReadonlyMap<string, string>, { claim }: WishOptions): Promise<string> {
  const subDir = expandGiven(pattern, values)
  if (!asksForClaim(subDir)) return subDir
  const [namespace, name] = [values.get(metadataKeys.namespace), values.get(metadataKeys.claim)]
  if (namespace === undefined || name === undefined)
    throw invalid(
      `subDir ${JSON.stringify(pattern)} names the claim's labels, annotations or class: the provisioner has to say which claim it is (--extra-create-metadata)`,
    )
  const facts = await claim(namespace, name)
  if (facts === undefined)
    throw new CallRefused(
      status.UNAVAILABLE,
      `subDir ${JSON.stringify(pattern)} names the claim's labels, annotations or class, and claim ${namespace}/${name} cannot be read`,
    )
  return expandAsked(subDir, facts)
}

/** The key keeps the spelling in which it was given. */
function withSubDir(parameters: ReadonlyMap<string, string>, subDir: string): ReadonlyMap<string, string> {
  const key = [...parameters.keys()].find(one => one.toLowerCase() === 'subdir') ?? 'subdir'
  return new Map([...parameters, [key, subDir]])
}

/** @throws CallRefused where capabilities are missing, or of blocks */
export function checkCapabilities(capabilities: readonly VolumeCapability[]): void {
  if (capabilities.length === 0) throw invalid('volume capabilities missing in request')
  if (capabilities.some(({ block }) => block !== undefined)) throw invalid('block volume capability not supported')
}

interface SnapshotWish {
  readonly id: SnapshotId
  /** With which options the share of archives is mounted; empty: by default. */
  readonly mountOptions: string
}

/** Where the archive of `volume` is to lie. @throws CallRefused NOT_FOUND, upstream's code for each mistake of a class */
export function snapshotWish(name: string, parameters: ReadonlyMap<string, string>, volume: VolumeId): SnapshotWish {
  const missing = (message: string) => new CallRefused(status.NOT_FOUND, `failed to create nfsSnapshot: ${message}`)
  let { server, share } = volume
  let mountOptions = ''
  for (const [key, value] of parameters) {
    const lower = key.toLowerCase()
    if (lower === 'server') server = value
    else if (lower === 'share') share = value
    else if (lower === 'mountoptions') mountOptions = value
    else throw missing(`invalid parameter ${JSON.stringify(key)} in snapshot storage class`)
  }
  if (server === '') throw missing('server is a required parameter')
  const source = sourceOf(volume)
  if (source === '') throw missing('missing required source volume name')
  const problems = [
    ['server', server, serverProblem(server)],
    ['share', share, newPathProblem(share)],
    ['name', name, newFolderProblem(name) ?? (cleanPath(name) === name ? undefined : 'expected the name of a folder')],
    ['source', source, newPathProblem(source) ?? (source.includes('/') ? 'expected the name of a file' : undefined)],
  ] as const
  for (const [what, found, problem] of problems)
    if (problem !== undefined) throw missing(`invalid ${what} ${JSON.stringify(found)}: ${problem}`)
  return { id: { server, share, name, source }, mountOptions }
}

/** Options that a Secret brings for calls that have no capability; its key is `mountOptions` in any case. */
export function optionsOfSecret(secrets: ReadonlyMap<string, string>): readonly string[] {
  const [, found = ''] = [...secrets].find(([key]) => key.toLowerCase() === 'mountoptions') ?? []
  return found === '' ? [] : [found]
}

export type FoundSource = { readonly snapshot: SnapshotId } | { readonly volume: VolumeId }

/** What a volume is to be filled from. @throws CallRefused NOT_FOUND for an identifier that says nothing */
export function readSource({ snapshot, volume }: ContentSource): FoundSource {
  if (snapshot !== undefined) {
    const read = readSnapshotId(snapshot.snapshotId)
    if ('problem' in read) throw notFound(`failed to create nfsSnapshot from snapshot ID: ${read.problem}`)
    return { snapshot: read }
  }
  if (volume === undefined) throw invalid('the volume source is neither a snapshot nor a volume')
  const read = readVolumeId(volume.volumeId)
  if ('problem' in read) throw notFound(read.problem)
  return { volume: read }
}
