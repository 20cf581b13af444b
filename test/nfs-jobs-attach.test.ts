// VolumeAttachments are carried out, on the twin of an API server, with a CSI driver behind a real socket.
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controllerCapabilities } from '../src/capabilities/nfs/csi/messages.ts'
import { type Attachment, attachments, decideAttachment } from '../src/capabilities/nfs/jobs/attach/attachment-decision.ts'
import { attachedSite, csiNode, finalizer, volumeOf } from './nfs-jobs-attach-site.ts'

const objectOf = (spec: object, metadata: object = {}, said?: object): Attachment =>
  ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: 'a', ...metadata },
    spec: { attacher: 'nfs.csi.k8s.io', nodeName: 'n1', source: {}, ...spec },
    ...(said === undefined ? {} : { status: said }),
  }) as Attachment

// biome-ignore format: a table
test.each<[name: string, attachment: Attachment, decision: string]>([
  ['of another driver is left',            objectOf({ attacher: 'other' }),                                                       'leave'],
  ['that is new is attached',              objectOf({}),                                                                          'attach'],
  ['that failed is attached again',        objectOf({}, {}, { attached: false, attachError: { time: 't', message: 'm' } }),       'attach'],
  ['that is attached is left',             objectOf({}, {}, { attached: true }),                                                  'leave'],
  ['that goes is detached',                objectOf({}, { deletionTimestamp: 't', finalizers: [finalizer] }, { attached: true }), 'detach'],
  ['that goes and was never begun is left', objectOf({}, { deletionTimestamp: 't', finalizers: ['other'] }),                       'leave'],
])('an attachment %s', (_, attachment, decision) => {
  expect(decideAttachment(attachment, 'nfs.csi.k8s.io')).toBe(decision)
})

describe('an attacher', () => {
  test('has the driver publish a volume, holds attachment and volume, and lets both go', async () => {
    await using site = await attachedSite()
    await site.attach('a', 'n1')
    await site.until(() => site.attachment('a')?.status?.attached === true)
    expect(site.attachment('a')).toMatchObject({
      metadata: { finalizers: [finalizer], annotations: { 'csi.alpha.kubernetes.io/node-id': 'n1' } },
      status: { attached: true },
    })
    expect(site.driver.calls.find(({ method }) => method === 'attachVolume')?.request).toMatchObject({
      volumeId: 'nas#export#plex##',
      nodeId: 'n1',
      isReadonly: false,
      volumeCapability: { mount: { mountFlags: ['nfsvers=4.1'] }, accessMode: { mode: 7 } },
      volumeContext: new Map([['server', 'nas']]),
    })
    expect(site.volumes().find(({ metadata }) => metadata.name === 'pv-plex')?.metadata.finalizers).toContain(finalizer)
    await site.delete(builtIn.persistentvolumes, 'pv-plex')
    await site.pass(60_000)
    expect(site.volumes()).toHaveLength(2)
    await site.delete(attachments, 'a')
    await site.until(() => site.volumes().length === 1)
    expect(site.attachment('a')).toBeUndefined()
    expect([...site.driver.attached]).toEqual([])
    expect([...site.forbidden, ...site.errors]).toEqual([])
  })

  test('says why a volume is not attached, and tries again; also where the kubelet of the node comes later', async () => {
    await using site = await attachedSite()
    site.driver.failures.set('attachVolume', [{ code: status.FAILED_PRECONDITION, details: 'node n2 has it' }])
    await site.attach('a', 'n1')
    await site.until(() => site.attachment('a')?.status?.attachError !== undefined)
    expect(site.attachment('a')?.status).toMatchObject({
      attached: false,
      attachError: { message: 'rpc error: code = FailedPrecondition desc = node n2 has it' },
    })
    const failedMs = site.clock.elapsed()
    await site.until(() => site.attachment('a')?.status?.attached === true)
    // What was told of the failure was no reason to try again before its time.
    expect(site.clock.elapsed() - failedMs).toBeGreaterThan(900)
    expect(site.attachment('a')?.status?.attachError).toBeUndefined()
    await site.attach('b', 'n9', 'pv-other')
    await site.until(() => site.attachment('b')?.status?.attachError !== undefined)
    expect(site.attachment('b')?.status?.attachError?.message).toBe('CSINode n9 does not contain driver nfs.csi.k8s.io')
    await site.create(builtIn.csinodes, csiNode('n9'))
    await site.until(() => site.attachment('b')?.status?.attached === true)
    site.driver.failures.set('detachVolume', [{ code: status.INTERNAL, details: 'no' }])
    await site.delete(attachments, 'b')
    await site.until(() => site.attachment('b')?.status?.detachError !== undefined)
    // The node is gone, and its attachment knows by which name the driver had it.
    await site.delete(builtIn.csinodes, 'n9')
    await site.until(() => site.attachment('b') === undefined)
    expect([...site.driver.attached]).toEqual(['nas#export#plex## on n1'])
    expect([...site.forbidden, ...site.errors]).toEqual([])
  })

  test('attaches read-only what the volume says, where the driver can', async () => {
    await using site = await attachedSite([volumeOf('pv-plex', { readOnly: true })])
    await site.attach('a', 'n1')
    await site.until(() => site.attachment('a')?.status?.attached === true)
    expect(site.attachment('a')?.status?.attachmentMetadata).toEqual({ 'ballast.dev/read-only': 'true' })
  })

  test('leaves what is not its own, and says so where the driver attaches nothing', async () => {
    await using site = await attachedSite()
    const other: KubeObject = objectOf({ attacher: 'other.csi', source: { persistentVolumeName: 'pv-plex' } })
    await site.create(attachments, other)
    await site.pass(60_000)
    expect(site.attachment('a')?.metadata.finalizers).toBeUndefined()
    expect([...site.driver.attached]).toEqual([])
    await site.stop()
    site.driver.can.delete(controllerCapabilities.PUBLISH_UNPUBLISH_VOLUME)
    site.start()
    await site.until(() => site.jobs?.checks().some(({ message = '' }) => message.includes('attaches no volumes')) === true)
  })
})
