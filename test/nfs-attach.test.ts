// Volumes that the controller publishes to nodes: over the wire, before folders.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { attaching, siteOf, startedWith, volumeId } from './nfs-attach-site.ts'
import { capability } from './nfs-requests.ts'

const workers = new FileWorkers({ clock: systemClock })
afterAll(() => workers[Symbol.asyncDispose]())
const started = startedWith(workers)

describe.skipIf(process.platform !== 'linux')('a driver that attaches volumes', () => {
  // biome-ignore format: a table
  test.each<[name: string, fields: Readonly<Record<string, unknown>>, answer: RegExp]>([
    ['no volume',                     { volumeId: '' },                                     /^INVALID_ARGUMENT Volume ID/],
    ['no node',                       { nodeId: '' },                                       /^INVALID_ARGUMENT Node ID/],
    ['no capability',                 { volumeCapability: undefined },                      /^INVALID_ARGUMENT Volume capability/],
    ['a block device',                { volumeCapability: { block: {}, accessMode: {} } },  /^INVALID_ARGUMENT block/],
    ['an identifier that says nothing', { volumeId: 'nothing' },                            /^NOT_FOUND .* neither its identifier/],
    ['a folder that is not there',    { volumeId: 'candlekeep#kubernetes#pvc-9##' },        /^NOT_FOUND .* has no folder pvc-9/],
    ['a way out of the share',        { volumeContext: { server: 'candlekeep', share: '/kubernetes', subdir: '../x' } }, /^NOT_FOUND/],
    ['a node that is not there',      { nodeId: 'n9' },                                     /^NOT_FOUND node n9/],
  ])('refuses %s, and writes nothing down', async (_, fields, answer) => {
    using place = siteOf()
    await using driver = await started(place)
    const { volumeCapability, ...others } = fields
    const asked = 'volumeCapability' in fields ? { volumeCapability } : {}
    const request = { volumeId, nodeId: 'n1', volumeCapability: capability(), ...asked, ...others }
    const { code, message } = await driver.client.ask(
      'ControllerPublishVolume',
      Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)),
    )
    expect(`${code} ${message}`).toMatch(answer)
    expect(place.records()).toEqual([])
  })

  test('holds a volume for one node to one, also when it is started anew, and lets it go', async () => {
    using place = siteOf()
    {
      await using driver = await started(place)
      expect(await driver.attach('n1')).toBe('OK')
      expect(await driver.attach('n1')).toBe('OK')
      expect(await driver.attach('n1', 'SINGLE_NODE_WRITER', { readonly: true })).toMatch(
        /^ALREADY_EXISTS .* node n1 with SINGLE_NODE_WRITER/,
      )
    }
    await using driver = await started(place)
    expect(await driver.attach('n2')).toBe(
      `FAILED_PRECONDITION volume ${volumeId} is published to node n1 with SINGLE_NODE_WRITER`,
    )
    // A PersistentVolume of any name that leads to the same folder is the same volume.
    const context = { volumeId: 'mine', volumeContext: { server: 'candlekeep', share: '/kubernetes/', subDir: 'pvc-1/' } }
    expect(await driver.attach('n2', 'SINGLE_NODE_WRITER', context)).toMatch(/^FAILED_PRECONDITION .* node n1/)
    expect((await driver.client.ask('DeleteVolume', { volumeId })).message).toMatch(/is published to node n1: nothing is deleted/)
    expect(readdirSync(place.share)).toContain('pvc-1')
    expect(await driver.detach('n2')).toBe('OK')
    expect(await driver.attach('n2')).toMatch(/^FAILED_PRECONDITION/)
    for (let time = 0; time < 2; time++) expect(await driver.detach('n1')).toBe('OK')
    expect(await driver.attach('n2')).toBe('OK')
    expect(await driver.detach('')).toBe('OK')
    expect(place.records()).toEqual([])
    expect((await driver.client.ask('DeleteVolume', { volumeId })).code).toBe('OK')
  })

  test('detaches what is not there, and says what is missing', async () => {
    using place = siteOf()
    await using driver = await started(place)
    expect(await driver.detach('n1', '')).toBe('INVALID_ARGUMENT')
    expect(await driver.detach('n1', 'nothing')).toBe('OK')
    expect(await driver.detach('n9')).toBe('OK')
  })

  test('lets all nodes have a volume for many, at once', async () => {
    using place = siteOf()
    await using driver = await started(place)
    const nodes = ['n1', 'n2', 'n3']
    expect(await Promise.all(nodes.map(node => driver.attach(node, 'MULTI_NODE_MULTI_WRITER')))).toEqual(['OK', 'OK', 'OK'])
    expect(await driver.attach('n1', 'MULTI_NODE_MULTI_WRITER')).toBe('OK')
    await Promise.all(nodes.map(node => driver.detach(node)))
    for (const node of nodes) await driver.detach(node)
    expect(place.records()).toEqual([])
  })

  test('gives one of two nodes that come at once a volume for one, or none', async () => {
    using place = siteOf()
    // Two controllers, as when a Lease is lost during a call.
    await using one = await started(place)
    await using other = await started(place)
    const answers = await Promise.all([one.attach('n1'), other.attach('n2')])
    expect(answers.filter(answer => answer === 'OK').length).toBeLessThan(2)
    for (const answer of answers.filter(one => one !== 'OK')) expect(answer).toMatch(/^FAILED_PRECONDITION/)
  })

  test('counts the volumes of a node on all shares', async () => {
    using place = siteOf()
    await using driver = await started(place, [...attaching, '--max-volumes-per-node=2'])
    expect((await driver.client.ask('NodeGetInfo', {})).response).toMatchObject({ maxVolumesPerNode: 2 })
    const ofOther = { volumeId: 'candlekeep#other#pvc-1##' }
    expect(await driver.attach('n1', 'MULTI_NODE_MULTI_WRITER', ofOther)).toBe('OK')
    expect(await driver.attach('n1')).toBe('OK')
    await using anew = await started(place, [...attaching, '--max-volumes-per-node=2'])
    const third = { volumeId: 'candlekeep#kubernetes#pvc-2##' }
    expect(await anew.attach('n1', 'SINGLE_NODE_WRITER', third)).toBe('RESOURCE_EXHAUSTED node n1 has 2 volumes, and may have 2')
    expect(await anew.attach('n1')).toBe('OK')
    expect(await anew.attach('n2', 'SINGLE_NODE_WRITER', third)).toBe('OK')
    expect(await anew.detach('n1', ofOther.volumeId)).toBe('OK')
    expect(await anew.attach('n1', 'SINGLE_NODE_WRITER', { volumeId: 'candlekeep#kubernetes#pvc-3##' })).toBe('OK')
  })

  test('has a node mount read-only what it has read-only', async () => {
    using place = siteOf()
    await using driver = await started(place)
    const asked = { volumeId, nodeId: 'n1', volumeCapability: capability('SINGLE_NODE_WRITER'), readonly: true }
    const { response } = await driver.client.ask('ControllerPublishVolume', asked)
    const { publishContext = {} } = response as { readonly publishContext?: Readonly<Record<string, string>> }
    const targetPath = join(place.site.root, 'targets', 't1')
    const mount = {
      volumeId,
      targetPath,
      volumeCapability: capability(),
      volumeContext: { server: 'candlekeep', share: '/kubernetes', subdir: 'pvc-1' },
    }
    expect(await driver.client.ask('NodePublishVolume', { ...mount, publishContext })).toMatchObject({ code: 'OK' })
    const command = place.site.commands().find(line => line.includes(targetPath))
    expect(command).toMatch(/^mount\.nfs candlekeep:.* -o ro$/)
    await driver.client.ask('NodeUnpublishVolume', { volumeId, targetPath })
  })

  test('passes over files that are no records', async () => {
    using place = siteOf()
    mkdirSync(join(place.share, '.ballast-attached'))
    writeFileSync(join(place.share, '.ballast-attached', 'notes.txt'), 'mine')
    await using driver = await started(place)
    expect(await driver.attach('n1')).toBe('OK')
    const [record = ''] = readdirSync(join(place.share, '.ballast-attached')).filter(name => name !== 'notes.txt')
    expect(readFileSync(join(place.share, '.ballast-attached', record), 'utf8')).toBe('volume pvc-1\nnode n1\n')
  })

  test('serves nothing of it where it is not told to', async () => {
    using place = siteOf()
    await using driver = await started(place, [])
    expect(await driver.attach('n1')).toMatch(/^UNIMPLEMENTED/)
    expect(await driver.detach('n1')).toBe('UNIMPLEMENTED')
    const told = JSON.stringify((await driver.client.ask('ControllerGetCapabilities', {})).response)
    expect(told).not.toContain('PUBLISH')
  })
})
