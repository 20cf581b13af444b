// Permissions of volumes that are there, by classes of attributes: over the wire, before folders.

import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { InProcessSite } from './nfs-played-site.ts'
import { create } from './nfs-requests.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())

const volumeId = 'candlekeep#kubernetes#pvc-1##'
const modes = { mountPermissions: '0750' }

async function started(...flags: readonly string[]) {
  const stack = new AsyncDisposableStack()
  const site = stack.use(new InProcessSite())
  const share = site.addShare('candlekeep', 'kubernetes')
  const { client } = stack.use(await site.start(flags, workers))
  const modify = (mutableParameters: Readonly<Record<string, string>>, id = volumeId) =>
    client.ask('ControllerModifyVolume', { volumeId: id, mutableParameters })
  const bits = () => (statSync(join(share, 'pvc-1')).mode & 0o7777).toString(8)
  return { client, share, modify, bits, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const made = (parameters: Readonly<Record<string, string>>, mutableParameters: Readonly<Record<string, string>>) =>
  create(parameters, { mutableParameters }).request

describe.skipIf(process.platform !== 'linux')('a driver that changes volumes', () => {
  test('sets permissions when it makes a volume and later; no mount sets others', async () => {
    await using site = await started('--modify-volumes')
    const { response } = await site.client.ask('CreateVolume', made({ mountPermissions: '0777' }, { mountPermissions: '0700' }))
    expect(site.bits()).toBe('700')
    expect(response).toMatchObject({ volume: { volumeId, volumeContext: { mountPermissions: '0' } } })
    for (const mountPermissions of ['02770', '02770', '0755']) {
      expect(await site.modify({ mountPermissions })).toMatchObject({ code: 'OK' })
      expect(site.bits()).toBe(mountPermissions.replace(/^0/, ''))
    }
    expect(await site.modify({})).toMatchObject({ code: 'OK' })
    expect(site.bits()).toBe('755')
  })

  // biome-ignore format: a table
  test.each([
    ['no volume',                ['--modify-volumes'],                            modes,            '',                              'INVALID_ARGUMENT', /Volume ID missing/],
    ['no identifier',            ['--modify-volumes'],                            modes,            'nothing',                       'NOT_FOUND',        /is not there/],
    ['no folder',                ['--modify-volumes'],                            modes,            'candlekeep#kubernetes#pvc-2##', 'NOT_FOUND',        /has no folder pvc-2/],
    ['a whole share',            ['--modify-volumes'],                            modes,            'candlekeep#kubernetes###',      'INVALID_ARGUMENT', /never changed/],
    ['what cannot be changed',   ['--modify-volumes'],                            { size: '1Gi' },  volumeId,                        'INVALID_ARGUMENT', /"size" is none/],
    ['what each mount sets',     ['--modify-volumes', '--mount-permissions=511'], modes,            volumeId,                        'INVALID_ARGUMENT', /the driver's mountPermissions are 777, and each mount sets them/],
    ['a driver that is not told', [],                                             modes,            volumeId,                        'UNIMPLEMENTED',    /./],
  ])('refuses %s', async (_, flags, parameters, id, code, message) => {
    await using site = await started(...flags)
    mkdirSync(join(site.share, 'pvc-1'))
    const before = site.bits()
    expect(await site.modify(parameters, id)).toEqual({ code, message: expect.stringMatching(message) })
    expect(site.bits()).toBe(before)
  })

  test('makes nothing by a class of which it knows a parameter not', async () => {
    await using site = await started('--modify-volumes')
    expect(await site.client.ask('CreateVolume', made({}, { iops: '1' }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(() => rmdirSync(join(site.share, 'pvc-1'))).toThrow('ENOENT')
  })

  test('says what it can only where it is told to', async () => {
    const told = async (...flags: readonly string[]) => {
      await using site = await started(...flags)
      return JSON.stringify((await site.client.ask('ControllerGetCapabilities', {})).response)
    }
    expect(await told('--modify-volumes')).toContain('MODIFY_VOLUME')
    expect(await told()).not.toContain('MODIFY_VOLUME')
  })
})
