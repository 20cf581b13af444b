// Which node has which volume, written down on the share of the volume: whoever leads next knows it, and so does a driver of another cluster. A record is a small file whose
// name says all that is decided by, so that one look at the folder is enough; what is in it is for people and messages.
//
// Names: `<volume>.<node>.<mode>.<rw or ro>`, the first two as checksums, since folders and nodes may have any name. What is wished and not decided yet ends with
// `.wanted`: it holds nothing.

import { createHash } from 'node:crypto'
import type { Place, ShareFiles } from '../share-files.ts'
import type { Attachment } from './attach-decision.ts'

const folder = '.ballast-attached'
/** Records of one share: a cluster has less nodes times volumes that are in use. */
const mostRecords = 100_000
const form = /^([0-9a-f]{32})\.([0-9a-f]{32})\.(\d{1,2})\.(ro|rw)(\.wanted)?$/

type At = Pick<Place, 'server' | 'root'>

/** `node` is its checksum: the records of a folder name no other. */
export interface AttachRecord extends Attachment {
  readonly name: string
  readonly volume: string
  readonly isWanted: boolean
}

/** What a record is found by. */
export const recordKey = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

export class AttachRecords {
  readonly #files: ShareFiles

  constructor(files: ShareFiles) {
    this.#files = files
  }

  /** All of a share. @throws FileWorkFailed */
  async all(at: At): Promise<readonly AttachRecord[]> {
    const entries = await this.#files.names({ ...at, path: folder }, mostRecords)
    return entries.flatMap(({ name }) => readName(name) ?? [])
  }

  /** Those of a volume, by the folder that it is. @throws FileWorkFailed */
  async of(at: At, path: string): Promise<readonly AttachRecord[]> {
    const volume = recordKey(path)
    return (await this.all(at)).filter(record => record.volume === volume)
  }

  /** The name of the node of a record; its checksum where the record cannot be read. */
  async nodeOf(at: At, { name, node }: AttachRecord): Promise<string> {
    const text = await this.#files.record({ ...at, path: `${folder}/${name}` })
    return /^node (.+)$/m.exec(text ?? '')?.[1] ?? node
  }

  /** Writes down what is wished. @throws FileWorkFailed */
  async want(at: At, path: string, { node, mode, isReadonly }: Attachment): Promise<AttachRecord> {
    const held = { volume: recordKey(path), node: recordKey(node), mode, isReadonly }
    const name = `${held.volume}.${held.node}.${mode}.${isReadonly ? 'ro' : 'rw'}.wanted`
    await this.#files.writeRecord({ ...at, path: `${folder}/${name}` }, `volume ${path}\nnode ${node}\n`)
    return { ...held, name, isWanted: true }
  }

  /** Has a wish hold from now on. @throws FileWorkFailed */
  async hold(at: At, { name }: AttachRecord): Promise<void> {
    await this.#files.rename({ ...at, path: `${folder}/${name}` }, `${folder}/${name.replace(/\.wanted$/, '')}`)
  }

  /** @throws FileWorkFailed */
  async remove(at: At, { name }: AttachRecord): Promise<void> {
    await this.#files.remove({ ...at, path: `${folder}/${name}` })
  }
}

function readName(name: string): AttachRecord | undefined {
  const [, volume, node, mode, way, wanted] = form.exec(name) ?? []
  if (volume === undefined || node === undefined) return undefined
  return { name, volume, node, mode: Number(mode), isReadonly: way === 'ro', isWanted: wanted !== undefined }
}
