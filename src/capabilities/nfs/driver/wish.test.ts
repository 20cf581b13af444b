import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { writeVolumeId } from './volume-id.ts'
import { snapshotWish, volumeWish } from './wish.ts'

const claimFacts = {
  labels: new Map([['app', 'plex']]),
  annotations: new Map([
    ['path', '../../etc'],
    ['odd', 'a#b,c/d'],
    ['dots', '..'],
  ]),
  storageClass: 'nfs-slow',
}

const wishOf = (
  parameters: Readonly<Record<string, string>>,
  over: { readonly name?: string; readonly onDelete?: string } = {},
) =>
  volumeWish({
    name: over.name ?? 'pv-name',
    parameters: new Map(Object.entries(parameters)),
    defaultPermissions: 0,
    changes: { permissions: undefined },
    defaultOnDelete: over.onDelete ?? '',
    claim: async () => claimFacts,
  })

const metadata = {
  'csi.storage.k8s.io/pvc/name': 'pvcname',
  'csi.storage.k8s.io/pvc/namespace': 'pvcnamespace',
  'csi.storage.k8s.io/pv/name': 'pvname',
}
const base = { server: 'nas', share: '/export' }

describe('what a class asks for', () => {
  // biome-ignore format: a table
  test.each([
    [{ server: '//nas.local', share: 'share', subDir: 'subdir' }, 'nas.local#share#subdir#pv-name#'],
    [{ server: 'nas', share: 'share' }, 'nas#share#pv-name##'],
    [{ server: 'nas', SHARE: '/x' }, 'nas#x#pv-name##'],
    [{ ...base, ...metadata, subDir: 'subdir-${pvc.metadata.name}-${pvc.metadata.namespace}-${pv.metadata.name}' }, 'nas#export#subdir-pvcname-pvcnamespace-pvname#pv-name#'],
    [{ ...base, subDir: '${pvc.metadata.name}' }, 'nas#export#${pvc.metadata.name}#pv-name#'],
    [{ ...base, subDir: '${nothing.known}' }, 'nas#export#${nothing.known}#pv-name#'],
    [{ ...base, ...metadata, subDir: '${pvc.metadata.labels[\'app\']}/${pvc.metadata.name}' }, 'nas#export#plex/pvcname#pv-name#'],
    [{ ...base, ...metadata, subDir: 'x${pvc.metadata.labels["none"]}/${storageclass.metadata.name}' }, 'nas#export#x/nfs-slow#pv-name#'],
    [{ ...base, ...metadata, subDir: '${pvc.metadata.annotations[\'path\']}' }, 'nas#export#.._.._etc#pv-name#'],
    [{ ...base, ...metadata, subDir: '${pvc.metadata.annotations[\'odd\']}' }, 'nas#export#a_b_c_d#pv-name#'],
    [{ ...base, ...metadata, subDir: '${pvc.metadata.annotations[\'dots\']}' }, 'nas#export#__#pv-name#'],
    [{ ...base, onDelete: 'Retain' }, 'nas#export#pv-name##Retain'],
    [{ ...base, mountPermissions: '' }, 'nas#export#pv-name##'],
  ])('%j', async (parameters, id) => {
    expect(writeVolumeId((await wishOf(parameters)).id)).toBe(id)
  })

  // biome-ignore format: a table
  test.each([
    [{ share: '/export' }, /server is a required parameter/],
    [{ ...base, foo: 'bar' }, /invalid parameter "foo" in storage class/],
    [{ ...base, onDelete: 'invalid' }, /invalid value invalid for OnDelete/],
    [{ ...base, mountPermissions: '07ab' }, /invalid mountPermissions 07ab in storage class/],
    [{ ...base, mountPermissions: '40000000000' }, /invalid mountPermissions/],
    [{ ...base, subDir: '../../etc/shadow' }, /invalid subDir .*directory traversal/],
    [{ server: 'nas', share: '/exports/../../../etc' }, /invalid share .*directory traversal/],
    [{ ...base, ...metadata, 'csi.storage.k8s.io/pvc/namespace': '..', subDir: '${pvc.metadata.namespace}' }, /invalid subDir/],
    [{ ...base, subDir: 'a\\..\\b' }, /invalid subDir/],
    [{ ...base, subDir: 'a\nb' }, /control character/],
    [{ ...base, subDir: 'a#b' }, /path contains "#"/],
    [{ server: 'nas', share: '/a,b' }, /path contains ","/],
    [{ server: '-o', share: '/a' }, /does not begin with "-"/],
    [{ server: 'nas b', share: '/a' }, /without blanks/],
  ])('%j is refused', async (parameters, message) => {
    await expect(wishOf(parameters)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(message) })
  })

  test('a name leads nowhere either', async () => {
    await expect(wishOf(base, { name: '../x' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  test('what a volume is told has the folder as it came to be, under the key as it was written', async () => {
    const { context } = await wishOf({ ...base, ...metadata, SubDir: '${pvc.metadata.name}' })
    expect(Object.fromEntries(context)).toEqual({ ...base, ...metadata, SubDir: 'pvcname' })
    expect(Object.fromEntries((await wishOf(base)).context)).toEqual({ ...base, subdir: 'pv-name' })
  })

  test('the default of the driver is kept in the identifier', async () => {
    expect(writeVolumeId((await wishOf(base, { onDelete: 'retain' })).id)).toBe('nas#export#pv-name##retain')
    expect(writeVolumeId((await wishOf({ ...base, onDelete: 'delete' }, { onDelete: 'retain' })).id)).toBe('nas#export#pv-name##')
  })

  test('the claim cannot be looked at: the call is to come again', async () => {
    const changes = { permissions: undefined }
    const options = { name: 'pv', defaultPermissions: 0, changes, defaultOnDelete: '', claim: async () => undefined }
    const parameters = new Map(Object.entries({ ...base, ...metadata, subDir: "${pvc.metadata.labels['app']}" }))
    await expect(volumeWish({ ...options, parameters })).rejects.toMatchObject({ code: status.UNAVAILABLE })
    for (const key of Object.keys(metadata)) parameters.delete(key)
    await expect(volumeWish({ ...options, parameters })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  test.each([
    ['0', 0],
    ['0777', 0o777],
    ['02770', 0o2770],
  ])('permissions %s', async (mountPermissions, bits) => {
    expect((await wishOf({ ...base, mountPermissions })).permissions).toBe(bits)
  })
})

describe('what a class of snapshots asks for', () => {
  const volume = { server: 'nas', share: 'export', subDir: 'a/b', uuid: 'pvc-1', onDelete: '' }
  const of = (parameters: Readonly<Record<string, string>>) => snapshotWish('snap-1', new Map(Object.entries(parameters)), volume)

  test('archives lie where the volume is, or where the class says', () => {
    expect(of({})).toEqual({ id: { server: 'nas', share: 'export', name: 'snap-1', source: 'pvc-1' }, mountOptions: '' })
    expect(of({ Server: 'other', SHARE: '/backups', mountOptions: 'nfsvers=4.1' })).toEqual({
      id: { server: 'other', share: '/backups', name: 'snap-1', source: 'pvc-1' },
      mountOptions: 'nfsvers=4.1',
    })
  })

  test.each([[{ foo: 'bar' }], [{ server: '' }], [{ share: '../x' }]])('%j is refused', parameters => {
    expect(() => of(parameters as Readonly<Record<string, string>>)).toThrow(expect.objectContaining({ code: status.NOT_FOUND }))
  })
})
