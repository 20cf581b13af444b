// How much volumes use, on the real control plane: folders fill and are emptied, and what is noted, told and counted follows, over a new process too.

import { deepStrictEqual, ok } from 'node:assert'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readUse, useAnnotation } from '../../../src/capabilities/nfs/usage/use-annotation.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { until } from '../mirror/laboratory/program.ts'
import { startClaimsPlane } from './claims-site.ts'
import { installController, type OurController } from './our-controller.ts'

const name = 'media'
const mebibyte = 2 ** 20
/** One walk, a pause before each, and the minute between two of them. */
const limitMs = 150_000

interface Stored extends ApiObject {
  readonly spec: { readonly volumeName?: string }
  readonly status?: { readonly phase?: string }
}

interface EventObject {
  readonly reason: string
  readonly type: string
  readonly message: string
  readonly involvedObject: { readonly name: string }
}

export async function usageOfVolumes(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await startClaimsPlane())
  const { client } = site.plane
  const folder = site.nfs.addShare(name, 'kubernetes')
  await client.want('POST', '/api/v1/namespaces', { metadata: { name } })
  await client.want('POST', '/apis/storage.k8s.io/v1/storageclasses', {
    metadata: { name },
    provisioner: 'nfs.csi.k8s.io',
    parameters: { server: name, share: '/kubernetes' },
  })
  const claims = apiPath({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }, name)
  const installed = await installController(site, { usage: { enabled: true, interval: '1m' } }, stack)
  let controller = stack.use(await installed.start('controller-1'))

  const seen = <T>(what: string, holds: () => Promise<T | undefined>) =>
    until(what, holds, limitMs, 250).catch((cause: unknown) => {
      throw new Error(`${what}: ${controller.program.log()}`, { cause })
    })
  /** A claim of 1 MiB, and the folder of its volume. */
  const made = async (claim: string) => {
    const spec = { accessModes: ['ReadWriteMany'], storageClassName: name, resources: { requests: { storage: '1Mi' } } }
    await client.want('POST', claims, { metadata: { name: claim }, spec })
    const volume = await seen(`${claim} is bound`, async () => {
      const { spec: of, status } = (await client.want('GET', `${claims}/${claim}`)) as Stored
      return status?.phase === 'Bound' ? of.volumeName : undefined
    })
    return { claim, volume, path: join(folder, volume) }
  }
  type Made = Awaited<ReturnType<typeof made>>
  const use = async ({ volume }: Made) => {
    const { metadata } = await client.want('GET', apiPath({ apiVersion: 'v1', kind: 'PersistentVolume' }, '', volume))
    const { annotations = {} } = metadata as { readonly annotations?: Readonly<Record<string, string>> }
    return readUse(annotations[useAnnotation])
  }
  const noted = (one: Made, what: string, holds: (bytes: number) => boolean) =>
    seen(`${one.claim} is noted to use ${what}`, async () => {
      const found = await use(one)
      return found !== undefined && holds(found.bytes) ? found : undefined
    })
  const told = async ({ claim }: Made) => {
    const { items } = (await client.want('GET', `/api/v1/namespaces/${name}/events`)) as unknown as {
      readonly items: readonly EventObject[]
    }
    return items
      .filter(({ reason, involvedObject }) => reason.startsWith('NfsVolume') && involvedObject.name === claim)
      .map(({ type, reason }) => `${type} ${reason}`)
      .toSorted()
  }
  const counted = async (of: OurController, { claim }: Made) => {
    const line = (await of.metrics())
      .split('\n')
      .find(one => one.startsWith('ballast_nfs_volume_used_bytes{') && one.includes(`"${claim}"`))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }

  const fills = await made('fills')
  const empties = await made('empties')
  writeFileSync(join(fills.path, 'a'), Buffer.alloc(0.9 * mebibyte, 'x'))
  writeFileSync(join(empties.path, 'a'), Buffer.alloc(1.5 * mebibyte, 'x'))
  const nearly = await noted(fills, '0.9 MiB', bytes => bytes >= 0.9 * mebibyte && bytes < mebibyte)
  const above = await noted(empties, '1.5 MiB', bytes => bytes >= 1.5 * mebibyte)
  await until('both are told', async () => (await told(fills)).length > 0 && (await told(empties)).length > 0)
  deepStrictEqual([await told(fills), await told(empties)], [['Warning NfsVolumeNearlyFull'], ['Warning NfsVolumeAboveRequest']])
  deepStrictEqual([await counted(controller, fills), await counted(controller, empties)], [nearly.bytes, above.bytes])

  writeFileSync(join(fills.path, 'b'), Buffer.alloc(0.5 * mebibyte, 'x'))
  rmSync(join(empties.path, 'a'))
  const more = await noted(fills, '1.4 MiB', bytes => bytes >= 1.4 * mebibyte)
  const less = await noted(empties, 'next to nothing', bytes => bytes < 0.1 * mebibyte)
  deepStrictEqual([more.before?.bytes, less.before?.bytes], [nearly.bytes, above.bytes])
  await until('that it is above is told', async () => (await told(fills)).length === 2)
  deepStrictEqual(
    [await told(fills), await told(empties)],
    [['Warning NfsVolumeAboveRequest', 'Warning NfsVolumeNearlyFull'], ['Warning NfsVolumeAboveRequest']],
  )
  deepStrictEqual([await counted(controller, fills), await counted(controller, empties)], [more.bytes, less.bytes])

  // A new process tells what the one before it found, as soon as it leads.
  await controller.kill()
  controller = stack.use(await installed.start('controller-2'))
  await until('the new process counts', async () => (await counted(controller, fills)) === more.bytes, 60_000)
  deepStrictEqual(await use(fills), more, 'it was walked through again before its time')

  await client.want('DELETE', `${claims}/fills`)
  await until('what is gone is not counted', async () => (await counted(controller, fills)) === undefined, 30_000)
  ok((await counted(controller, empties)) !== undefined)
  return `0.9 MiB of 1 MiB: NfsVolumeNearlyFull; then ${(more.bytes / mebibyte).toFixed(1)} MiB: NfsVolumeAboveRequest; one of ${(above.bytes / mebibyte).toFixed(1)} MiB is emptied to ${less.bytes} bytes; annotation and metric follow, over a new process, and the metric goes with its claim`
}
