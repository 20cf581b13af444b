import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { askedConnections, optionsProblem, portOf, splitOptions } from './mount-options.ts'
import { kernelTable, readConnections, readMountAt, readMountInfo } from './mount-table.ts'

test('mounts by the kernel’s table, with blanks in their paths', () => {
  const text = [
    '36 35 98:0 / /mnt2 rw,noatime master:1 - ext4 /dev/root rw,errors=continue',
    '40 36 0:52 / /var/lib/kubelet/pods/a\\040b/mount rw,relatime shared:9 - nfs4 nas:/kubernetes/pvc\\0401 rw,vers=4.1,nconnect=16,addr=10.0.0.2',
    'cut',
    '',
  ].join('\n')
  expect(readMountInfo(text)).toEqual([
    { id: '36', target: '/mnt2', fsType: 'ext4', source: '/dev/root', options: ['rw', 'noatime', 'rw', 'errors=continue'] },
    {
      id: '40',
      target: '/var/lib/kubelet/pods/a b/mount',
      fsType: 'nfs4',
      source: 'nas:/kubernetes/pvc 1',
      options: ['rw', 'relatime', 'rw', 'vers=4.1', 'nconnect=16', 'addr=10.0.0.2'],
    },
  ])
})

test('the topmost mount at a place is found as if all were read, whatever its name', () => {
  const line = (target: string, source: string) => `36 35 98:0 / ${target} rw shared:9 - nfs4 ${source} rw,vers=4.1`
  const places = ['/a', '/a/b', '/a\\040b', '/a\\134040b', '/a\\011b', '/a\\012b', '/ä', '/']
  const lines = places.flatMap(place => [line(place, 'nas:/below'), line(place, `nas:${place}`), line('/other', place)])
  // The source of one is the target of another, and the last line is cut.
  for (const text of [lines.join('\n'), `${lines.join('\n')}\n`, `${lines.join('\n')}\n36 35 98:0 / /a rw`])
    for (const target of [...readMountInfo(text).map(mounted => mounted.target), '/none', ''])
      expect(readMountAt(text, target), target).toEqual(readMountInfo(text).findLast(mounted => mounted.target === target))
})

test('connections of a mount are counted, of the last one at a place', () => {
  const mount = (target: string, count: number) => [
    `device nas:/x mounted on ${target} with fstype nfs4 statvers=1.1`,
    '\topts:\trw,vers=4.1',
    ...Array.from({ length: count }, () => '\txprt:\ttcp 0 0 2 0 38 27 27 0 27 0 2 0 0'),
    '\tper-op statistics',
  ]
  const text = [
    'device proc mounted on /proc with fstype proc',
    ...mount('/a', 4),
    ...mount('/b', 1),
    ...mount('/a', 16),
    ...mount('/c', 0),
  ].join('\n')
  expect(['/a', '/b', '/c', '/proc', '/none'].map(target => readConnections(text, target))).toEqual([
    16,
    1,
    undefined,
    undefined,
    undefined,
  ])
})

test('options as users write them', () => {
  const options = ['nfsvers=4.1,nconnect=8', 'hard', 'nconnect=16,port=20049']
  expect(splitOptions(options)).toEqual(['nfsvers=4.1', 'nconnect=8', 'hard', 'nconnect=16', 'port=20049'])
  expect([askedConnections(options), portOf(options), askedConnections(['nconnect=x'])]).toEqual([16, 20_049, undefined])
  expect([optionsProblem(['hard\nx']), optionsProblem(options)]).toEqual([
    expect.stringContaining('control character'),
    undefined,
  ])
})

test.skipIf(process.platform !== 'linux')('a mount is found by a path that leads there by a link, too', async () => {
  const link = join(await temporaryDirectory(), 'link')
  symlinkSync('/', link)
  expect(kernelTable.at(`${link}/proc`)).toEqual(kernelTable.at('/proc'))
  expect(kernelTable.at('/proc/')?.fsType).toBe('proc')
  expect(kernelTable.at(`${link}/no/such/place`)).toBeUndefined()
})
