// A share with volumes, and drivers that have their controller publish them to nodes.

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { InProcessSite } from './nfs-played-site.ts'
import { type accessModes, capability } from './nfs-requests.ts'

export const volumeId = 'candlekeep#kubernetes#pvc-1##'
export const attaching = ['--attach-volumes=n1,n2,n3', '--list-shares=candlekeep:/kubernetes,candlekeep:/other']

type Mode = (typeof accessModes)[number]

export function siteOf() {
  const site = new InProcessSite()
  const share = site.addShare('candlekeep', 'kubernetes')
  for (const name of ['pvc-1', 'pvc-2', 'pvc-3']) mkdirSync(join(share, name))
  mkdirSync(join(site.addShare('candlekeep', 'other'), 'pvc-1'))
  const records = () => readdirSync(share).filter(name => name === '.ballast-attached')
  return { site, share, records, [Symbol.dispose]: () => site[Symbol.dispose]() }
}

/** Starts drivers whose works on files `workers` does. */
export const startedWith =
  (workers: Pick<FileWorkers, 'run'>) =>
  async ({ site }: { readonly site: InProcessSite }, flags: readonly string[] = attaching) => {
    const driver = await site.start(flags, workers)
    const { client } = driver
    const attach = async (nodeId: string, mode: Mode = 'SINGLE_NODE_WRITER', fields: Readonly<Record<string, unknown>> = {}) => {
      const { code, message } = await client.ask('ControllerPublishVolume', {
        volumeId,
        nodeId,
        volumeCapability: capability(mode),
        ...fields,
      })
      return message === '' ? code : `${code} ${message}`
    }
    const detach = async (nodeId: string, id = volumeId) =>
      (await client.ask('ControllerUnpublishVolume', { volumeId: id, nodeId })).code
    return { client, attach, detach, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() }
  }
