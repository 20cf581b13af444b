import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { accessModes } from '../../csi/messages.ts'
import { DriverError, isInfeasibleSize, isInfeasibleVolume, isInUse, mayStillRun, mayStillRunOrLack } from './driver-error.ts'
import { csiAccessMode, volumeCapability } from './volume-access.ts'

const error = (code: status) => new DriverError(new CallRefused(code, 'so it is'))
const codes = Object.values(status).filter((code): code is status => typeof code === 'number' && code !== status.OK)
const where = (holds: (error: unknown) => boolean) => codes.filter(code => holds(error(code))).map(code => status[code])

test('codes that say how a call ended, and those that do not', () => {
  expect(where(mayStillRun).sort()).toEqual(['ABORTED', 'CANCELLED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'])
  expect(where(mayStillRunOrLack).sort()).toEqual([
    'ABORTED',
    'CANCELLED',
    'DEADLINE_EXCEEDED',
    'RESOURCE_EXHAUSTED',
    'UNAVAILABLE',
  ])
  expect(where(isInfeasibleVolume)).toEqual(['INVALID_ARGUMENT'])
  expect(where(isInfeasibleSize).sort()).toEqual(['INVALID_ARGUMENT', 'NOT_FOUND', 'OUT_OF_RANGE'])
  expect(where(isInUse)).toEqual(['FAILED_PRECONDITION'])
  // What is no answer at all says nothing.
  expect(mayStillRun(new Error('the socket is gone'))).toBe(true)
})

test('errors read as those of Go', () => {
  expect(error(status.INVALID_ARGUMENT).message).toBe('rpc error: code = InvalidArgument desc = so it is')
  expect(error(status.CANCELLED).message).toBe('rpc error: code = Canceled desc = so it is')
  expect(error(99 as status).message).toBe('rpc error: code = Code(99) desc = so it is')
})

test.each<[readonly string[], string, string]>([
  [['ReadWriteOnce'], 'SINGLE_NODE_WRITER', 'SINGLE_NODE_MULTI_WRITER'],
  [['ReadOnlyMany'], 'MULTI_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'],
  [['ReadWriteMany'], 'MULTI_NODE_MULTI_WRITER', 'MULTI_NODE_MULTI_WRITER'],
  [['ReadWriteOncePod'], 'SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER'],
  [['ReadWriteOncePod', 'ReadWriteOncePod'], 'SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER'],
  [['ReadWriteOnce', 'ReadWriteMany'], 'MULTI_NODE_MULTI_WRITER', 'MULTI_NODE_MULTI_WRITER'],
  [['ReadOnlyMany', 'ReadWriteMany'], 'MULTI_NODE_MULTI_WRITER', 'MULTI_NODE_MULTI_WRITER'],
  [
    ['ReadOnlyMany', 'ReadWriteOnce'],
    'CSI does not support ReadOnlyMany and ReadWriteOnce on the same PersistentVolume',
    'CSI does not support ReadOnlyMany and ReadWriteOnce on the same PersistentVolume',
  ],
  [
    ['ReadWriteOncePod', 'ReadWriteMany'],
    'Kubernetes does not support use of ReadWriteOncePod with other access modes on the same PersistentVolume',
    'Kubernetes does not support use of ReadWriteOncePod with other access modes on the same PersistentVolume',
  ],
  [[], 'unsupported AccessMode combination: []', 'unsupported AccessMode combination: []'],
  [['Odd', 'Ness'], 'unsupported AccessMode combination: [Odd Ness]', 'unsupported AccessMode combination: [Odd Ness]'],
])('%o is %s, and %s where the driver tells writers apart', (modes, plain, fine) => {
  const said = (isFineGrained: boolean) => {
    const found = csiAccessMode(modes, isFineGrained)
    return found.ok ? Object.entries(accessModes).find(([, number]) => number === found.value)?.[0] : found.why
  }
  expect([said(false), said(true)]).toEqual([plain, fine])
})

test('a block device has no options of mounts', () => {
  const options = { fsType: 'nfs', mountOptions: ['ro'] }
  expect(volumeCapability(5, { ...options, volumeMode: 'Block' })).toEqual({
    block: {},
    mount: undefined,
    accessMode: { mode: 5 },
  })
  expect(volumeCapability(5, { ...options, volumeMode: undefined }).mount).toEqual({
    fsType: 'nfs',
    mountFlags: ['ro'],
    volumeMountGroup: '',
  })
})
