import { expect, test } from 'vitest'
import type { Node, PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import { matchingVolume } from './volume-match.ts'

function volume(name: string, storage: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], storageClassName: 'local', ...spec },
    status: { phase: 'Available' },
  }
}

function claim(spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'default', uid: 'u' },
    spec: { storageClassName: 'local', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '5Gi' } }, ...spec },
  }
}

const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } } }
const onHost = (host: string) => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] }] },
  },
})
const ofClaim = (name: string, uid?: string) => ({
  claimRef: { namespace: 'default', name, ...(uid === undefined ? {} : { uid }) },
})

// biome-ignore format: a table
test.each<[string, PersistentVolumeClaim, readonly PersistentVolume[], string | undefined]>([
  ['the smallest that is large enough', claim(), [volume('big', '20Gi'), volume('small', '1Gi'), volume('right', '6Gi')], 'right'],
  ['none of another class', claim(), [volume('v', '6Gi', { storageClassName: 'other' })], undefined],
  ['none without the access mode', claim({ accessModes: ['ReadWriteMany'] }), [volume('v', '6Gi')], undefined],
  ['none that others have', claim(), [volume('v', '6Gi', ofClaim('other'))], undefined],
  ['one reserved for it before a smaller one', claim(), [volume('small', '5Gi'), volume('mine', '50Gi', ofClaim('c'))], 'mine'],
  ['none reserved for an earlier claim of its name', claim(), [volume('v', '6Gi', ofClaim('c', 'older'))], undefined],
  ['none that its node cannot reach', claim(), [volume('v', '6Gi', onHost('n2')), volume('w', '7Gi', onHost('n1'))], 'w'],
  ['one with fewer access modes before a smaller one', claim(), [volume('both', '5Gi', { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }), volume('one', '9Gi')], 'one'],
  ['one of another class that is reserved for it', claim(), [volume('v', '6Gi', { ...ofClaim('c'), storageClassName: 'other' })], 'v'],
  ['none that is reserved for it and too small', claim(), [volume('v', '1Gi', ofClaim('c'))], undefined],
])('%s', (_, given, volumes, expected) => {
  expect(matchingVolume(given, volumes, { node })?.metadata.name).toBe(expected)
})
