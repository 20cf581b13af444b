import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { hostClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { accessModes, type VolumeCapability } from '../csi/messages.ts'
import { Breaker } from '../mounts/breaker.ts'
import { Mounter } from '../mounts/mounter.ts'
import { FakeMachine } from '../testdata/fake-machine.ts'
import { mountSource } from './mount-source.ts'
import { NodeFiles } from './node-files.ts'
import { NodeService } from './node-service.ts'

/** Two minutes of a hanging mount are two hundredths of a second. */
const fast = 6_000

async function node({
  permissions = 0,
  speed = 1,
  detachAfterMs,
  stages = false,
}: {
  readonly permissions?: number
  readonly speed?: number
  readonly detachAfterMs?: number
  readonly stages?: boolean
} = {}) {
  const root = await temporaryDirectory()
  const clock = hostClock({ speed })
  const machine = new FakeMachine({ root: join(root, 'servers'), below: join(root, 'below'), clock })
  const answering = new Set<string>()
  const told: unknown[] = []
  const breaker = new Breaker({ clock, log: silentLog, probe: async server => answering.has(server) })
  const service = (of: { readonly stages?: boolean; readonly expands?: boolean } = {}) =>
    new NodeService({
      settings: {
        nodeId: 'n1',
        mountPermissions: permissions,
        statsMs: 600_000,
        detachAfterMs,
        stages,
        expands: false,
        mostVolumes: 0,
        ...of,
      },
      mounter: new Mounter({ run: machine.run, table: machine.table, clock }),
      files: new NodeFiles(machine.run),
      breaker,
      clock,
      log: silentLog,
      notices: {
        connections: (...of) => told.push(of),
        unmountedByForce: (...of) => told.push(of),
        server: (...of) => told.push(of),
      },
    })
  const target = (name = 'a') => join(root, 'pods', name, 'mount')
  return { root, machine, service, target, breaker, answering, told, clock }
}

const capability = (
  mountFlags: readonly string[] = [],
  mode: number = accessModes.MULTI_NODE_MULTI_WRITER,
): VolumeCapability => ({
  block: undefined,
  mount: { fsType: '', mountFlags, volumeMountGroup: '' },
  accessMode: { mode },
})

const context = { server: 'nas', share: '/export' }
const request = (
  targetPath: string,
  of: {
    readonly context?: Readonly<Record<string, string>>
    readonly capability?: VolumeCapability | undefined
    readonly id?: string
    readonly isReadonly?: boolean
    readonly staged?: string
  } = {},
) => ({
  volumeId: of.id ?? 'v1',
  publishContext: new Map(),
  stagingTargetPath: of.staged ?? '',
  targetPath,
  volumeCapability: 'capability' in of ? of.capability : capability(),
  isReadonly: of.isReadonly ?? false,
  secrets: new Map(),
  volumeContext: new Map(Object.entries(of.context ?? context)),
})

const refused = (code: status, message: RegExp | string) =>
  expect.objectContaining({ code, message: typeof message === 'string' ? message : expect.stringMatching(message) })

describe('what a call must say', () => {
  test('capability, then identifier, then target, then server, then share', async () => {
    const { service, target } = await node()
    const node1 = service()
    const bad = status.INVALID_ARGUMENT
    const at = target()
    await expect(node1.publish(request('', { capability: undefined, id: '' }))).rejects.toEqual(
      refused(bad, 'Volume capability missing in request'),
    )
    await expect(node1.publish(request('', { id: '' }))).rejects.toEqual(refused(bad, 'Volume ID missing in request'))
    await expect(node1.publish(request(''))).rejects.toEqual(refused(bad, 'Target path not provided'))
    await expect(node1.publish(request(at, { context: {} }))).rejects.toEqual(refused(bad, 'server is a required parameter'))
    await expect(node1.publish(request(at, { context: { server: 'nas' } }))).rejects.toEqual(
      refused(bad, 'share is a required parameter'),
    )
    await expect(node1.publish(request(at, { context: { ...context, mountPermissions: '07ab' } }))).rejects.toEqual(
      refused(bad, 'invalid mountPermissions 07ab'),
    )
    await expect(node1.publish(request(at, { context: { ...context, subDir: '../x' } }))).rejects.toEqual(
      refused(bad, /invalid subDir "..\/x": path contains directory traversal/),
    )
    await expect(node1.publish(request(at, { context: { ...context, server: '-v' } }))).rejects.toEqual(
      refused(bad, /invalid server "-v": expected a name such as/),
    )
    await expect(node1.publish(request(at, { context: { ...context, mountOptions: 'hard\nx' } }))).rejects.toEqual(
      refused(bad, /control character/),
    )
    await expect(node1.unpublish({ volumeId: '', targetPath: at })).rejects.toEqual(refused(bad, 'Volume ID missing in request'))
    await expect(node1.unpublish({ volumeId: 'v1', targetPath: '' })).rejects.toEqual(
      refused(bad, 'Target path missing in request'),
    )
    expect(existsSync(at)).toBe(false)
  })

  // biome-ignore format: a table
  test.each([
    ['nas', '/export', '', 'nas:/export'], ['nas', '/export/', 'x', 'nas:/export/x'], ['nas', '/', 'x', 'nas:/x'], ['fd00::1', '/share', '', '[fd00::1]:/share'],
    ['[fd00::1]', '/share', 'x', '[fd00::1]:/share/x'], ['10.0.0.2', '/a', 'b/c', '10.0.0.2:/a/b/c'], ['fe80::1%eth0', '/s', '', '[fe80::1%eth0]:/s'],
  ])('server %s, share %s, folder %j is %s', (server, share, subDir, source) => {
    expect(mountSource(server, share, subDir)).toBe(source)
  })
})

describe('mounting', () => {
  test('options of the class, read-only, then those of the volume, with placeholders in the folder', async () => {
    const { service, target, machine } = await node()
    const at = target()
    await service().publish(
      request(at, {
        capability: capability(['nfsvers=4.1', 'nconnect=16']),
        isReadonly: true,
        context: {
          ...context,
          SubDir: '${pvc.metadata.namespace}/x',
          mountOptions: 'hard',
          'csi.storage.k8s.io/pvc/namespace': 'media',
        },
      }),
    )
    expect(machine.commands).toEqual([`mount.nfs nas:/export/media/x ${at} -o ro,nfsvers=4.1,nconnect=16,hard`])
  })

  test('what is mounted is not mounted again, also by the next process', async () => {
    const { service, target, machine } = await node()
    const first = service()
    for (const one of [first, first, service()]) await one.publish(request(target()))
    expect(machine.commands).toHaveLength(1)
    await service().unpublish({ volumeId: 'v1', targetPath: target() })
    expect(existsSync(target())).toBe(false)
    await service().unpublish({ volumeId: 'v1', targetPath: target() })
    expect(machine.commands).toHaveLength(2)
  })

  test('permissions are set where they differ, special bits too', async () => {
    const { service, target, machine } = await node({ permissions: 0o777 })
    const folder = machine.share('nas', '/export')
    await service().publish(request(target(), { context: { ...context, mountPermissions: '02770' } }))
    expect(statSync(folder).mode & 0o7777).toBe(0o2770)
    await service().publish(request(target('b')))
    expect(statSync(folder).mode & 0o7777).toBe(0o777)
  })

  // biome-ignore format: a table
  test.each([
    ['mount.nfs: access denied by server while mounting nas:/export', status.PERMISSION_DENIED],
    ['mount.nfs: an incorrect mount option was specified: invalid argument', status.INVALID_ARGUMENT],
    ['mount.nfs: Connection refused', status.INTERNAL],
  ])('what mount says: %s', async (says, code) => {
    const { service, target, machine } = await node()
    machine.tell('nas', { fail: says })
    const wanted = refused(code, new RegExp(`^mount failed: exit status 32\\nMounting command: mount.nfs\\nMounting arguments: nas:/export .* -o rw\\nOutput: ${says}\\n$`))
    await expect(service().publish(request(target()))).rejects.toEqual(wanted)
    machine.tell('nas', undefined)
    await service().publish(request(target()))
  })

  test('a mount that hangs ends at its limit, and its target is taken until it is gone; others go on', async () => {
    const { service, target, machine, answering } = await node({ speed: fast })
    machine.tell('nas', { hang: true })
    answering.add('nas')
    const one = service()
    const late = refused(status.INTERNAL, /^mount volume nas:\/export to .* timeout after 110s$/)
    await expect(one.publish(request(target()))).rejects.toEqual(late)
    await expect(one.publish(request(target()))).rejects.toEqual(
      refused(status.ABORTED, 'An operation with the given Volume ID v1 already exists'),
    )
    await one.publish(request(target('b'), { id: 'v2', context: { ...context, server: 'other' } }))
    machine.tell('nas', undefined)
    await new Promise(setImmediate)
    await one.publish(request(target()))
  })

  test('a server that does not answer is told at once, until it does', async () => {
    const { service, target, machine, breaker, answering } = await node({ speed: fast })
    machine.tell('nas', { hang: true })
    const one = service()
    await expect(one.publish(request(target()))).rejects.toEqual(refused(status.INTERNAL, /timeout/))
    expect(breaker.unreachable()).toEqual(['nas'])
    await expect(one.publish(request(target('b'), { id: 'v2' }))).rejects.toEqual(
      refused(status.UNAVAILABLE, /^NFS server nas has not answered for \d+ s: nas:\/export is not mounted$/),
    )
    machine.tell('nas', undefined)
    answering.add('nas')
    await expect.poll(() => breaker.unreachable()).toEqual([])
    await one.publish(request(target('b'), { id: 'v2' }))
  })

  test('fewer connections than asked for are told', async () => {
    const { service, target, machine, told } = await node()
    machine.connections.set(target(), 1)
    await service().publish(request(target(), { capability: capability(['nconnect=16']) }))
    machine.connections.set(target('b'), 16)
    await service().publish(request(target('b'), { capability: capability(['nconnect=16']) }))
    await service().publish(request(target('c')))
    expect(told).toEqual([
      ['nas', 16, 1],
      ['nas', 16, 16],
    ])
  })
})

describe('one mount a node', () => {
  const staging = (root: string) => join(root, 'plugins', 'globalmount')
  const numbered = ({ capabilities }: ReturnType<NodeService['capabilities']>) => capabilities.map(({ rpc }) => rpc?.type)

  test('is told of only where it is wanted', async () => {
    expect(numbered((await node()).service().capabilities())).toEqual([2, 5])
    expect(numbered((await node({ stages: true })).service().capabilities())).toEqual([1, 2, 5])
  })

  test('each pod has a bind mount of it; the next process goes on, and it goes after the last of them', async () => {
    const { service, target, machine, root, told } = await node({ stages: true, permissions: 0o2770 })
    const staged = staging(root)
    const folder = machine.share('nas', '/export')
    machine.connections.set(staged, 1)
    const all = { staged, capability: capability(['nconnect=16']) }
    const first = service()
    for (const one of [first, first, service()]) await one.stage(request('', all))
    await first.publish(request(target(), all))
    await first.publish(request(target('b'), { ...all, isReadonly: true }))
    for (const name of ['a', 'b']) await service().publish(request(target(name), { ...all, isReadonly: name === 'b' }))
    expect(machine.commands).toEqual([
      `mount.nfs nas:/export ${staged} -o rw,nconnect=16`,
      `mount -o bind ${staged} ${target()}`,
      `mount -o bind,ro ${staged} ${target('b')}`,
    ])
    expect(statSync(folder).mode & 0o7777).toBe(0o2770)
    expect(told).toEqual([['nas', 16, 1]])
    const last = service()
    for (const name of ['a', 'b']) await last.unpublish({ volumeId: 'v1', targetPath: target(name) })
    for (const one of [last, last]) await one.unstage({ volumeId: 'v1', stagingTargetPath: staged })
    expect(machine.table.mounts()).toEqual([])
  })

  test('a pod that was there before it was wanted keeps its mount, and the next one has its own where nothing is staged', async () => {
    const before = await node()
    const { machine, root, target } = before
    await before.service().publish(request(target(), { staged: staging(root) }))
    const after = before.service({ stages: true })
    for (const name of ['a', 'b']) await after.publish(request(target(name), { staged: staging(root) }))
    expect(machine.commands).toEqual([`mount.nfs nas:/export ${target()} -o rw`, `mount.nfs nas:/export ${target('b')} -o rw`])
    await after.unstage({ volumeId: 'v1', stagingTargetPath: staging(root) })
    await after.publish(request(target('inline')))
    expect(machine.commands).toHaveLength(3)
    await after.stage(request('', { staged: staging(root) }))
    // What is staged is used no more where that is not wanted.
    await before.service().publish(request(target('c'), { staged: staging(root) }))
    expect(machine.commands.at(-1)).toBe(`mount.nfs nas:/export ${target('c')} -o rw`)
  })

  test('one that leads nowhere is made anew for the next pod, and a bind that was cut off before it was read-only too', async () => {
    const { service, machine, root, target } = await node({ stages: true })
    const staged = staging(root)
    const one = service()
    await one.stage(request('', { staged }))
    machine.stale.add(staged)
    await one.publish(request(target(), { staged }))
    expect(machine.commands.slice(1)).toEqual([
      `umount -i ${staged}`,
      `mount.nfs nas:/export ${staged} -o rw`,
      `mount -o bind ${staged} ${target()}`,
    ])
    await service().publish(request(target(), { staged, isReadonly: true }))
    expect(machine.commands.slice(4)).toEqual([`umount -i ${target()}`, `mount -o bind,ro ${staged} ${target()}`])
  })

  test('is refused as a pod’s is: without its fields, while another call for it runs, where a server does not answer', async () => {
    const { service, machine, root } = await node({ stages: true, speed: fast })
    const one = service()
    const bad = status.INVALID_ARGUMENT
    const staged = staging(root)
    await expect(one.stage(request('', { capability: undefined }))).rejects.toEqual(
      refused(bad, 'Volume capability missing in request'),
    )
    await expect(one.stage(request('', { id: '', staged }))).rejects.toEqual(refused(bad, 'Volume ID missing in request'))
    await expect(one.stage(request(''))).rejects.toEqual(refused(bad, 'Staging target path not provided'))
    for (const [volumeId, stagingTargetPath] of [
      ['', staged],
      ['v1', ''],
    ] as const)
      await expect(one.unstage({ volumeId, stagingTargetPath })).rejects.toEqual(refused(bad, / missing in request$/))
    machine.tell('nas', { hang: true })
    const late = expect(one.stage(request('', { staged }))).rejects.toEqual(refused(status.INTERNAL, /timeout/))
    await expect(one.unstage({ volumeId: 'v1', stagingTargetPath: staged })).rejects.toEqual(
      refused(status.ABORTED, 'An operation with the given Volume ID v1 already exists'),
    )
    await late
    await expect(one.stage(request('', { staged: `${staged}2` }))).rejects.toEqual(
      refused(status.UNAVAILABLE, /has not answered/),
    )
  })
})

describe('the one writer of a volume', () => {
  const alone = { capability: capability([], accessModes.SINGLE_NODE_SINGLE_WRITER) }
  const kubeletTarget = (root: string, pod: string) => join(root, pods, pod, 'volumes/kubernetes.io~csi/pv-1/mount')
  const pods = 'pods'

  test('is at one place', async () => {
    const { service, target } = await node()
    const one = service()
    await one.publish(request(target(), alone))
    await expect(one.publish(request(target('b'), alone))).rejects.toEqual(
      refused(status.FAILED_PRECONDITION, /published at another place/),
    )
    expect(existsSync(target('b'))).toBe(false)
    await one.publish(request(target(), alone))
    await one.unpublish({ volumeId: 'v1', targetPath: target() })
    await one.publish(request(target('b'), alone))
  })

  test('also where an earlier process mounted it', async () => {
    const { service, root } = await node()
    await service().publish(request(kubeletTarget(root, 'p1'), alone))
    await expect(service().publish(request(kubeletTarget(root, 'p2'), alone))).rejects.toEqual(
      refused(status.FAILED_PRECONDITION, /another place/),
    )
  })
})

describe('unmounting', () => {
  test('goes by force where it does not go else, and says so', async () => {
    const { service, target, machine, told } = await node()
    await service().publish(request(target()))
    machine.stuck.set(target(), 1)
    await service().unpublish({ volumeId: 'v1', targetPath: target() })
    expect(machine.commands.slice(1)).toEqual([`umount -i ${target()}`, `umount -i -f ${target()}`])
    expect(told).toEqual([['v1', target(), 'forced']])
  })

  test('is done when the mount has gone, though the program hangs with its server', async () => {
    const { service, target, machine, clock } = await node({ speed: 100 })
    await service().publish(request(target()))
    machine.tell('umount', { hang: true })
    const startMs = clock.elapsed()
    const ending = service().unpublish({ volumeId: 'v1', targetPath: target() })
    machine.forget(target())
    await ending
    expect(clock.elapsed() - startMs).toBeLessThan(30_000)
  })

  test('is detached only where that is wanted', async () => {
    const { service, target, machine, told } = await node({ detachAfterMs: 0 })
    await service().publish(request(target()))
    machine.stuck.set(target(), 2)
    await service().unpublish({ volumeId: 'v1', targetPath: target() })
    expect(told).toEqual([['v1', target(), 'detached']])
    const other = await node()
    await other.service().publish(request(other.target()))
    other.machine.stuck.set(other.target(), 9)
    const wanted = refused(status.INTERNAL, /^failed to unmount target ".*": unmount failed: .* is still mounted/)
    await expect(other.service().unpublish({ volumeId: 'v1', targetPath: other.target() })).rejects.toEqual(wanted)
  })

  test('is detached when it has not gone for as long as the setting says, however many calls that takes', async () => {
    const { service, target, machine, told, clock } = await node({ detachAfterMs: 60_000, speed: fast })
    const one = service()
    await one.publish(request(target()))
    machine.stuck.set(target(), 4)
    const ask = () => one.unpublish({ volumeId: 'v1', targetPath: target() })
    await expect(ask()).rejects.toEqual(refused(status.INTERNAL, /is still mounted/))
    expect(told).toEqual([])
    await clock.after(60_000)
    await ask()
    expect(told).toEqual([['v1', target(), 'detached']])
    expect(machine.commands.at(-1)).toBe(`umount -i -l ${target()}`)
  })

  test('never removes what lies in a folder', async () => {
    const { service, target } = await node()
    mkdirSync(target(), { recursive: true })
    writeFileSync(join(target(), 'data'), 'x')
    await expect(service().unpublish({ volumeId: 'v1', targetPath: target() })).rejects.toEqual(
      refused(status.INTERNAL, /not empty/),
    )
    expect(existsSync(join(target(), 'data'))).toBe(true)
  })
})

describe('figures', () => {
  const ask = (volumeId: string, volumePath: string) => ({ volumeId, volumePath, stagingTargetPath: '' })

  test('of the file system, in bytes and inodes, good for a while and for that path', async () => {
    const { service, target } = await node()
    const one = service()
    await one.publish(request(target()))
    const { usage } = await one.stats(ask('v1', target()))
    expect(usage.map(({ unit }) => unit)).toEqual([1, 2])
    for (const { total, used, available } of usage) {
      expect(total).toBeGreaterThan(0)
      expect(used + available).toBeLessThanOrEqual(total)
    }
    rmSync(target(), { recursive: true })
    expect((await one.stats(ask('v1', target()))).usage).toEqual(usage)
    await expect(one.stats(ask('v2', target()))).rejects.toEqual(refused(status.NOT_FOUND, /does not exist/))
  })

  test('of what is not there', async () => {
    const one = (await node()).service()
    await expect(one.stats(ask('v1', '/not/a/real/directory'))).rejects.toEqual(
      refused(status.NOT_FOUND, 'path /not/a/real/directory does not exist'),
    )
    await expect(one.stats(ask('', '/x'))).rejects.toEqual(refused(status.INVALID_ARGUMENT, /ID was empty/))
    await expect(one.stats(ask('v1', ''))).rejects.toEqual(refused(status.INVALID_ARGUMENT, /path was empty/))
  })
})

describe('a node that is asked for the new size of a volume', () => {
  const grow = (path: string, of: Readonly<Record<string, unknown>> = {}) => ({
    volumeId: 'v1',
    volumePath: path,
    capacityRange: { requiredBytes: 1n, limitBytes: 0n },
    stagingTargetPath: '',
    volumeCapability: undefined,
    ...of,
  })

  test('says that it sees it, and forgets figures of before', async () => {
    const { service, target } = await node()
    const driver = service({ expands: true })
    await driver.publish(request(target()))
    expect(await driver.expand(grow(target()))).toEqual({ capacityBytes: 1n })
    expect(JSON.stringify(driver.capabilities())).toContain('3')
    const before = await driver.stats({ volumeId: 'v1', volumePath: target(), stagingTargetPath: '' })
    expect(await driver.stats({ volumeId: 'v1', volumePath: target(), stagingTargetPath: '' })).toBe(before)
    await driver.expand(grow(target(), { capacityRange: undefined }))
    expect(await driver.stats({ volumeId: 'v1', volumePath: target(), stagingTargetPath: '' })).not.toBe(before)
  })

  // biome-ignore format: a table
  test.each<[name: string, of: Readonly<Record<string, unknown>>, code: status, message: RegExp]>([
    ['no volume',                       { volumeId: '' },                                                   status.INVALID_ARGUMENT,  /Volume ID/],
    ['no path',                         { volumePath: '' },                                                 status.INVALID_ARGUMENT,  /path/],
    ['a block device',                  { volumeCapability: { block: {}, mount: undefined, accessMode: undefined } }, status.INVALID_ARGUMENT, /block/],
    ['a path at which nothing is mounted', { volumePath: '/nowhere' },                                      status.NOT_FOUND,         /is not mounted at \/nowhere/],
    ['a path at which another is mounted', { volumeId: 'v2' },                                              status.NOT_FOUND,         /v2 is not mounted/],
    ['less than nothing',               { capacityRange: { requiredBytes: -1n, limitBytes: 0n } },          status.OUT_OF_RANGE,      /-1 bytes/],
    ['more than its limit',             { capacityRange: { requiredBytes: 2n, limitBytes: 1n } },           status.OUT_OF_RANGE,      /2 bytes are required and 1 are the limit/],
    ['more than the server has there',  { capacityRange: { requiredBytes: 2n ** 62n, limitBytes: 0n } },    status.OUT_OF_RANGE,      /raise the quota/],
  ])('refuses %s', async (_, of, code, message) => {
    const { service, target } = await node()
    const driver = service({ expands: true })
    await driver.publish(request(target()))
    await expect(driver.expand(grow(target(), of))).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })
})
