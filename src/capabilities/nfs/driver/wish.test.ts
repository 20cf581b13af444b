import { status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClaimFacts, expandGiven } from './sub-dir.ts'
import { readVolumeId, writeVolumeId } from './volume-id.ts'
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
  over: { readonly name?: string; readonly onDelete?: string; readonly facts?: ClaimFacts } = {},
) =>
  volumeWish({
    name: over.name ?? 'pv-name',
    parameters: new Map(Object.entries(parameters)),
    defaultPermissions: 0,
    changes: { permissions: undefined },
    defaultOnDelete: over.onDelete ?? '',
    claim: async () => over.facts ?? claimFacts,
  })

const placeholders = ['${pvc.metadata.name}', '${pvc.metadata.namespace}', '${pv.metadata.name}', "${pvc.metadata.labels['app']}"]
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
    [{ server: '-o', share: '/a' }, /invalid server "-o": expected a name such as/],
    [{ server: 'nas b', share: '/a' }, /invalid server "nas b": expected a name such as/],
  ])('%j is refused', async (parameters, message) => {
    await expect(wishOf(parameters)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(message) })
  })

  test.each(['../x', '/', '.', '.ballast-attached', 'x'.repeat(256)])('a name leads nowhere either: %s', async name => {
    await expect(wishOf(base, { name })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  // biome-ignore format: a table
  test.each([
    ['${pvc.metadata.labels["none"]}'],
    ['${pvc.metadata.labels["none"]}/'],
    ['./${pvc.metadata.labels["none"]}'],
    ['media/${pvc.metadata.annotations["none"]}'],
    ['media/${pvc.metadata.annotations["none"]}/.'],
    ['${pvc.metadata.labels["none"]}/${pvc.metadata.annotations["none"]}'],
  ])('what a claim does not say makes no volume of the folder above, or of the share: %s', async subDir => {
    await expect(wishOf({ ...base, ...metadata, subDir })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(/invalid subDir .* gives its last folder no name/),
    })
  })

  test.each(['/', '.', './'])('who says the share itself has it: %s', async subDir => {
    expect((await wishOf({ ...base, subDir })).id.subDir).toBe(subDir)
  })

  test('a first folder that could not be archived is refused where it is to be', async () => {
    const subDir = `${'x'.repeat(247)}/data`
    expect((await wishOf({ ...base, subDir })).id.subDir).toBe(subDir)
    await expect(wishOf({ ...base, subDir, onDelete: 'Archive' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    await expect(wishOf({ ...base, subDir }, { onDelete: 'archive' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  test('whatever users write in labels and annotations is one folder, and the same where the volume is made, mounted and deleted', async () => {
    const given = [
      ...['a', '', '.', '..', '/', '\\', '\0', '\n', ',', '#', '$', '{', '}', '%2e', '\u2024', '\ud83d\ude00', '.ballast-x'],
      ...placeholders,
    ]
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...given), maxLength: 6 }),
      fc.string({ unit: 'binary', maxLength: 300 }),
    )
    const parameters = { ...base, ...metadata, subDir: '${pvc.metadata.namespace}/${pvc.metadata.annotations["x"]}' }
    await fc.assert(
      fc.asyncProperty(text, async x => {
        const facts = { ...claimFacts, annotations: new Map([['x', x]]) }
        let wish: Awaited<ReturnType<typeof wishOf>>
        try {
          wish = await wishOf(parameters, { facts })
        } catch (error) {
          expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(/^invalid subDir/) })
          return
        }
        const { subDir } = wish.id
        expect(subDir).toMatch(/^pvcnamespace\/[^/\\#,\0\n]+$/)
        expect(subDir.split('/')).not.toContain('..')
        expect(readVolumeId(writeVolumeId(wish.id))).toMatchObject({ subDir })
        expect(expandGiven(wish.context.get('subDir') ?? '', wish.context)).toBe(subDir)
      }),
    )
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
