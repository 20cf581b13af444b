import { expect, test } from 'vitest'
import { staleMounts } from './stale-mounts.ts'

const mount = (target: string, fsType = 'nfs4') => ({ id: '1', target, fsType, source: `nas:/k${target}`, options: [] })
const look = async (path: string) => (path.endsWith('stale') ? 'stale' : path.endsWith('hangs') ? 'hangs' : ('there' as const))
const { signal } = new AbortController()

test('mounts of pods whose handles nobody knows are stale; others are not looked at', async () => {
  const looked: string[] = []
  const files = {
    look: async (path: string) => {
      looked.push(path)
      return await look(path)
    },
  }
  const all = [
    mount('/k/pods/a/stale'),
    mount('/k/pods/b/fine', 'nfs'),
    mount('/k/pods/c/hangs'),
    mount('/k/pods/d/stale', 'ext4'),
    mount('/mnt/stale'),
    mount('/k/podsx/stale'),
  ]
  const table = { mounts: () => all, connections: () => undefined, at: () => undefined }
  expect(await staleMounts(table, files, '/k/pods', signal)).toEqual([
    { target: '/k/pods/a/stale', source: 'nas:/k/k/pods/a/stale' },
  ])
  expect(looked).toEqual(['/k/pods/a/stale', '/k/pods/b/fine', '/k/pods/c/hangs'])
})

test('no more than a bound are looked at', async () => {
  const table = {
    mounts: () => Array.from({ length: 1_500 }, (_, at) => mount(`/k/pods/${at}/stale`)),
    connections: () => undefined,
    at: () => undefined,
  }
  expect(await staleMounts(table, { look }, '/k/pods', signal)).toHaveLength(1_000)
})
